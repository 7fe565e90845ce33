"""Slides of several panels, genes of several names, units of several sizes: in one task file."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import spearmanr

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.spec.model import DatasetSpec

GENES = [f"GENE{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(80)]
PATIENTS = ("A", "B", "C", "D")
FACTS = {
    "technology": "Xenium", "resolution": "cell", "panel": None, "organ": "breast", "disease": "carcinoma",
    "preservation": "FFPE",
}  # fmt: skip


def cells(patient, genes, n=1500):
    """Cells of a square millimetre whose first genes follow x and whose last follow y."""
    rng = np.random.default_rng(ord(patient))
    xy = rng.uniform(0, 1000, (n, 2))
    slope = np.linspace(0, 1, len(genes))[None]
    wave = (1 - slope) * np.sin(xy[:, :1] / 160) + slope * np.cos(xy[:, 1:] / 160)
    counts = rng.poisson(0.8 * np.exp(wave))
    return anndata.AnnData(
        X=csr_matrix(counts, dtype=np.float32),
        obs=pd.DataFrame(
            {"patient": patient, "kind": np.where(xy[:, 0] < 500, "left", "right")},
            index=[f"c{i}" for i in range(n)],
        ),
        var=pd.DataFrame(index=genes),
        obsm={"spatial": xy},
    )


@pytest.fixture(scope="module")
def cohort(make_bench):
    """Patients A and B on a panel with the first 70 genes, C and D on one with the last 70."""
    bench = make_bench("panels")
    (bench.folder / "slides").mkdir()
    panels = {"one": GENES[:70], "two": [*GENES[10:79], "CTGF"]}
    rows = ["slide,patient,panel"]
    for patient in PATIENTS:
        panel = "one" if patient in "AB" else "two"
        cells(patient, panels[panel]).write_h5ad(bench.folder / "slides" / f"{patient}1.h5ad")
        rows.append(f"{patient}1,{patient},{panel}")
    bench.write("samples.csv", "\n".join(rows) + "\n")
    return bench


def dataset(**changes):
    return {"source": "h5ad", "path": "slides/*.h5ad", "samples": "samples.csv", **FACTS, **changes}


QUICK = {
    "claim": "exploratory", "baselines": ["train_mean"], "metrics": ["spearman_gene", "rmse"],
    "imputation": {"hide": None, "observed": {"names": GENES[10:40]}},
    "preprocess": {"filter": {"min_counts": 5, "min_genes": 3}, "genes": {"select": "all"}},
}  # fmt: skip


SCORES = ("-k", "contract or spearman_gene")


def test_under_a_mask_every_slide_is_scored_on_its_own_panel(cohort):
    cohort.task("mask", QUICK, datasets={"sim": None, "lung": dataset(absent_gene="mask")})

    run = cohort.run(
        "mask.stbench.yaml", "--stbench-model=mean", "--stbench-save=mask.json", "-k",
        "contract or spearman_gene or panel_mismatch",
    )  # fmt: skip

    assert run.outcome("spearman_gene[lung-lopo]") == "passed", run.out
    undefined = run.properties("spearman_gene[lung-lopo-A]")["stbench.undefined"]
    assert "gene_missing" in undefined
    lock = json.loads((cohort.folder / "mask.json").read_text())["lock"]
    asked = next(fold["genes"] for fold in lock if fold["fold"] == "A")
    assert set(GENES[:10]) <= set(asked), "measured by the training slide of the same panel"
    assert "CCN2" in asked, "measured by training slides of the other panel, under its current name"
    assert run.outcome("panel_mismatch[lung]") == "passed"


def test_an_intersection_asks_only_for_common_genes(cohort):
    cohort.task("both", QUICK, datasets={"sim": None, "lung": dataset()})
    run = cohort.run("both.stbench.yaml", "--stbench-model=mean", "--stbench-save=both.json", *SCORES)

    lock = json.loads((cohort.folder / "both.json").read_text())["lock"]
    assert set(lock[0]["genes"]) == set(GENES[40:70])
    assert run.outcome("spearman_gene[lung-lopo]") == "passed", run.out


def test_panels_apart_are_data_sets_of_their_own(cohort):
    cohort.task("apart", QUICK, datasets={"sim": None, "lung": dataset(panels="separate")})
    run = cohort.run("apart.stbench.yaml", "--stbench-model=mean", "--stbench-save=apart.json")

    folds = [name for name in run.names if name.startswith("contract[")]
    assert folds == [
        f"contract[lung.{part}]" for part in ("one-lopo-A", "one-lopo-B", "two-lopo-C", "two-lopo-D")
    ]
    saved = json.loads((cohort.folder / "apart.json").read_text())
    genes = {fold["dataset"]: set(fold["genes"]) for fold in saved["lock"]}
    assert genes["lung.one"] == {*GENES[:10], *GENES[40:70]}
    assert genes["lung.two"] == {*GENES[40:79], "CCN2"}


def test_lists_and_data_agree_on_names(cohort):
    cohort.task(
        "names", QUICK, datasets={"sim": None, "lung": dataset(slides=["C1", "D1"])},
        preprocess={"genes": {"select": "list", "names": ["CTGF", *GENES[69:79]], "provenance": "a paper"}},
    )  # fmt: skip
    run = cohort.run("names.stbench.yaml", "--stbench-model=mean", "--stbench-save=names.json")

    saved = json.loads((cohort.folder / "names.json").read_text())
    assert saved["lock"][0]["genes"][0] == "CCN2"
    assert saved["datasets"][0]["genes_renamed"] == {"CTGF": "CCN2"}
    assert run.outcome("contract[lung-lopo-C]") == "passed", run.out
    (check,) = (
        check for check in saved["checks"] if (check["name"], check["dataset"]) == ("gene_ids", "lung")
    )
    assert any("read under the current symbol" in finding["text"] for finding in check["findings"])


SIZES = {"visium": "visium", "tiled": "tiled", "b100": 100}
VIEWS = {"lung": "cell", "lung+visium": "xisium", "lung+tiled": "xisium", "lung+b100": "bin"}


@pytest.fixture(scope="module")
def resolutions(cohort):
    cohort.task(
        "sizes", QUICK,
        datasets={"sim": None, "lung": dataset(slides=["A1", "B1"], keys={"cell_type": "kind"})},
        preprocess={"variants": {name: {"bin": size} for name, size in SIZES.items()}},
    )  # fmt: skip
    return cohort.run("sizes.stbench.yaml", "--stbench-model=mean", "--stbench-save=sizes.json")


def test_a_resolution_is_a_column_of_the_grid(resolutions):
    for view, resolution in VIEWS.items():
        assert resolutions.outcome(f"missing_coords[{view}]") == "passed", resolutions.out
        assert resolutions.outcome(f"spearman_gene[{view}-lopo]") == "passed"
        assert resolutions.properties(f"spearman_gene[{view}-lopo]")["stbench.resolution"] == resolution


def test_each_view_is_open_once(resolutions):
    views = [name.partition("[")[2].partition("-")[0].rstrip("]") for name in resolutions.names]
    runs = [view for i, view in enumerate(views) if view and (i == 0 or views[i - 1] != view)]
    assert set(runs) == set(VIEWS)
    assert len(runs) == len(set(runs)), "the items of one view follow each other"


def test_depth_of_all_resolutions_stands_side_by_side(resolutions, cohort):
    saved = json.loads((cohort.folder / "sizes.json").read_text())
    records = {record["name"]: record for record in saved["datasets"]}

    assert {name: record["resolution"] for name, record in records.items()} == VIEWS
    assert (
        records["lung+b100"]["depth"]["A1"]["libsize_median"]
        > records["lung"]["depth"]["A1"]["libsize_median"]
    )
    maps = [record["libsize_maps"]["A1"] for record in records.values()]
    assert {(m["x_um"], m["y_um"], m["step_um"]) for m in maps} == {(0.0, 0.0, 100.0)}
    assert resolutions.lines("resolutions of lung")
    for view in VIEWS:
        assert resolutions.lines(f"  {view} ")


def units_of(cohort, **changes):
    """Counts and totals of the units of slide A1 that pass the filter, and its genes."""
    config = DatasetSpec(**dataset(slides=["A1", "B1"], **changes))
    roots = [cohort.folder]
    slide = Dataset("lung", config, load_samples(config, "lung", roots), roots).slide("A1")
    kept = (slide.libsize >= 5) & (slide.n_detected >= 3)
    return slide.counts[kept].toarray(), slide.libsize[kept], slide.genes.tolist()


def test_how_genes_follow_depth_is_compared_on_the_same_genes(resolutions, cohort):
    saved = json.loads((cohort.folder / "sizes.json").read_text())
    depth = {record["name"]: record["depth"]["A1"] for record in saved["datasets"]}
    found = {}
    for view, size in (("lung", {}), ("lung+b100", {"bin": {"geometry": "square", "size_um": 100}})):
        counts, total, genes = units_of(cohort, **size)
        often = (counts > 0).mean(axis=0) >= 0.1
        share = counts / total[:, None]
        found[view] = {
            gene: abs(spearmanr(share[:, i], total).statistic) for i, gene in enumerate(genes) if often[i]
        }
        assert depth[view]["follows_depth"] == pytest.approx(np.median(list(found[view].values())), abs=1e-12)
    assert "follows_depth_paired" not in depth["lung"], "it is the first"
    shared = found["lung"].keys() & found["lung+b100"].keys()
    assert depth["lung+b100"]["genes_paired"] == len(shared) > 0
    for field, view in (("follows_depth_paired", "lung+b100"), ("follows_depth_first", "lung")):
        expected = np.median([found[view][gene] for gene in shared])
        assert depth["lung+b100"][field] == pytest.approx(expected, abs=1e-12)
    line = resolutions.lines("  lung+b100 ")[0]
    b100 = next(record for record in saved["datasets"] if record["name"] == "lung+b100")["depth"].values()
    here, there = (
        np.median([slide[field] for slide in b100])
        for field in ("follows_depth_paired", "follows_depth_first")
    )
    assert f"{here:.2f}, was {there:.2f}" in line


def test_all_counts_of_the_cells_are_in_the_bins(resolutions, cohort):
    saved = json.loads((cohort.folder / "sizes.json").read_text())
    maps = {record["name"]: record["libsize_maps"] for record in saved["datasets"]}
    total = np.sum(maps["lung"]["A1"]["counts"])
    assert np.sum(maps["lung+b100"]["A1"]["counts"]) == pytest.approx(total, rel=0.02), "but for the margin"
    share = np.sum(maps["lung+visium"]["A1"]["counts"]) / total
    assert share == pytest.approx(0.274, abs=0.05), "discs cover 27.4 % of the area"
