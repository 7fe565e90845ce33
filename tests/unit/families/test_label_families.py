"""Families of labels, proportions and embeddings: what they ask, leave out and score against."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_stbench.errors import DataError
from pytest_stbench.families.cell_types.ask import CellTypesQuestion, merged_types
from pytest_stbench.families.cell_types.declare import CellTypes
from pytest_stbench.families.embedding.ask import EmbeddingQuestion
from pytest_stbench.families.embedding.declare import Embedding
from pytest_stbench.families.harmonise import harmonise
from pytest_stbench.families.niches.ask import NichesQuestion
from pytest_stbench.families.niches.declare import Niches
from pytest_stbench.families.proportions.ask import ProportionsQuestion
from pytest_stbench.families.proportions.declare import Proportions
from pytest_stbench.families.question import FamilySettings, Request
from pytest_stbench.metrics import ari, knn_recall, macro_f1
from pytest_stbench.models.contract import ContractError
from pytest_stbench.resources import cell_type_markers, cell_type_ontology, cell_type_parents, niche_ontology
from pytest_stbench.run.installed import builtin_registry

from .test_fold import counted_slide, fold_of

METRICS = builtin_registry().metrics
COUNTS = np.arange(1, 25).reshape(6, 4)


def labelled(name, patient, niches, kind="niche", **changes):
    slide = counted_slide(name, patient, np.resize(COUNTS, (len(niches), 4)))
    return replace(slide, labels={kind: np.array(niches, dtype=object)}, **changes)


def asked(question, train, test):
    plan = question.plan(train)
    fold = fold_of(question, train, test, observed=plan.observed, targets=())
    return replace(fold, task=replace(fold.task, classes=plan.classes), counted=plan.counted)


def niches(**settings):
    return NichesQuestion(FamilySettings(own=Niches(**settings)))


TRAIN = [
    labelled("a1", "a", ["Invasive Cancer", "connective tissue", "undetermined", None]),
    labelled("b1", "b", ["tumour", "stroma", "stroma", "stroma"]),
]


def test_labels_of_studies_become_those_of_the_ontology():
    found = harmonise(
        np.array(["Invasive-cancer", "stroma", "my gland", None, " ", "NA", "undetermined"], dtype=object),
        {"My Gland": "normal_epithelium"},
        niche_ontology(),
        where="slide a",
        key="niches",
    )
    assert found.tolist() == ["invasive_cancer", "stroma", "normal_epithelium", None, None, None, None]


def test_an_unknown_label_is_told_with_what_to_write():
    with pytest.raises(DataError, match=r"slide a: label 'strooma' is not in the ontology; did you mean"):
        harmonise(np.array(["strooma"], dtype=object), {}, niche_ontology(), where="slide a", key="niches")
    with pytest.raises(DataError, match=r"niches: \{map: \{gland x: CLASS\}\}.*invasive_cancer"):
        harmonise(np.array(["gland x"], dtype=object), {}, niche_ontology(), where="s", key="niches")


def test_without_ontology_labels_stay_as_they_are():
    found = harmonise(np.array(["gland x", "NA"], dtype=object), {}, None, where="s", key="niches")
    assert found.tolist() == ["gland x", None]


def test_classes_are_those_of_training_units():
    fold = asked(niches(), TRAIN, TRAIN)
    assert fold.task.classes == ("invasive_cancer", "stroma")
    assert fold.counted == {"training_units_without_label": 2}
    assert [slide.labels.tolist() for slide in fold.train_inputs()] == [
        ["invasive_cancer", "stroma", None, None],
        ["invasive_cancer", "stroma", "stroma", "stroma"],
    ]


@pytest.mark.parametrize(("values", "found"), [(["stroma"] * 4, "only 'stroma'"), ([None] * 4, "none")])
def test_fewer_than_two_classes_cannot_be_asked(values, found):
    with pytest.raises(DataError, match=f"two classes or more, found {found}"):
        niches().plan([labelled("a1", "a", values)])


@pytest.mark.parametrize(
    ("given", "n_counts", "fields"),
    [
        ("image", 0, {"spatial", "embedding"}),
        ("expression", 4, {"spatial"}),
        ("both", 4, {"spatial", "embedding"}),
    ],
)
def test_models_get_what_the_file_says(given, n_counts, fields):
    fold = asked(niches(input=given), TRAIN, TRAIN)
    slide = fold.input(TRAIN[0])
    assert slide.units.shape == (4, n_counts)
    assert set(slide.units.obsm) == fields
    assert not hasattr(slide, "labels")


def test_units_of_a_class_that_training_lacks_are_left_out_and_counted():
    test = [labelled("c1", "c", ["stroma", "fat", "fat", "tumour", None, "stroma"])]
    fold = asked(niches(), TRAIN, test)
    truth = fold.truth(test[0])
    assert truth.labels.tolist() == ["stroma", None, None, "invasive_cancer", None, "stroma"]
    assert truth.not_covered == {"adipose": 2}
    assert truth.n_units == 3
    shares = np.tile(np.array([[0.2, 0.8]], np.float32), (6, 1))
    (arms,) = truth.arms(METRICS["macro_f1"], {"c1": shares})
    offered = {name: arms.offered[name]() for name in ("classes", "not_covered")}
    scores = macro_f1(arms.truth, arms.prediction, **offered)
    assert dict(zip(scores.labels, scores.reasons, strict=True)) == {
        "invasive_cancer": "", "stroma": "", "adipose": "not_covered",
    }  # fmt: skip
    assert scores.values[:2].tolist() == pytest.approx([0.0, 0.8])
    assert np.isnan(scores.extras["support"][2])


def test_certainties_are_labels_and_have_no_calibration():
    fold = asked(niches(), TRAIN, TRAIN)
    truth = fold.truth(TRAIN[1])
    certain = np.array([[1, 0], [0, 1], [0, 1], [0, 1]], np.float32)
    (arms,) = truth.arms(METRICS["ece"], {"b1": certain})
    assert arms.prediction.tolist() == ["invasive_cancer", "stroma", "stroma", "stroma"]
    (arms,) = truth.arms(METRICS["ece"], {"b1": np.full((4, 2), 0.5, np.float32)})
    assert arms.prediction.shape == (4, 2)


def blobs(n=60, seed=0):
    rng = np.random.default_rng(seed)
    kinds = np.array(["tumour", "stroma", "fat"])[np.arange(n) % 3]
    centres = {"tumour": (0, 0), "stroma": (9, 0), "fat": (0, 9)}
    points = np.array([centres[kind] for kind in kinds]) + rng.normal(size=(n, 2))
    return kinds.tolist(), points.astype(np.float32)


@pytest.mark.parametrize("method", ["kmeans", "ward", "leiden"])
def test_clusters_of_an_embedding_are_scored(method):
    if method == "leiden":
        pytest.importorskip("igraph", reason="igraph is not installed (extra `leiden`)")
    kinds, points = blobs()
    slide = labelled("c1", "c", [*kinds[:-1], None])
    question = niches(mode="unsupervised", clustering=method)
    truth = asked(question, [slide], [slide]).truth(slide)
    arms = truth.arms(METRICS["ari"], {"c1": points})
    assert len(arms) == (10 if method == "kmeans" else 1)
    scores = [ari(one.truth, one.prediction).values[0] for one in arms]
    assert max(scores) == pytest.approx(1.0)
    order = np.random.default_rng(1).permutation(len(points))
    other = asked(question, [slide], [slide]).truth(slide.select(order))
    moved = other.arms(METRICS["ari"], {"c1": points[order]})
    assert [ari(a.truth, a.prediction).values[0] for a in moved] == pytest.approx(scores)


def test_a_constant_embedding_is_one_cluster():
    kinds, points = blobs()
    slide = labelled("c1", "c", kinds)
    truth = asked(niches(mode="unsupervised"), [slide], [slide]).truth(slide)
    values = {ari(a.truth, a.prediction).values[0] for a in truth.arms(METRICS["ari"], {"c1": points * 0})}
    assert values == {0.0}


class Clusters:
    """Answers by ``cluster`` alone, and says how many clusters it was asked for."""

    def __init__(self, answer):
        self.answer = answer

    def cluster(self, slide, n):
        self.asked = n
        return self.answer

    def embed(self, slide):
        raise AssertionError


def test_clusters_of_a_model_are_scored_as_they_are():
    kinds, _ = blobs()
    slide = labelled("c1", "c", [*kinds[:-1], None])
    question = niches(mode="unsupervised")
    fold = asked(question, [slide], [slide])
    model = Clusters([f"found {kind}" for kind in kinds])
    request = Request(key="c1", slide=slide)
    answer = question.ask(model, fold.input(slide), request, fold.task)
    assert model.asked == len(set(kinds))
    found = question.accept(answer, request, fold, "m, slide c1")
    assert found.shape == (len(kinds), 1)
    (arms,) = fold.truth(slide).arms(METRICS["ari"], {"c1": found})
    assert ari(arms.truth, arms.prediction).values[0] == 1.0
    model.answer = [str(number) for number in range(len(kinds))]
    many = question.ask(model, fold.input(slide), request, fold.task)
    with pytest.raises(ContractError, match="m, slide c1: expected 3 clusters at most, found 60"):
        question.accept(many, request, fold, "m, slide c1")


class Files:
    """Stands for a folder of predictions."""

    def __init__(self, values):
        self.values = values

    def names_of(self, slide):
        return slide.unit_names

    def read(self, place, key, units, columns):
        assert columns is None
        return self.values


@pytest.mark.parametrize("kind", [np.int64, np.uint8, object, "U9"])
def test_a_column_of_labels_in_a_file_is_a_cluster_of_each_unit(kind):
    kinds, points = blobs()
    slide = labelled("c1", "c", kinds)
    question = niches(mode="unsupervised")
    fold, request = asked(question, [slide], [slide]), Request(key="c1", slide=slide)
    numbers = np.unique(kinds, return_inverse=True)[1]
    column = (np.array(kinds) if kind in (object, "U9") else numbers).astype(kind)[:, None]
    found = question.accept(question.read(Files(column), None, request, fold), request, fold, "f")
    assert (found.dtype, found[:, 0].tolist()) == (np.int32, numbers.tolist())
    embedded = question.accept(question.read(Files(points[:, :1]), None, request, fold), request, fold, "f")
    assert (embedded.dtype, embedded.shape) == (np.float32, (len(kinds), 1))


def expressed(n=60, seed=0):
    """A slide of two groups of units of other genes, with labels that say something else."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 2
    rates = np.where(group[:, None] == (np.arange(4) < 2), 40, 4)
    slide = replace(counted_slide("c1", "c", rng.poisson(rates)), labels={})
    return group, slide


