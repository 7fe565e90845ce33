"""Data and task files as they come: every defect is named, none ends in a traceback of ours."""

from __future__ import annotations

import re

import anndata
import numpy as np
import pandas as pd
import pytest

from pytest_stbench.data.simulate.source import open_source
from pytest_stbench.spec.model import DatasetSpec

PATIENTS = 4
SLIDES = [f"P0{n}S1" for n in range(1, PATIENTS + 1)]
PX_PER_UM = 0.25


@pytest.fixture(scope="module")
def slides():
    """Slides of a simulated cohort as AnnData, in micrometres."""
    config = DatasetSpec(
        source="simulated", params={"patients": PATIENTS, "units": 60, "genes": 80, "image": False}
    )
    source = open_source(config, (), ())
    found = {}
    for name in SLIDES:
        raw = source.read(name)
        found[name] = anndata.AnnData(
            X=raw.counts.astype(np.float32),
            obs=pd.DataFrame({"patient": name[:3]}, index=raw.unit_names.astype(object)),
            var=pd.DataFrame(index=raw.genes.astype(object)),
            obsm={"spatial": raw.xy_um},
        )
    return found


def nan_counts(adata):
    adata.X.data[3] = np.nan


def negative_counts(adata):
    adata.X.data[3] = -1


def log_values(adata):
    adata.X.data = np.log1p(adata.X.data)


def pixels(adata):
    adata.obsm["spatial"] = adata.obsm["spatial"] * PX_PER_UM


def same_names(adata):
    names = adata.obs_names.to_numpy().copy()
    names[1] = names[0]
    adata.obs_names = names


def no_coordinates(adata):
    adata.obsm["spatial"][5] = np.nan


DEFECTS = {
    "fine": None,
    "nan_counts": nan_counts,
    "negative_counts": negative_counts,
    "log_values": log_values,
    "pixels": pixels,
    "same_names": same_names,
    "no_coordinates": no_coordinates,
    "no_key": lambda adata: adata.obsm.clear(),
}
DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "no_h5ad": lambda path: path.write_text("slide,patient\n"),
    "no_bytes": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
}
FACTS = {
    "technology": "Visium", "resolution": "spot", "panel": "p", "organ": "breast", "disease": "carcinoma",
    "preservation": "FFPE", "pitch_um": 100.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def cohort(make_bench, slides):
    """One data set per defect; only its second slide has it."""
    bench = make_bench("bad")

    def write(name, change=None, damage=None):
        folder = bench.folder / name
        folder.mkdir()
        for number, (slide, adata) in enumerate(slides.items()):
            path = folder / f"{slide}.h5ad"
            changed = adata.copy()
            if number == 1 and change is not None:
                change(changed)
            changed.write_h5ad(path)
            if number == 1 and damage is not None:
                damage(path)

    for name, change in DEFECTS.items():
        write(name, change)
    for name, damage in DAMAGES.items():
        write(name, damage=damage)
    write("empty", lambda adata: adata._inplace_subset_obs(np.zeros(adata.n_obs, bool)))
    rows = ["slide,patient", *(f"{slide},{slide[:3]}" for slide in SLIDES)]
    bench.write("samples.csv", "\n".join(rows) + "\n")
    return bench


def dataset(name):
    return {"source": "h5ad", "path": f"{name}/*.h5ad", "samples": "samples.csv", **FACTS}


@pytest.fixture(scope="module")
def run(cohort):
    names = (*DEFECTS, *DAMAGES, "empty")
    cohort.task(
        "mini", datasets={"sim": None, **{name: dataset(name) for name in names}}, claim="exploratory",
        splits=[{"pgkf": {"k": 2}}], baselines=["train_mean"], metrics=["spearman_gene"],
    )  # fmt: skip
    return cohort.run("--stbench-model=mean")


def test_what_is_fine_is_scored(run):
    assert run.outcome("spearman_gene[fine-pgkf]") == "passed", run.out
    assert not [name for name in run.of("failed") if "[fine" in name]


def test_what_judges_by_places_is_not_asked_where_they_are_wrong(run):
    """One fault, one finding."""
    for check in ("no_spatial_signal", "ubiquitous_low_variability", "library_size_confounding"):
        assert run.outcome(f"{check}[pixels]") == "skipped"
        assert "missing_coords fails" in run.message(f"{check}[pixels]")
        assert run.outcome(f"{check}[fine]") == "passed"
    # a unit without coordinates leaves the others to judge
    assert run.outcome("no_spatial_signal[no_coordinates]") != "skipped" or (
        "missing_coords fails" not in run.message("no_spatial_signal[no_coordinates]")
    )


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("nan_counts", "nonfinite_negative"),
        ("negative_counts", "nonfinite_negative"),
        ("log_values", "normalised_not_counts"),
        ("pixels", "missing_coords"),
        ("same_names", "duplicate_units"),
        ("no_coordinates", "missing_coords"),
    ],
)
def test_defects_fail_their_check_and_hold_back_the_scores(run, name, check):
    assert run.outcome(f"{check}[{name}]") == "failed"
    assert "P02S1" in run.message(f"{check}[{name}]")
    for item in (f"contract[{name}-pgkf-1]", f"spearman_gene[{name}-pgkf]"):
        assert run.outcome(item) == "blocked"
    assert run.lines(f"FAIL  {check}[{name}]")


