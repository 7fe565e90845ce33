"""Defects written into raw h5ad files and tables, read by the package, judged by all checks."""

from __future__ import annotations

import inspect
import json
import shutil
from copy import deepcopy

import anndata
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy import sparse

from pytest_stbench.checks import CHECKS, run_check
from pytest_stbench.cli import main
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.registry import load_target
from pytest_stbench.resources import gene_symbols
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.splits.table import Fold

PATIENTS = "ABCDEF"


def _cohort():
    """Return six sections of six patients as plain arrays: a 15 x 15 lattice of 200 um, 150 genes."""
    rng = np.random.default_rng(11)
    share = rng.dirichlet(np.full(150, 2.0))
    genes = sorted(gene_symbols())[-150:]
    rows, columns = np.divmod(np.arange(225), 15)
    files = {}
    for patient in PATIENTS:
        depth = rng.lognormal(np.log(3000), 0.3, size=225)
        files[f"{patient}1"] = {
            "counts": rng.poisson(depth[:, None] * share).astype(float),
            "genes": genes.copy(),
            "names": [f"{row}x{column}" for row, column in zip(rows, columns, strict=True)],
            "xy": np.column_stack([columns, rows]) * 200.0,
            "patient": patient,
            "preservation": "frozen",
        }
    return files


def _write(file, path):
    adata = anndata.AnnData(sparse.csr_matrix(file["counts"]))
    adata.obs_names = file["names"]
    adata.var_names = file["genes"]
    adata.obsm["spatial"] = file["xy"]
    if "niche" in file:
        adata.obs["niche"] = pd.Series(file["niche"], index=adata.obs_names, dtype=object)
    adata.write_h5ad(path)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """The clean sections, and the folder that they are written to."""
    folder, files = tmp_path_factory.mktemp("clean"), _cohort()
    for slide, file in files.items():
        _write(file, folder / f"{slide}.h5ad")
    return files, folder


def _same(one, two):
    """Whether two sections are one file: who they are of stands in the table of samples."""
    fields = {"counts", "genes", "names", "xy", "niche"}
    return one.keys() & fields == two.keys() & fields and all(
        np.array_equal(one[field], two[field]) for field in one.keys() & fields
    )


def _verdicts(clean, files, folder, folds=None, **config):
    """Return what checks say of the sections; those that no test has changed are copied, not written anew."""
    sections = folder / "sections"
    sections.mkdir()
    for slide, file in files.items():
        path = sections / f"{slide}.h5ad"
        if _same(file, clean[0][slide]):
            shutil.copy(clean[1] / path.name, path)
        else:
            _write(file, path)
    table = [
        {"slide": s} | {k: f[k] for k in ("patient", "preservation", "panel", "resolution") if k in f}
        for s, f in files.items()
    ]
    pd.DataFrame(table).to_csv(folder / "samples.csv", index=False)
    said = {
        "technology": "ST", "resolution": "spot", "panel": "panel150", "organ": "breast", "disease": "IDC",
        "scale": {"um_per_px": 1.0},
    }  # fmt: skip
    spec = DatasetSpec(source="h5ad", path="sections/*.h5ad", samples="samples.csv", **{**said, **config})
    samples = load_samples(spec, "toy", [folder])
    if folds is None:
        slides = [sample.slide for sample in samples]
        folds = [Fold(name=t, train=tuple(s for s in slides if s != t), test=(t,)) for t in slides]
    dataset = Dataset("toy", spec, samples, [folder])
    facts = {
        "dataset": {"dataset": dataset, "claim": "population"},
        "split": {
            "folds": folds, "samples": samples, "grouped": True, "dataset": "toy", "subject": dataset,
            "config": spec, "split": "lopo",
        },
        "task": {
            "trivial": "train_mean",
            "simple": ("coords",),
            "available": {"toy": {"train_mean", "coords"}},
            "wanted": {"evaluated"},
            "genes": {},
            "atlas": lambda: None,
            "metrics": {"pearson_gene": "agreement", "rmse": "error"},
            "families": ("T01",),
            "suite": {"toy": samples},
        },
    }  # fmt: skip
    # Checks of what a task scores need tissue, which these files do not have.
    judged = {r.name: load_target(r.target) for r in CHECKS if r.scope in facts}
    judged = {
        name: f
        for name, f in judged.items()
        if not {"measured", "perfect"} & inspect.signature(f).parameters.keys()
    }
    results = {r.name: run_check(r, judged[r.name], facts[r.scope]) for r in CHECKS if r.name in judged}
    return {name: result.status for name, result in results.items() if result.status != "pass"}


