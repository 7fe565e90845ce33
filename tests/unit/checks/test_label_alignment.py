from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.sparse import csr_matrix

from pytest_stbench.checks import label_alignment
from pytest_stbench.cli import main


@pytest.fixture
def labelled(make_slide, spoil):
    """Return a maker of slides with one label per unit and no structure in expression."""

    def make(values, name="A"):
        side = round(len(values) ** 0.5)
        slide = make_slide(name, side=side)
        return spoil(slide, labels={"niche": np.array(values, dtype=object)})

    return make


@pytest.mark.parametrize(("share", "status"), [(0.96, "pass"), (0.9, "warn"), (0.5, "fail")])
def test_units_without_label(labelled, make_dataset, share, status):
    values = [None if i >= 36 * share else "tumour" for i in range(36)]
    result = label_alignment(make_dataset([labelled(values)]))
    assert result.status == status
    assert result.statistic == pytest.approx(share, abs=0.03)


def test_a_slide_without_any_label_is_not_judged(labelled, make_dataset):
    assert label_alignment(make_dataset([labelled([None] * 36), labelled(["x"] * 36, "B")])).status == "pass"


def test_labels_that_decide_nothing(labelled, make_dataset):
    result = label_alignment(make_dataset([labelled(["undetermined"] * 12 + ["tumour"] * 24)]))
    assert result.status == "warn"
    assert result.statistic == pytest.approx(1 / 3)


def test_a_table_of_labels_without_a_slide(labelled, make_dataset):
    dataset = make_dataset([labelled(["tumour"] * 36)])
    result = label_alignment(dataset, label_slides=("A", "J1"))
    assert result.status == "fail"
    assert result.slides == ("J1",)
    assert "leave_out: [J1]" in result.fix
    assert label_alignment(dataset, label_slides=("A",)).status == "pass"


@pytest.mark.parametrize(("stray", "status"), [(1, "pass"), (4, "warn"), (10, "fail"), (36, "fail")])
def test_rows_of_a_table_that_name_no_unit(labelled, make_dataset, stray, status):
    notes = {"label_rows": {"A": 36, "B": 36}, "label_rows_without_unit": {"A": 0, "B": stray}}
    dataset = make_dataset([labelled(["x"] * 36), labelled([None] * 36, "B")])
    result = label_alignment(dataset, notes=notes)
    assert result.status == status
    assert result.details["rows_matched"] == {"A": 1.0, "B": pytest.approx(1 - stray / 36)}
    if status != "pass":
        assert result.slides == ("B",)
        assert "rows of the label table of slide B" in result.message


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_clean_cohorts_pass(simulated, seed):
    assert label_alignment(simulated(patients=3, seed=seed)[0]).status == "pass"
    cells, _ = simulated(resolution="cell", patients=1, units=800, seed=seed, cell_type="cell_type")
    assert label_alignment(cells).status == "pass"


@pytest.mark.parametrize(
    ("defect", "status"),
    [
        ({"label_alignment": 0.1}, "warn"),
        ({"label_alignment": 0.3}, "fail"),
        ({"label_alignment.shifted": 0.5}, "warn"),
        ({"label_alignment.shifted": 1.0}, "fail"),
    ],
)
def test_injected_defects_are_found(simulated, defect, status):
    assert label_alignment(simulated(patients=3, seed=1, defects=defect)[0]).status == status


def test_labels_of_other_units_fail_whatever_the_order_of_rows(simulated, make_dataset, shuffled):
    slide = next(simulated(patients=1, seed=2, defects={"label_alignment.shifted": 1.0})[0].slides())
    results = [label_alignment(make_dataset([s])) for s in (slide, shuffled(slide))]
    assert results[0].statistic == results[1].statistic


TASK = """\
stbench: 1
name: mine
version: 1
family: niches
claim: exploratory
datasets:
  mine:
    source: h5ad
    path: "slides/*.h5ad"
    technology: Visium
    resolution: spot
    panel: made_up
    labels: {path: "annotation/{slide}.csv", niche: region%s}
"""


@pytest.mark.parametrize(
    ("change", "said", "status", "says"),
    [
        (None, "", "pass", "3 slides with labels"),
        ("orphan", "", "fail", "there are labels for slide J1, and no expression"),
        ("orphan", ", leave_out: [J1]", "pass", ""),
        ("rounded", "", "fail", "of the rows of the label table of slide"),
    ],
)
def test_tables_of_labels_as_a_user_names_them(tmp_path, simulated, change, said, status, says):
    slides = list(simulated(patients=3, seed=3, image=False)[0].slides())
    (tmp_path / "slides").mkdir()
    (tmp_path / "annotation").mkdir()
    for slide in slides:
        names = pd.Index(slide.unit_names.astype(str))
        adata = anndata.AnnData(csr_matrix(slide.counts, dtype=np.float32), obs=pd.DataFrame(index=names))
        adata.var_names = slide.genes.astype(str)
        adata.obs["patient"] = slide.meta.patient_id
        adata.obsm["spatial"] = slide.xy_um
        adata.write_h5ad(tmp_path / f"slides/{slide.meta.slide_id}.h5ad")
        keys = [f"{name}.0" for name in names] if change == "rounded" else names
        table = pd.DataFrame({"barcode": keys, "region": slide.labels["niche"]})
        table.to_csv(tmp_path / f"annotation/{slide.meta.slide_id}.csv", index=False)
    if change == "orphan":
        table.to_csv(tmp_path / "annotation/J1.csv", index=False)
    task = tmp_path / "mine.stbench.yaml"
    task.write_text(TASK % said)
    done = CliRunner().invoke(main, ["check", str(task), "--select", "label_alignment", "--format", "json"])
    (found,) = json.loads(done.stdout)["checks"]
    assert found["status"] == status, found["message"]
    assert says in found["message"]