@pytest.mark.parametrize("name", [*DAMAGES, "no_key", "empty"])
def test_unreadable_slides_block_by_one_cause_that_names_the_file(run, name):
    items = [item for item in run.names if re.search(rf"\[{name}[-\]]", item)]
    scores = [item for item in items if re.match("contract|spearman_gene", item)]
    for item in scores:
        assert run.outcome(item) in ("blocked", "skipped"), run.message(item)
        assert "P02S1" in run.message(item)
    for item in items:
        assert "Traceback" not in run.message(item)
        assert "pytest_stbench/" not in run.message(item), item
        assert run.outcome(item) in ("passed", "failed", "blocked", "skipped")


def test_no_traceback_and_no_warning_of_numpy(run):
    assert "Traceback" not in run.out
    assert not run.lines("pytest_stbench/")
    assert not [text for text in run.warnings if "invalid value" in text or "Mean of empty" in text]


@pytest.mark.parametrize("name", ["truncated", "no_h5ad"])
def test_without_a_samples_table_collection_names_the_file(cohort, name):
    told = {key: value for key, value in dataset(name).items() if key != "samples"}
    cohort.task("bare", datasets={"sim": None, "data": told})
    run = cohort.run("bare.stbench.yaml")
    assert run.code == 2
    assert "P02S1.h5ad" in run.collect_errors[0]
    assert "Traceback" not in run.out


def test_ten_mistakes_are_told_at_once_with_their_lines(bench):
    text = """\
stbench: 1
name: ten mistakes
version: 0
family: imputation
datasets:
  sim: {source: simulated, params: {patients: 6}, resolution: spots}
splits: [{pgkf: {folds: 3}}]
preprocess: {normalise: log2, genes: {select: svg, n: 0}}
metrics: [spearmn_gene]
baselines: [ridgee]
checks: {panel_mismatch: {min_gene: 3}}
gates: {rmse: {minimum: 0.1}}
xfail: [rmse]
timeout: -1
"""
    bench.write("mini.stbench.yaml", text)
    run = bench.run()
    assert run.code == 2
    (message,) = run.collect_errors
    told = {int(line) for line in re.findall(r"mini\.stbench\.yaml:(\d+): ", message)}
    assert told >= {2, 3, 6, 7, 8, 9, 10, 11, 12, 14}, message
    assert "did you mean 'spearman_gene'" in message
    assert "did you mean 'spot'" in message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("name: a\nname: b\n", "name"),
        ("name: [a\n", ":"),
        ("- a\n", "mapping"),
        ("name: !!python/object/apply:os.system ['true']\n", "mini.stbench.yaml:1"),
        ("extends: nowhere.stbench-inc.yaml\n", "nowhere.stbench-inc.yaml"),
    ],
    ids=["empty", "twice", "open", "list", "code", "extends"],
)
def test_what_is_no_task_file(bench, text, told):
    bench.write("mini.stbench.yaml", text)
    run = bench.run()
    assert run.code == 2
    assert "mini.stbench.yaml" in run.collect_errors[0]
    assert told in run.collect_errors[0]
    assert "Traceback" not in run.out


def test_file_that_is_not_text(bench):
    (bench.folder / "mini.stbench.yaml").write_bytes(b"name: \xff\xfe\x00")
    run = bench.run()
    assert run.code == 2
    assert "Traceback" not in run.out


def test_slides_too_small_for_blocks_hold_back_their_scores(make_bench):
    bench = make_bench("small")
    bench.task("mini", splits=[{"within": {"block_um": 5000.0}}], claim="exploratory")
    run = bench.run("--stbench-model=mean")
    assert not run.of("error"), run.out
    assert [name for name in run.of("blocked") if name.startswith("contract[")]
    assert run.lines("a block split needs two or more")
