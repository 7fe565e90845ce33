"""The whole way from files to a pooled score, computed a second time with pandas and scipy."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse, stats

# Without digits, so that no gene counts as the relative of another.
GENES = [f"Q{first}{second}" for first in "ABCDE" for second in "FGHIJK"]
OBSERVED = GENES[:12]
N_TARGETS = 6
MIN_COUNTS = 40

TASK = {
    "stbench": 1,
    "name": "numbers",
    "version": 1,
    "family": "imputation",
    "datasets": {
        "d": {
            "source": "h5ad",
            "path": "slides/*.h5ad",
            "keys": {"patient": "patient", "slide": "slide"},
            "scale": {"um_per_px": 0.5},
            "pitch_um": 100,
            "technology": "Visium",
            "resolution": "spot",
            "panel": "p",
        }
    },
    "splits": ["lopo"],
    "preprocess": {
        "filter": {"min_counts": MIN_COUNTS, "min_genes": 0},
        "normalise": "log1p_cp10k",
        "genes": {"select": "svg", "n": N_TARGETS, "min_detection": 0.1},
    },
    "imputation": {"observed": {"names": OBSERVED}},
    "metrics": ["spearman_gene", "pearson_gene", "partial_pearson_gene", "rmse"],
    "checks": {
        name: {"waive": True, "reason": "a made-up panel"} for name in ("panel_mismatch", "empty_units")
    },
}

CONFTEST = """
import numpy as np
import pytest


class First:
    \"\"\"Each target is predicted as the observed gene of the same place, log1p of its raw count.\"\"\"

    name = "first"
    revision = "1"

    def impute(self, slide, observed_genes, target_genes):
        counts = slide.units[:, observed_genes[: len(target_genes)]].X.toarray()
        return np.log1p(counts).astype(np.float32)


@pytest.fixture
def first():
    return First
"""


def make_slide(seed: int, patient: str, slide: str) -> anndata.AnnData:
    """A square array with smooth genes of different strength."""
    rng = np.random.default_rng(seed)
    rows, columns = np.divmod(np.arange(144), 12)
    wave = np.sin(rows[:, None] / rng.uniform(1.5, 4, 30) + rng.uniform(0, 6, 30)) * np.linspace(0.1, 1.5, 30)
    depth = rng.lognormal(0, 0.5, 144)[:, None]
    counts = rng.poisson(3 * depth * np.exp(wave)).astype(np.int32)
    counts[:3] = 0
    data = anndata.AnnData(sparse.csr_matrix(counts), var=pd.DataFrame(index=GENES))
    data.obs_names = [f"{r}x{c}" for r, c in zip(rows, columns, strict=True)]
    data.obs["patient"], data.obs["slide"] = patient, slide
    data.obsm["spatial"] = np.column_stack([columns, rows]) * 200.0
    return data


@pytest.fixture(scope="module")
def ran(make_bench):
    bench = make_bench("numbers")
    (bench.folder / "slides").mkdir()
    slides = {}
    for number, (patient, slide) in enumerate([("A", "A1"), ("A", "A2"), ("B", "B1"), ("C", "C1")]):
        slides[slide] = make_slide(number, patient, slide)
        slides[slide].write_h5ad(bench.folder / "slides" / f"{slide}.h5ad")
    bench.write("numbers.stbench.yaml", yaml.safe_dump({**TASK, "claim": "exploratory"}))
    bench.write("conftest.py", CONFTEST)
    run = bench.run("--stbench-model=first", "--stbench-save=r.json")
    assert run.code == 0, run.out
    return slides, json.loads((bench.folder / "r.json").read_text())


def frames(slide: anndata.AnnData) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Counts and truth of the units that pass the filter, and their library sizes."""
    counts = pd.DataFrame(slide.X.toarray(), columns=GENES)
    counts = counts[counts.sum(axis=1) >= MIN_COUNTS]
    depth = counts.sum(axis=1)
    return counts, np.log1p(counts.div(depth, axis=0) * 1e4), depth


def moran(values: np.ndarray, xy: np.ndarray) -> float:
    distance = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    weights = ((distance > 0) & (distance <= 150)).astype(float)
    z = values - values.mean()
    return len(z) / weights.sum() * (z @ weights @ z) / (z @ z)


def test_genes_are_the_spatially_most_variable_of_the_training_patients(ran):
    slides, results = ran
    places = {slide: data.obsm["spatial"] * 0.5 for slide, data in slides.items()}
    for fold in results["lock"]:
        scores = {}
        for gene in GENES[len(OBSERVED) :]:
            values = []
            for slide in fold["train"]:
                counts, truth, _ = frames(slides[slide])
                assert (counts[gene] > 0).mean() >= 0.1
                values.append(moran(truth[gene].to_numpy(), places[slide][counts.index]))
            scores[gene] = np.mean(values)
        expected = sorted(scores, key=lambda gene: (-round(scores[gene], 9), gene))[:N_TARGETS]
        assert fold["genes"] == expected


def score(metric: str, truth: np.ndarray, prediction: np.ndarray, depth: np.ndarray) -> float:
    if metric == "rmse":
        return float(np.sqrt(np.mean((truth - prediction) ** 2)))
    if metric == "spearman_gene":
        return float(stats.spearmanr(truth, prediction).statistic)
    if metric == "pearson_gene":
        return float(stats.pearsonr(truth, prediction).statistic)
    design = np.column_stack([np.ones_like(depth), np.log(depth)])
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (truth, prediction)]
    return float(np.corrcoef(*left)[0, 1])


@pytest.mark.parametrize("metric", ["spearman_gene", "pearson_gene", "partial_pearson_gene", "rmse"])
def test_pooled_scores_are_means_over_patients_of_slides_of_genes(ran, metric):
    slides, results = ran
    patients: dict[str, list[float]] = {}
    for fold in results["lock"]:
        for slide in fold["test"]:
            counts, truth, depth = frames(slides[slide])
            values = [
                score(metric, truth[target].to_numpy(), np.log1p(counts[source].to_numpy()), depth.to_numpy())
                for source, target in zip(OBSERVED, fold["genes"], strict=False)
            ]
            patients.setdefault(slides[slide].obs["patient"].iloc[0], []).append(float(np.mean(values)))
    found = next(
        s for s in results["scores"] if s["metric"] == metric and s["fold"] is None and s["role"] == "model"
    )
    for patient, values in patients.items():
        assert found["per_patient"][patient] == pytest.approx(np.mean(values), abs=2e-6)
    assert found["value"] == pytest.approx(np.mean([np.mean(v) for v in patients.values()]), abs=2e-6)
    assert found["ci_low"] is None


def test_baselines_stand_beside_the_model(ran):
    _, results = ran
    names = {s["model"] for s in results["scores"] if s["role"] != "model" and s["fold"] is None}
    assert {"train_mean", "gene_gene_ridge", "libsize", "coords", "smooth", "shuffled(first)"} <= names
    mean = next(s for s in results["scores"] if s["model"] == "train_mean" and s["metric"] == "spearman_gene")
    assert mean["value"] == 0
    assert set(mean["undefined"]) == {"pred_constant"}