def test_domains_of_expression_stand_in_the_place_of_labels():
    group, slide = expressed()
    question = niches(mode="unsupervised", input="image", truth="expression", domains=2)
    fold = asked(question, [slide], [slide])
    assert fold.task.classes == ()
    assert all(train.labels is None for train in fold.train_inputs())
    truth = fold.truth(slide)
    assert ari(truth.labels, group.astype(str)).values[0] == 1.0
    order = np.random.default_rng(1).permutation(len(group))
    moved = question.labels(slide.select(order))
    assert ari(moved, truth.labels[order]).values[0] == 1.0
    model = Clusters(group.tolist())
    question.ask(model, fold.input(slide), Request(key="c1", slide=slide), fold.task)
    assert model.asked == 2


@pytest.mark.parametrize("n", [1, 2, 3])
def test_slides_of_few_units_have_few_domains(n):
    _, slide = expressed()
    question = niches(mode="unsupervised", input="image", truth="expression", domains=4)
    found = question.labels(slide.select(np.arange(n)))
    assert len(found) == n
    assert set(found) <= {"domain 1", "domain 2", "domain 3"}


def test_leiden_says_what_to_install(monkeypatch):
    monkeypatch.setattr("pytest_stbench.kernels.clustering.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"needs igraph.*pip install 'pytest-stbench\[leiden\]'"):
        niches(mode="unsupervised", clustering="leiden").plan(TRAIN)


def test_tables_of_cell_types_fit_each_other():
    types = set(cell_type_ontology(1).values()) | set(cell_type_ontology(2).values())
    assert types - cell_type_markers().keys() == {"other"}
    assert cell_type_markers().keys() == cell_type_parents().keys()
    for label, kind in cell_type_ontology(2).items():
        above = cell_type_ontology(1)[label]
        assert kind == above or cell_type_parents()[kind] == above, label


def test_types_a_panel_cannot_tell_become_their_parent():
    classes = ("B", "T_NK", "mast", "other", "plasma")
    whole = frozenset().union(*cell_type_markers().values())
    assert merged_types(classes, whole, 3) == {name: name for name in classes}
    few = frozenset({"MS4A1", "CD79A", "CD79B", "KIT", "MZB1"})
    assert merged_types(classes, few, 3) == {
        "B": "B", "T_NK": "immune", "mast": "immune", "other": "other", "plasma": "immune",
    }  # fmt: skip


def test_merging_is_the_same_in_truth_and_prediction():
    kinds = ["T cells", "B cells", "mast", "T cells"]
    slide = replace(
        labelled("a1", "a", kinds, kind="cell_type"), genes=np.array(["MS4A1", "CD79A", "CD79B", "KIT"])
    )
    question = CellTypesQuestion(FamilySettings(own=CellTypes(min_cells=1)))
    truth = asked(question, [slide], [slide]).truth(slide)
    shares = np.array([[0.1, 0.5, 0.4], [0.6, 0.2, 0.2], [0.2, 0.5, 0.3], [0.4, 0.3, 0.3]], np.float32)
    (arms,) = truth.arms(METRICS["macro_f1"], {"a1": shares})
    assert arms.truth.tolist() == ["immune", "B", "immune", "immune"]
    assert arms.offered["classes"]() == ("B", "immune")
    np.testing.assert_allclose(arms.prediction, [[0.1, 0.9], [0.6, 0.4], [0.2, 0.8], [0.4, 0.6]], rtol=1e-6)
    assert arms.offered["min_units"]() == 1


def spots(name, patient, cells, **shares):
    slide = counted_slide(name, patient, np.resize(COUNTS, (len(cells), 4)))
    measures = {f"type:{kind}": np.array(values, float) for kind, values in shares.items()}
    return replace(slide, measures={"cells": np.array(cells, float), **measures})


def test_proportions_are_of_types_of_the_ontology_and_sum_to_one():
    nan = np.nan
    train = [
        spots("a1", "a", [5, 2, 9], **{"T cells": [0.2, 0, nan], "NK": [0.2, 0, nan], "B": [0.6, 1, nan]})
    ]
    test = [spots("b1", "b", [4, 4, 4], **{"T cells": [0.5, 0, 1], "mast": [0.5, 1, 0]})]
    question = ProportionsQuestion(FamilySettings(own=Proportions()))
    fold = asked(question, train, test)
    assert fold.task.classes == ("B", "T_NK")
    assert fold.counted == {"training_units_without_proportions": 2}
    np.testing.assert_allclose(fold.train_inputs()[0].proportions[0], [0.6, 0.4])
    truth = fold.truth(test[0])
    np.testing.assert_allclose(truth.values, [[0, 1], [nan, nan], [0, 1]])
    (arms,) = truth.arms(METRICS["proportion_jsd"], {"b1": np.full((3, 2), 0.5, np.float32)})
    assert arms.truth.shape == arms.prediction.shape == (2, 2)
    assert arms.offered["units"]().tolist() == ["b1_0", "b1_2"]


def test_spots_without_types_cannot_be_asked():
    with pytest.raises(DataError, match=r"`keys.proportions`"):
        ProportionsQuestion(FamilySettings(own=Proportions())).plan([spots("a1", "a", [5, 5])])


def test_an_embedding_is_scored_by_neighbours_in_training_patients():
    kinds, points = blobs(90)
    train = [labelled("a1", "a", kinds), labelled("b1", "b", kinds)]
    test = [labelled("c1", "c", [*kinds[:-3], None, None, None])]
    fold = asked(EmbeddingQuestion(FamilySettings(own=Embedding())), train, test)
    assert fold.task.classes == ()
    requests = fold.question.requests(fold)
    assert [request.key for request in requests] == ["c1", "a1", "b1"]
    (arms,) = fold.truth(test[0]).arms(METRICS["knn_recall"], {request.key: points for request in requests})
    offered = {name: arms.offered[name]() for name in ("patients", "patient")}
    scores = knn_recall(arms.truth, arms.prediction, **offered)
    assert scores.labels.tolist() == ["c"]
    assert scores.values[0] == pytest.approx(1.0)
    everyone = knn_recall(arms.truth, arms.prediction, patients=offered["patients"])
    assert everyone.labels.tolist() == ["a", "b", "c"]
    assert everyone.values[2] == scores.values[0]


def test_slides_embedded_into_different_spaces_are_refused():
    question = EmbeddingQuestion(FamilySettings(own=Embedding()))
    with pytest.raises(
        ContractError, match="m, slide b: expected 2 dimensions as on the slides before, found 3"
    ):
        question.complete({"a": np.zeros((4, 2)), "b": np.zeros((4, 3))}, "m")
    question.complete({"a": np.zeros((4, 2)), "b": np.zeros((9, 2))}, "m")


class Asked:
    def predict_labels(self, slide, classes):
        return "labels", classes

    def predict_proportions(self, slide, types):
        return "proportions", types

    def embed(self, slide):
        return "embedding"


def test_models_are_asked_by_the_method_of_the_family():
    fold = asked(niches(), TRAIN, TRAIN)
    request = Request(key="a1", slide=TRAIN[0])
    given, model = fold.input(TRAIN[0]), Asked()
    classes = ["invasive_cancer", "stroma"]
    assert fold.question.ask(model, given, request, fold.task) == ("labels", classes)
    assert niches(mode="unsupervised").ask(model, given, request, fold.task) == "embedding"
    assert (
        EmbeddingQuestion(FamilySettings(own=Embedding())).ask(model, given, request, fold.task)
        == "embedding"
    )
    proportions = ProportionsQuestion(FamilySettings(own=Proportions()))
    assert proportions.ask(model, given, request, fold.task) == ("proportions", classes)