def _negative(files):
    files["A1"]["counts"][0, 0] = -1


def _logged(files):
    files["B1"]["counts"] = np.log1p(files["B1"]["counts"])


def _same_total(files):
    for file in files.values():
        rng = np.random.default_rng(0)
        weights = file["counts"] / file["counts"].sum(axis=1, keepdims=True)
        file["counts"] = np.stack([rng.multinomial(3000, w) for w in weights]).astype(float)


def _copied_spot(files):
    for field in ("counts", "xy"):
        files["C1"][field][7] = files["C1"][field][8]


def _background(files):
    files["D1"]["counts"][:80] = 0
    files["D1"]["counts"][:80, 0] = np.arange(80)


def _some_background(files):
    files["D1"]["counts"][:30] = 0
    files["D1"]["counts"][:30, 0] = np.arange(30)


def _no_places(files):
    files["E1"]["xy"][:] = 0


def _pixels(files):
    for file in files.values():
        file["xy"] /= 0.65


def _lost_place(files):
    files["E1"]["xy"][3, 1] = np.nan


def _no_panel_shared(files):
    files["F1"]["genes"] = sorted(gene_symbols())[-280:-130]  # 20 genes of the others


def _ensembl(files):
    files["A1"]["genes"] = [f"ENSG{i:011d}" for i in range(150)]


def _dates(files):
    for file in files.values():
        file["genes"][0] = "1-Mar"


def _duplicated_gene(files):
    for file in files.values():
        file["genes"][1] = file["genes"][0]


def _three_people(files):
    for patient, file in zip("AABBCC", files.values(), strict=True):
        file["patient"] = patient


def _spelt_twice(files):
    files["A1"]["patient"], files["B1"]["patient"] = "P01", "p-01"


def _nameless(files):
    files["A1"]["patient"] = None


def _blank(files):
    files["A1"]["preservation"] = None


def _section_twice(files):
    for field in ("counts", "xy"):
        files["B1"][field] = files["A1"][field].copy()


def _half_a_section_twice(files):
    files["B1"]["counts"][:120] = files["A1"]["counts"][:120]


def _other_gene_order_and_yield(files):
    rng = np.random.default_rng(5)
    for number, file in enumerate(files.values()):
        file["panel"] = f"v{number % 2}"
        if number % 2:
            factor = rng.permutation(np.geomspace(0.05, 20, 150))
            file["counts"] = rng.poisson(file["counts"] * factor).astype(float)


def _another_panel_in_half(files):
    for number, file in enumerate(files.values()):
        file["panel"] = "new" if number == 5 else "old"


def _cells_in_one(files):
    files["F1"]["resolution"] = "cell"


def _shallow_one(files):
    rng = np.random.default_rng(2)
    files["F1"]["counts"] = rng.binomial(files["F1"]["counts"].astype(int), 0.12).astype(float)


