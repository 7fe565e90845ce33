"""Which slides and genes are put down as maps, and why."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_stbench.calls.failures import CellFailed
from pytest_stbench.data.slide import SlideMeta
from pytest_stbench.families.labels import LabelTruth
from pytest_stbench.families.niches.ask import ClusterTruth
from pytest_stbench.families.predicted_expression import ExpressionTruth, Surroundings
from pytest_stbench.metrics.aggregate import slide_value
from pytest_stbench.metrics.scores import Scores
from pytest_stbench.results.map_parts import joined, parts_by_slide
from pytest_stbench.run.cells import Cell, Pool
from pytest_stbench.run.details import map_writer
from pytest_stbench.run.details.map_writer import MapKeeper
from pytest_stbench.run.details.writer import Keeper, TaskKeeper
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.scores.scoring import Detail
from pytest_stbench.splits.table import Fold

from .conftest import poisson_slide

REGISTRY = builtin_registry()
GENES = np.array([f"G{i:03d}" for i in range(100)])
ME = SimpleNamespace(label="mine")
CONFIG = SimpleNamespace(organ="breast", technology="Visium", resolution="spot")


def cell(fold, *test, variant="", seed=1):
    return Cell(
        dataset="d", variant=variant, view="d", split="lopo", fold=Fold(name=fold, train=("x",), test=test),
        seed=seed, seed_in_id=True,
    )  # fmt: skip


def truth_of(slide, names=GENES, places=None):
    rng = np.random.default_rng(len(slide.meta.slide_id))
    n, g = slide.n_units, len(names)
    return ExpressionTruth(
        values=rng.normal(size=(n, g)), counts=slide.counts, measured=np.ones(g, bool), genes=names,
        units=slide.unit_names, libsize=slide.libsize, train_mean=np.zeros(g),
        places={"evaluated": np.arange(g) if places is None else places}, surroundings=Surroundings(slide),
    )  # fmt: skip


class Run:
    """What a task run has to give: slides, predictions, the simple baseline."""

    def __init__(self, cells, primary="spearman_gene", places=None):
        self.registry = REGISTRY
        self.family = REGISTRY.families["expression"]
        self.spec = SimpleNamespace(name="t", version=3, primary=primary)
        pool = Pool(dataset="d", variant="", view="d", split="lopo", cells=tuple(cells))
        self.grid = SimpleNamespace(pools=(pool,))
        names = {name for one in cells for name in one.fold.test}
        self.slides = {name: self.slide(name) for name in names}
        self.truths = {name: truth_of(slide, places=places) for name, slide in self.slides.items()}

    def slide(self, name):
        made = poisson_slide(name, 3, n=30)
        return replace(
            made,
            meta=SlideMeta(slide_id=name, patient_id=f"P {name}"),
            labels={"niche": np.array(["a", None] * 15, dtype=object)},
        )

    def fold(self, cell):
        return SimpleNamespace(test=tuple(self.slides[name] for name in cell.fold.test))

    def ladder(self, dataset):
        return SimpleNamespace(simple=SimpleNamespace(name="simple"))

    def prediction(self, contestant, cell):
        return SimpleNamespace(values={n: np.full((30, 100), 1.0, np.float32) for n in cell.fold.test})

    def run_baseline(self, record, cell):
        return SimpleNamespace(values={n: np.full((30, 100), 2.0, np.float32) for n in cell.fold.test})


def kept(tmp_path, run, cells=None, values=None, everything=False, metric="spearman_gene"):
    keeper = MapKeeper(tmp_path, run, everything=everything)
    for one in cells if cells is not None else run.grid.pools[0].cells:
        if values is not None:
            scores = Scores(
                values=values, reasons=np.where(np.isnan(values), "gt_constant", ""), labels=GENES
            )
            record = REGISTRY.metrics[metric]
            detail = Detail(
                metric=record, slide=one.fold.test[0], repeats=[scores], value=slide_value(scores, record)
            )
            keeper.note(one, "mine", [detail])
        keeper.keep(ME, one, {name: run.truths[name] for name in one.fold.test})
    return {key[2]: part for key, (part,) in parts_by_slide(tmp_path)}


@pytest.fixture(autouse=True)
def _small_task(monkeypatch):
    monkeypatch.setattr(map_writer, "primary_of", lambda spec, family: spec.primary)
    monkeypatch.setattr(map_writer, "dataset_of", lambda spec, name, variant: CONFIG)


def test_truth_model_and_simple_baseline(tmp_path):
    run = Run([cell("A", "s1")])
    part = kept(tmp_path, run)["s1"]
    truth = run.truths["s1"]
    assert np.array_equal(part.truth, truth.values.astype(np.float32))
    assert {name: float(values.mean()) for name, values in part.layers.items()} == {
        "mine": 1.0,
        "simple": 2.0,
    }
    assert np.array_equal(part.units, truth.units)
    assert np.array_equal(part.xy_um, run.slides["s1"].xy_um)
    assert part.labels["niche"].tolist() == ["a", ""] * 15
    assert part.about == {
        "task": "t", "task_version": 3, "dataset": "d", "slide": "s1", "patient": "P s1", "organ": "breast",
        "technology": "Visium", "resolution": "spot", "headline": "spearman_gene", "split": "lopo",
        "fold": "A",
    }  # fmt: skip
    assert (part.left_out, set(part.why)) == ((), {"of the headline"})


def test_a_slide_is_kept_where_it_is_first_a_test_slide(tmp_path):
    cells = [cell("A", "s1"), cell("A", "s1", seed=2), cell("B", "s2"), cell("C", "s1")]
    found = kept(tmp_path, Run(cells), [*reversed(cells), cell("A", "s1", variant="raw")])
    assert {slide: part.about["fold"] for slide, part in found.items()} == {"s1": "A", "s2": "B"}


@pytest.mark.parametrize(("metric", "sign"), [("spearman_gene", 1), ("rmse", -1)])
def test_best_and_worst_of_what_is_too_large(tmp_path, monkeypatch, metric, sign):
    monkeypatch.setattr(map_writer, "BUDGET", 30 * 100 * 4 * 4 - 1)
    values = sign * np.arange(100.0)
    values[50:60] = np.nan
    part = kept(tmp_path, Run([cell("A", "s1")], metric), values=values, metric=metric)["s1"]
    assert part.genes.tolist() == [*GENES[:20], *GENES[80:]]
    assert (
        part.why.tolist()
        == [f"among the 20 worst by {metric} of mine"] * 20 + [f"among the 20 best by {metric} of mine"] * 20
    )
    assert part.left_out == (
        "60 of 100 genes of the headline: with them the maps of this task would take more than 0 MB",
    )
    assert part.truth.shape == part.layers["mine"].shape == (30, 40)


def test_the_share_of_a_slide_is_that_of_all_test_slides(tmp_path, monkeypatch):
    monkeypatch.setattr(map_writer, "BUDGET", 2 * 30 * 100 * 4 * 4)
    two = [cell("A", "s1"), cell("B", "s2")]
    assert {len(part.genes) for part in kept(tmp_path / "2", Run(two)).values()} == {100}
    three = [*two, cell("C", "s3")]
    assert {len(part.genes) for part in kept(tmp_path / "3", Run(three)).values()} == {40}


def test_every_gene_that_was_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(map_writer, "BUDGET", 1)
    run = Run([cell("A", "s1")], places=np.arange(10))
    assert len(kept(tmp_path / "few", run)["s1"].genes) == 10
    part = kept(tmp_path / "all", run, everything=True)["s1"]
    assert (part.genes.tolist(), part.left_out, set(part.why)) == (GENES.tolist(), (), {"asked"})


def test_genes_of_the_headline_are_told_from_all_genes(tmp_path):
    run = Run([cell("A", "s1")], places=np.array([40, 7, 12]))
    part = kept(tmp_path / "few", run)["s1"]
    every = replace(kept(tmp_path / "all", run, everything=True)["s1"], layers={})
    found = joined([part, every])
    assert part.genes.tolist() == GENES[[40, 7, 12]].tolist()
    assert found.genes.tolist() == GENES.tolist()
    assert np.array_equal(found.truth, run.truths["s1"].values.astype(np.float32))
    assert np.flatnonzero(~np.isnan(found.layers["mine"]).any(axis=0)).tolist() == [7, 12, 40]


def test_answers_that_are_no_matrix_say_so(tmp_path):
    run = Run([cell("A", "s1")])
    run.truths["s1"] = SimpleNamespace(arms=lambda record, predicted: ())
    part = kept(tmp_path, run)["s1"]
    assert not len(part.genes)
    why = "predictions of the family expression are no matrix of units and genes or classes"
    assert part.left_out == (why,)


def test_classes_are_columns(tmp_path):
    """True classes as 1 and 0, probabilities beside them; a unit without a class is not known."""
    run = Run([cell("A", "s1")], primary="macro_f1")
    slide = run.slides["s1"]
    about = {"key": "s1", "not_covered": {}, "surroundings": Surroundings(slide)}
    run.truths["s1"] = LabelTruth(labels=slide.labels["niche"], classes=("a", "b"), **about)
    shares = np.tile(np.float32([0.75, 0.25]), (30, 1))
    run.prediction = lambda contestant, cell: SimpleNamespace(values={"s1": shares})
    run.run_baseline = lambda record, cell: SimpleNamespace(values={"s1": shares[:, ::-1]})
    part = kept(tmp_path, run)["s1"]
    assert part.genes.tolist() == ["a", "b"]
    assert part.units.tolist() == slide.unit_names.tolist()
    assert part.truth[::2].tolist() == [[1, 0]] * 15
    assert np.isnan(part.truth[1::2]).all()
    assert np.array_equal(part.layers["mine"], shares)
    assert np.array_equal(part.layers["simple"], shares[:, ::-1])
    assert part.left_out == ()


def test_clusters_are_no_classes(tmp_path):
    run = Run([cell("A", "s1")], primary="macro_f1")
    slide = run.slides["s1"]
    about = {"key": "s1", "not_covered": {}, "surroundings": Surroundings(slide), "method": "kmeans"}
    run.truths["s1"] = ClusterTruth(labels=slide.labels["niche"], classes=("a", "b"), **about)
    values = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    run.prediction = lambda contestant, cell: SimpleNamespace(values={"s1": values})
    run.run_baseline = run.prediction
    assert not len(kept(tmp_path, run)["s1"].genes)


def test_without_the_simple_baseline_the_model_is_kept(tmp_path):
    run = Run([cell("A", "s1")])

    def fails(record, cell):
        raise CellFailed("no")

    run.run_baseline = fails
    assert list(kept(tmp_path, run)["s1"].layers) == ["mine"]


def test_a_model_that_fails_its_contract_is_listed_for_every_slide(tmp_path):
    run = Run([cell("A", "s1", "s2"), cell("B", "s3", variant="raw")])
    run.grid.patients = {}
    for level in ("scores", "maps"):
        keeper = TaskKeeper(Keeper(tmp_path / level, level), run)
        for one in run.grid.pools[0].cells:
            keeper.unanswered(ME, one, "predict returned nan")
        found = {key: part.left_out for key, (part,) in parts_by_slide(tmp_path / level)}
        assert found == {
            ("t", "d", name): ("what mine predicts: predict returned nan",) for name in ("s1", "s2")
        }
