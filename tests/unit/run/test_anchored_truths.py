"""What derived families are scored against on one fold, and the statistic of the training patients."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.baselines.libsize import Libsize
from pytest_stbench.calls.computing import Prediction
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.errors import DataMissing
from pytest_stbench.families import cohort
from pytest_stbench.families.anchors import ExpressionAnchors
from pytest_stbench.families.cohort import CohortStatistics, TrainStatistic
from pytest_stbench.families.thinning import thinned_pairs
from pytest_stbench.metrics import coexpression_ssim, niche_jaccard, partial_coexpression_ssim
from pytest_stbench.metrics.coexpression_arms import GeneCorrelations, gene_correlations
from pytest_stbench.metrics.niche_reference import niche_markers
from pytest_stbench.metrics.pair_arms import lr_thresholds
from pytest_stbench.registry import load_target
from pytest_stbench.run.cells import Cell
from pytest_stbench.run.folding import Folding
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.open_dataset import OpenDataset
from pytest_stbench.run.scores import ceilings
from pytest_stbench.run.scores.scoring import Scorer
from pytest_stbench.spec.model import MetricSpec
from pytest_stbench.splits.table import Fold
from pytest_stbench.store.store import Store

REGISTRY = builtin_registry()
PAIRS = [("CCL19", "CCR7"), ("CXCL12", "CXCR4"), ("CXCL13", "CXCR5")]
GENES = np.array(sorted({gene for pair in PAIRS for gene in pair} | {f"X{i:02}" for i in range(42)}))


def slide_of(name, seed, n=100):
    """Counts that follow three niches, with the niche of each unit; the last ten units have none."""
    rng = np.random.default_rng(seed)
    side = int(np.sqrt(n))
    niche = np.arange(n) * 3 // n
    shape = np.random.default_rng(7).normal(size=(3, len(GENES)))
    depth = rng.lognormal(0, 0.4, n)
    counts = rng.poisson(
        depth[:, None] * np.exp(1.2 + 0.8 * shape[niche] + 0.2 * rng.normal(size=len(GENES)))
    )
    labels = np.array(["fat", "stroma", "tumour"], object)[niche]
    labels[-10:] = None
    return Slide(
        meta=SlideMeta(slide_id=name, patient_id=name[0], resolution="spot", pitch_um=100.0),
        unit_names=np.array([f"{name}_{i}" for i in range(n)]),
        genes=GENES,
        measured=np.ones(len(GENES), bool),
        counts=csr_matrix(counts),
        libsize=counts.sum(axis=1).astype(np.float64),
        n_detected=(counts > 0).sum(axis=1).astype(np.int64),
        xy_um=np.column_stack([np.arange(n) % side, np.arange(n) // side]) * 100.0,
        labels={"niche": labels},
    )


SLIDES = [slide_of(name, seed) for seed, name in enumerate(("A1", "A2", "B1", "C1"))]
CELL = Cell(
    dataset="sim", variant="", view="sim", split="lopo", seed=0,
    fold=Fold(name="C", train=("A1", "A2", "B1"), test=("C1",)),
)  # fmt: skip


@pytest.fixture
def fold_of(tmp_path, make_task, make_dataset):
    def make(family, roots=(), **changes):
        task = make_task(
            family=family,
            metrics=[*REGISTRY.families[family].metrics],
            preprocess={
                "filter": {"min_counts": 0, "min_genes": 0},
                "genes": {"select": "all", "min_detection": 0.0},
            },
            **{"imputation": None, **changes},
        )
        sets = frozenset(REGISTRY.metrics[m].genes for m in REGISTRY.families[family].metrics)
        folding = Folding(task.spec, REGISTRY.families[family], OpenDataset(Store(tmp_path)), sets)
        return folding.fold(CELL, make_dataset(SLIDES), roots)

    return make


def anchored(fold, tmp_path, *metrics, **params):
    scorer = Scorer([MetricSpec(name=name, params=params) for name in metrics], REGISTRY.metrics)
    truths = {"C1": fold.truth(fold.test[0])}
    store = Store(tmp_path / "store", run_id="r")
    return ceilings.anchored(scorer, store, fold, truths, {"fold": "C"})["C1"]


def columns(truth, values, name):
    return values[:, truth.places[REGISTRY.metrics[name].genes]]


@pytest.mark.parametrize("partial", [False, True], ids=["plain", "partial"])
def test_similarity_lies_between_the_best_reference_and_two_halves(fold_of, tmp_path, partial):
    fold = fold_of("coexpression")
    name = "partial_coexpression_ssim_normalised" if partial else "coexpression_ssim_normalised"
    truth = anchored(fold, tmp_path, name)
    found = truth.anchors[name]

    def ssim(target, prediction, libsize):
        target = columns(truth, target, name)
        genes = truth.genes[truth.places["coexpressed"]]
        if partial:
            return partial_coexpression_ssim(target, prediction, genes=genes, libsize=libsize).values[0]
        return coexpression_ssim(target, prediction, genes=genes).values[0]

    halves = [
        ssim(target.values, columns(truth, guess, name), target.libsize)
        for target, guess in islice(thinned_pairs(fold, fold.test[0], truth), len(found["ceiling"]))
    ]
    assert found["ceiling"] == pytest.approx(halves)
    by_depth = Libsize()
    by_depth.fit(fold.train_truths(), fold.task)
    matrices = [
        gene_correlations(
            columns(truth, fold.fitted.transform(slide), name), libsize=slide.libsize if partial else None
        ).values
        for slide in fold.train
    ]
    cohort = GeneCorrelations(values=((matrices[0] + matrices[1]) / 2 + matrices[2]) / 2)
    references = [
        GeneCorrelations(values=np.zeros_like(cohort.values)),
        columns(truth, by_depth.predict(fold.truth_given(fold.test[0])), name),
        cohort,
    ]
    scores = [ssim(truth.values, reference, truth.libsize) for reference in references]
    assert found["floor"] == pytest.approx(max(scores))
    assert np.argmax(scores) == 2


def test_ceiling_and_known_markers_of_niches(fold_of, tmp_path):
    fold = fold_of("niche_signatures")
    name = "niche_jaccard_normalised"
    truth = anchored(fold, tmp_path, name, "novel_recall", n=6)
    genes = truth.genes[truth.places["markers"]]
    niches = truth.surroundings.niches
    halves = [
        niche_jaccard(
            columns(truth, target.values, name), columns(truth, guess, name), niches=niches, genes=genes, n=6
        ).values
        for target, guess in islice(thinned_pairs(fold, fold.test[0], truth), 10)
    ]
    ceiling = truth.anchors[name]["ceiling"]
    assert list(ceiling) == ["fat", "stroma", "tumour"]
    # Candidates of the halves are those of the whole truth: detection differs a little.
    found = [np.mean(draws[:10]) for draws in ceiling.values()]
    np.testing.assert_allclose(found, np.mean(halves, axis=0), atol=0.1)
    known = truth.anchors["novel_recall"]["known_markers"]
    for niche in ceiling:
        lists = [
            niche_markers(
                columns(truth, fold.fitted.transform(slide), name),
                niches=slide.labels["niche"],
                genes=genes,
                n=6,
            )[niche]
            for slide in fold.train
        ]
        assert known[niche] == sorted({gene for markers in lists for gene in markers})


def test_thresholds_of_pairs_and_a_table_of_ones_own(fold_of, tmp_path):
    (tmp_path / "mine.csv").write_text("ligand,receptor\nCCL19,CCR7\nCXCL13,CXCR5\nCCR7,CCL19\n")
    fold = fold_of("communication", (tmp_path,), communication={"pairs": "mine.csv", "undirected": True})
    truth = anchored(fold, tmp_path, "lr_auprc")
    assert truth.pairs.pairs == (("CCL19", "CCR7"), ("CXCL13", "CXCR5"))
    assert set(truth.genes[truth.places["communication"]]) == {"CCL19", "CCR7", "CXCL13", "CXCR5"}
    assert fold.counted["pairs_listed_twice"] == 1
    slide = fold.test[0]
    expected = lr_thresholds(
        fold.fitted.transform(slide, np.arange(len(GENES))), pairs=truth.pairs.pairs,
        graph=truth.surroundings.graph, libsize=slide.libsize, genes=GENES,
    )  # fmt: skip
    np.testing.assert_allclose(truth.anchors["lr_auprc"]["lr_threshold"], expected)


def test_anchors_are_made_once_and_read_back_as_they_were(fold_of, tmp_path, monkeypatch):
    fold = fold_of("coexpression")
    metric = "coexpression_ssim_normalised"
    monkeypatch.setattr(
        "pytest_stbench.families.anchors.coexpression_ceiling", lambda *_, **__: [float("nan")]
    )
    first = anchored(fold, tmp_path, metric).anchors[metric]
    assert np.isnan(first["ceiling"]).all()
    monkeypatch.setattr(ExpressionAnchors, "of", lambda *_: pytest.fail("made again"))
    again = anchored(fold, tmp_path, metric).anchors[metric]
    assert np.isnan(again["ceiling"]).all()
    assert again["floor"] == first["floor"]
    plain = anchored(fold, tmp_path, "coexpression_ssim")
    assert not plain.anchors, "metrics without anchors ask for none"
    monkeypatch.setattr(fold.question, "anchors", lambda _: None)
    assert not anchored(fold, tmp_path, metric).anchors, "nor do questions that make none"


@pytest.mark.parametrize("family", ["niche_signatures", "coexpression", "communication"])
def test_the_training_mean_is_scored_by_every_metric_that_has_a_statistic(fold_of, tmp_path, family):
    fold = fold_of(family)
    metrics = REGISTRY.families[family].metrics
    truth = anchored(fold, tmp_path, *metrics)
    scorer = Scorer([MetricSpec(name=name) for name in metrics], REGISTRY.metrics)
    predicted = TrainStatistic().predict_fold(fold)
    found = scorer.score({"C1": truth}, Prediction(values=predicted)).values
    for name in metrics:
        stated = bool(REGISTRY.metrics[name].statistic)
        assert (found[name]["C1"].n_total > 0) is stated
        assert stated or np.isnan(found[name]["C1"].value)
    if family == "coexpression":
        # The mean of the cohort is one of the references that the floor is made of.
        assert not found["coexpression_ssim_normalised"]["C1"].value > 1e-9
        assert found["coexpression_mantel"]["C1"].value > 0.3
    if family == "niche_signatures":
        assert found["niche_jaccard"]["C1"].value > 0.3
        assert found["novel_recall"]["C1"].value < found["niche_overlap"]["C1"].value


def test_the_cohort_knows_nothing_of_the_test_slide(fold_of):
    fold = fold_of("coexpression")
    other = replace(fold, test=(slide_of("C1", 99),))
    record = REGISTRY.metrics["coexpression_ssim"]
    first, second = (CohortStatistics(side).of(record).values for side in (fold, other))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("room", [0, 20_000])
def test_truths_of_the_cohort_take_the_room_there_is_and_change_nothing(fold_of, monkeypatch, room):
    fold = fold_of("coexpression")
    record = REGISTRY.metrics["coexpression_ssim"]
    whole = CohortStatistics(fold).of(record).values
    monkeypatch.setattr(cohort, "MOST_BYTES", room)
    statistics = CohortStatistics(fold)
    np.testing.assert_array_equal(statistics.of(record).values, whole)
    held = sum(truth.values.nbytes for truth in statistics._held.values())
    assert held <= room < 3 * fold.truth(fold.train[0]).values.nbytes


@pytest.mark.parametrize("family", ["niche_signatures", "coexpression", "communication"])
def test_the_question_is_that_of_the_parent(fold_of, family):
    from_image = fold_of(family)
    assert from_image.task.observed_genes == ()
    assert from_image.input(from_image.test[0]).units.n_vars == 0
    imputed = fold_of(family, imputation={"hide": {"folds": 3, "fold": 0}})
    observed = set(imputed.task.observed_genes)
    assert observed
    assert not observed & set(imputed.genes)
    assert set(imputed.input(imputed.test[0]).units.var_names) == observed

    class Model:
        def predict_expression(self, slide, genes):
            return "predicted", len(genes)

        def impute(self, slide, observed_genes, target_genes):
            return "imputed", len(observed_genes), len(target_genes)

    for fold, expected in (
        (from_image, ("predicted", len(from_image.genes))),
        (imputed, ("imputed", len(observed), len(imputed.genes))),
    ):
        (request,) = fold.question.requests(fold)
        given = fold.question.given(request, fold)
        assert fold.question.ask(Model(), given, request, fold.task) == expected


def test_a_table_that_is_not_there_says_so(fold_of, tmp_path):
    with pytest.raises(DataMissing, match=r"none\.csv"):
        fold_of("communication", (tmp_path,), communication={"pairs": "none.csv"})


def test_statistics_are_named_functions():
    for record in REGISTRY.metrics:
        if record.statistic:
            assert callable(load_target(record.statistic))
