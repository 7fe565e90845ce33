"""What one process puts down: every single score with its reason, once, and no half of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_stbench.metrics.aggregate import mean_value, slide_value
from pytest_stbench.metrics.scores import Scores
from pytest_stbench.results import read_scores
from pytest_stbench.results.single_scores import write_scores
from pytest_stbench.run.cells import Cell
from pytest_stbench.run.details.writer import Keeper
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.scores.ceilings import Ceiling
from pytest_stbench.run.scores.scoring import Detail
from pytest_stbench.splits.table import Fold

METRICS = builtin_registry().metrics
CELL = Cell(
    dataset="d", variant="", view="d", split="lopo", fold=Fold(name="A", train=("b1",), test=("a1",)), seed=4
)
OF = {"a1": "A", "a2": "A"}
ME = ("model", "mine")


def scores(**values):
    found = np.array([value if isinstance(value, float) else np.nan for value in values.values()])
    reasons = np.array([value if isinstance(value, str) else "" for value in values.values()])
    return Scores(values=found, reasons=reasons, labels=np.array(list(values)))


def detail(*repeats, metric="spearman_gene", slide="a1"):
    record = METRICS[metric]
    value = mean_value([slide_value(one, record) for one in repeats])
    return Detail(metric=record, slide=slide, repeats=repeats, value=value)


@pytest.fixture
def kept(tmp_path):
    def read(*details, who=ME, cell=CELL):
        keeper = Keeper(tmp_path / "parts")
        keeper.scores("t", cell, who, details, OF)
        assert keeper.problem == ""
        write_scores(tmp_path / "scores.parquet", (tmp_path / "parts").rglob("*.arrow"))
        return read_scores(tmp_path / "scores.parquet")

    return read


def test_genes_are_as_they_were_scored_and_the_slide_as_it_counts(kept):
    rows = kept(detail(scores(G1=0.4, G2="gt_constant", G3="pred_constant")))
    genes, (slide,) = rows[rows.level == "gene"], rows[rows.level == "slide"].itertuples()
    assert genes.name.tolist() == ["G1", "G2", "G3"]
    assert np.array_equal(genes.value, [0.4, np.nan, np.nan], equal_nan=True)
    assert genes.reason.tolist() == ["", "gt_constant", "pred_constant"]
    assert (slide.value, slide.reason, slide.patient) == (
        0.2,
        "",
        "A",
    )  # the model's own constant counts as 0


def test_a_slide_without_a_value_says_all_reasons(kept):
    rows = kept(
        detail(scores(G1="gt_constant", G2="gene_missing")),
        detail(scores(), metric="rmse"),
        detail(metric="mae"),
    )
    slides = rows[rows.level == "slide"].set_index("metric").reason
    assert slides.to_dict() == {
        "spearman_gene": "gene_missing, gt_constant", "rmse": "nothing_to_score", "mae": "nothing_to_score",
    }  # fmt: skip
    assert rows[rows.level == "patient"].set_index("metric").reason.to_dict() == slides.to_dict()


def test_of_repeats_the_mean_of_those_that_have_a_value(kept):
    rows = kept(
        detail(scores(G2=0.2, G1=0.4), scores(G1="gt_constant", G2=0.4), scores(G3="gt_constant", G1=0.8))
    )
    genes = rows[rows.level == "gene"].set_index("name")
    assert genes.value.to_dict() == pytest.approx({"G1": 0.6, "G2": 0.3, "G3": np.nan}, nan_ok=True)
    assert genes.reason.to_dict() == {"G1": "", "G2": "", "G3": "gt_constant"}


def test_the_level_is_what_a_score_belongs_to(kept):
    rows = kept(
        detail(scores(u1=0.1, u2=0.3), metric="pearson_spot"),
        detail(scores(slide=0.5), metric="coexpression_ssim"),
    )
    assert rows.groupby("metric", observed=True)["level"].agg(set).to_dict() == {
        "pearson_spot": {"patient", "slide", "unit"}, "coexpression_ssim": {"patient", "slide"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("who", "seed"), [(ME, 4), (("control", "shuffled(mine)"), 4), (("baseline", "ridge"), None)]
)
def test_the_seed_stands_where_it_concerns_the_scores(kept, who, seed):
    rows = kept(detail(scores(G1=0.4)), who=who, cell=replace(CELL, seed_in_id=True))
    own = rows[rows.fold == "A"]
    assert (own.seed.tolist() == [seed] * 2) if seed else own.seed.isna().all()
    assert set(zip(own.role, own.model, strict=True)) == {who}


def test_ceilings_stand_beside(tmp_path):
    keeper = Keeper(tmp_path / "parts")
    found = {
        "rmse": {"a1": Ceiling(0.2, 0.01), "a2": Ceiling(0.4, 0.01)},
        "mae": {"a1": Ceiling(np.nan, np.nan)},
    }
    keeper.ceilings("t", CELL, found, OF)
    write_scores(tmp_path / "scores.parquet", (tmp_path / "parts").rglob("*.arrow"))
    rows = read_scores(tmp_path / "scores.parquet").set_index(["level", "metric", "slide"])
    assert set(rows.role) == set(rows.model) == {"ceiling"}
    assert rows.value["patient", "rmse", ""] == pytest.approx(0.3)
    assert rows.reason["slide", "mae", "a1"] == rows.reason["patient", "mae", ""] == "no_ceiling"


def test_a_cell_scored_twice_is_put_down_once(tmp_path):
    for _ in range(2):
        keeper = Keeper(tmp_path)
        keeper.scores("t", CELL, ME, [detail(scores(G1=0.4))], OF)
    assert len(list(tmp_path.rglob("*.*"))) == 1


def test_a_full_disk_ends_the_keeping_in_one_sentence(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    keeper = Keeper(tmp_path / "parts")
    monkeypatch.setattr("pytest_stbench.run.details.writer.write_part", full)
    keeper.scores("t", CELL, ME, [detail(scores(G1=0.4))], OF)
    monkeypatch.undo()
    keeper.ceilings("t", CELL, {}, OF)
    assert keeper.problem == (
        f"single scores and maps are not kept, {tmp_path} cannot be written to (No space left on device): "
        "free space, or save to another folder"
    )
    assert list(tmp_path.iterdir()) == []


def listed(metric, **reasons):
    """Scores of niches that compare lists; G1 is a hit, G2 missed, G3 named wrongly."""
    made = scores(**{niche: reason or 1 / 3 for niche, reason in reasons.items()})
    lists = [(np.array(["G1", "G2"]), np.array(["G3", "G1"]))] * len(reasons)
    return detail(replace(made, members=lists), metric=metric)


def test_lists_of_markers_stand_with_the_places_of_their_genes(kept):
    rows = kept(listed("niche_overlap", A=""), listed("niche_jaccard", B="", C="empty_niche", D="empty_pred"))
    rows = rows[rows.level == "marker"]
    assert list(dict.fromkeys(rows.niche)) == [
        "B",
        "D",
    ]  # of the Jaccard index, where data have any
    found = rows[rows.niche == "B"]
    assert [*zip(found.metric, found.name, found.value, strict=True)] == [
        ("true_markers", "G1", 1), ("true_markers", "G2", 2),
        ("predicted_markers", "G3", 1), ("predicted_markers", "G1", 2),
    ]  # fmt: skip