def _half_labelled(files):
    rng = np.random.default_rng(4)
    for file in files.values():
        file["niche"] = np.where(file["xy"][:, 0] > 1400, "tumour", "stroma").astype(object)
        file["counts"][file["xy"][:, 0] > 1400, :40] += rng.poisson(20, size=(105, 40))
    files["A1"]["niche"][:60] = None


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_section_twice, {"slide_leakage": "fail"}),
        (_half_a_section_twice, {"slide_leakage": "fail"}),
        (_other_gene_order_and_yield, {"panel_effect": "warn"}),
        (_another_panel_in_half, {"panel_split": "warn"}),
        (_cells_in_one, {"resolution_mismatch": "fail", "resolution_split": "fail"}),
        (_shallow_one, {"resolution_split": "warn"}),
        (_half_labelled, {"label_alignment": "fail"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_defect_of_sections_panels_and_labels_is_seen(tmp_path, clean, spoil, expected):
    files = deepcopy(clean[0])
    spoil(files)
    keys = {"keys": {"niche": "niche"}} if "niche" in files["A1"] else {}
    verdicts = _verdicts(clean, files, tmp_path, **keys)
    assert {name: verdicts.get(name) for name in expected} == expected


def test_a_task_that_leaves_its_baselines_out(tmp_path):
    task = tmp_path / "bare.stbench.yaml"
    task.write_text(
        "stbench: 1\nname: bare\nversion: 1\nfamily: expression\n"
        "datasets: {toy: {source: simulated, params: {patients: 6, units: 60, image: false}}}\n"
    )
    out = tmp_path / "found.json"
    done = CliRunner().invoke(
        main, ["check", str(task), "--select", "baseline_missing", "--format", "json", "--output", str(out)]
    )
    assert done.exit_code == 0, done.output
    (found,) = json.loads(out.read_text())["checks"]
    assert (found["name"], found["status"]) == ("baseline_missing", "warn")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (None, {}),
        (_negative, {"nonfinite_negative": "fail"}),
        (_logged, {"normalised_not_counts": "fail", "batch_corrected_eval": "warn"}),
        (_same_total, {"normalised_not_counts": "fail"}),
        (_copied_spot, {"duplicate_units": "fail"}),
        (_some_background, {"empty_units": "warn"}),
        (_background, {"empty_units": "fail"}),
        (_no_places, {"missing_coords": "fail", "duplicate_units": "fail"}),
        (_pixels, {"missing_coords": "fail"}),
        (_lost_place, {"missing_coords": "fail", "nonfinite_negative": "fail"}),
        (_no_panel_shared, {"panel_mismatch": "fail"}),
        (_dates, {"gene_ids": "fail"}),
        (_duplicated_gene, {"gene_ids": "warn"}),
        (_three_people, {"too_few_patients": "fail", "patient_leakage": "fail"}),
        (_spelt_twice, {"too_few_patients": "warn", "patient_leakage": "fail"}),
        (_nameless, {"metadata_missing": "fail", "patient_leakage": "fail", "too_few_patients": "warn"}),
        (_blank, {"metadata_missing": "warn"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_defect_fires_its_own_checks_and_no_other(tmp_path, clean, spoil, expected):
    files = deepcopy(clean[0])
    if spoil:
        spoil(files)
    verdicts = _verdicts(clean, files, tmp_path)
    if spoil is _logged:  # log values are shallow as well
        verdicts = {k: v for k, v in verdicts.items() if k not in ("empty_units", "resolution_split")}
    assert verdicts == expected


def test_one_slide_with_ensembl_ids_shares_no_gene(tmp_path, clean):
    files = deepcopy(clean[0])
    _ensembl(files)
    verdicts = _verdicts(clean, files, tmp_path)
    assert verdicts["gene_ids"] == "fail"
    assert verdicts["panel_mismatch"] == "fail"


def test_a_random_split_of_spots(tmp_path, clean):
    slides = tuple(f"{patient}1" for patient in PATIENTS)
    verdicts = _verdicts(clean, clean[0], tmp_path, folds=[Fold(name="test", train=slides, test=slides)])
    assert verdicts == {"patient_leakage": "fail", "split_within_slide": "fail"}


def test_blocks_with_a_gap_within_each_slide(tmp_path, clean):
    params = {"gap_um": 200.0, "block_um": 500.0}
    folds = [
        Fold(name=f"{p}1", train=(f"{p}1",), test=(f"{p}1",), within=True, params=params) for p in PATIENTS
    ]
    assert _verdicts(clean, clean[0], tmp_path, folds=folds) == {}


def test_a_blank_technology(tmp_path, clean):
    verdicts = _verdicts(clean, clean[0], tmp_path, technology=None)
    assert verdicts == {"metadata_missing": "fail", "missing_coords": "skip"}
