"""Rare structures: which units are positive, and what windows of them are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_stbench.errors import DataError
from pytest_stbench.families.niche_detection.ask import NicheDetectionQuestion, majority_of_windows
from pytest_stbench.families.niche_detection.declare import NicheDetection
from pytest_stbench.families.question import FamilySettings
from pytest_stbench.metrics import auprc, detection_f1, false_positives_per_mm2
from pytest_stbench.run.installed import builtin_registry

from .test_label_families import asked, labelled

METRICS = builtin_registry().metrics
FUNCTIONS = {"auprc": auprc, "detection_f1": detection_f1, "false_positives_per_mm2": false_positives_per_mm2}

pytestmark = pytest.mark.filterwarnings("error")


def question(**settings):
    return NicheDetectionQuestion(FamilySettings(own=NicheDetection(**settings)))


def scored(truth, name, shares):
    record = METRICS[name]
    (arms,) = truth.arms(record, {truth.key: np.asarray(shares, np.float32)})
    given = {key: arms.offered[key]() for key in record.inputs}
    return FUNCTIONS[name](arms.truth, arms.prediction, **given)


def on_grid(name, patient, niches, columns, pitch=100.0):
    places = np.array([(i % columns, i // columns) for i in range(len(niches))], float)
    return labelled(name, patient, niches, xy_um=pitch * places)


TRAIN = [
    labelled("a1", "a", ["Invasive Cancer", "stroma", "undetermined", None]),
    labelled("b1", "b", ["in situ", "fat", "stroma", "stroma"]),
]
TUMOUR = {"target": "tumour", "positive": ("invasive cancer", "IN-SITU")}


def test_units_are_the_structure_or_other():
    fold = asked(question(**TUMOUR), TRAIN, TRAIN)
    assert fold.task.classes == ("other", "tumour")
    assert fold.counted == {"training_units_without_label": 2}
    assert [slide.labels.tolist() for slide in fold.train_inputs()] == [
        ["tumour", "other", None, None],
        ["tumour", "other", "other", "other"],
    ]


@pytest.mark.parametrize(("target", "name"), [("tls", "tls"), ("hot_cold", "inflamed"), ("tumour", "tumour")])
def test_the_class_has_the_name_of_the_target(target, name):
    made = question(target=target, positive=("stroma",))
    assert set(asked(made, TRAIN, TRAIN).task.classes) == {"other", name}


def test_other_labels_and_names_of_the_file():
    train = [labelled("a1", "a", ["x1", "x2", "x3"], kind="cell_type")]
    made = question(label="cell_type", positive=("nest",), map={"x1": "nest"})
    assert made.labels(train[0]).tolist() == ["tls", "other", "other"]
    assert question(positive=("x1",)).labels(train[0]).tolist() == [None] * 3, "it has no niches"


@pytest.mark.parametrize(
    ("positive", "found"), [(("nowhere",), "only 'other'"), (("stroma", "fat", "in situ"), "only 'tls'")]
)
def test_a_structure_that_training_lacks_cannot_be_asked(positive, found):
    with pytest.raises(DataError, match=f"that are tls and units that are not, found {found}: check"):
        question(positive=positive).plan(TRAIN[1:])
    with pytest.raises(DataError, match="none with a label"):
        question(positive=positive).plan([labelled("a1", "a", [None] * 4)])


def test_units_are_ranked_by_the_probability_of_the_structure():
    test = on_grid("c1", "c", ["tls", "fat", None, "tls", "fat", "fat", "fat", "fat", "fat"], 3)
    truth = asked(question(positive=("tls",)), [test], [test]).truth(test)
    assert truth.n_units == 8
    probable = np.array([0.9, 0.2, 1.0, 0.4, 0.6, 0.1, 0.1, 0.1, 0.1])
    shares = np.column_stack([1 - probable, probable])
    assert scored(truth, "auprc", shares).values[0] == pytest.approx((1 + 2 / 3) / 2)
    # Of the two positive units, which lie side by side, one is found; 0.6 touches it at a corner.
    assert scored(truth, "detection_f1", shares).values[0] == pytest.approx(1.0)
    assert scored(truth, "detection_f1", shares).extras["n_objects"][0] == 1
    assert scored(truth, "false_positives_per_mm2", shares).values[0] == 0
    wrong = np.column_stack([probable, 1 - probable])
    found = scored(truth, "false_positives_per_mm2", wrong)
    assert found.values[0] == pytest.approx(found.extras["n_false"][0] / 0.09)


def test_a_slide_without_the_structure():
    test = on_grid("c1", "c", ["fat"] * 16, 4)
    truth = asked(question(positive=("stroma",)), TRAIN, [test]).truth(test)
    shares = np.tile([[0.4, 0.6]], (16, 1))
    assert scored(truth, "auprc", shares).reasons.tolist() == ["no_positive"]
    assert scored(truth, "detection_f1", shares).reasons.tolist() == ["no_positive"]
    assert scored(truth, "false_positives_per_mm2", shares).values[0] == pytest.approx(1 / 0.16)


def test_one_spot():
    test = on_grid("c1", "c", ["stroma"], 1)
    truth = asked(question(positive=("stroma",)), TRAIN, [test]).truth(test)
    assert scored(truth, "auprc", [[0.2, 0.8]]).reasons.tolist() == ["no_negative"]
    assert scored(truth, "detection_f1", [[0.2, 0.8]]).values[0] == 1.0
    assert scored(truth, "false_positives_per_mm2", [[0.2, 0.8]]).reasons.tolist() == ["too_few_units"]


def test_a_window_is_what_most_of_its_labelled_units_are():
    labels = np.array(["hot", "hot", "other", None, "hot", "other", None], dtype=object)
    window = np.array([0, 0, 0, 0, 1, 1, 2])
    assert majority_of_windows(labels, window, "hot").tolist() == ["hot", "other", None]


def test_windows_have_the_mean_probability_of_their_units():
    niches = ["immune", "immune", "fat", "fat"] * 4
    test = on_grid("c1", "c", niches, 4, pitch=250.0)
    made = question(target="hot_cold", positive=("immune",), window_um=500.0)
    fold = asked(made, [test], [test])
    truth = fold.truth(test)
    assert truth.n_units == 4
    probable = np.array([0.9, 0.5, 0.1, 0.3] * 4)
    predicted = {"c1": np.column_stack([probable, 1 - probable])}
    (arms,) = truth.arms(METRICS["auprc"], predicted)
    assert arms.truth.tolist() == ["inflamed", "inflamed", "other", "other"]
    np.testing.assert_allclose(arms.prediction[:, 0], [0.7, 0.7, 0.2, 0.2])
    assert arms.offered["graph"]().toarray().sum(axis=1).tolist() == [3] * 4
    assert arms.offered["area_mm2"]() == pytest.approx(1.0)
    assert fold.train_inputs()[0].labels[0] == "inflamed", "models learn from units"
    assert scored(truth, "auprc", predicted["c1"]).values[0] == 1.0
    assert scored(truth, "detection_f1", predicted["c1"]).values[0] == 1.0


def test_the_order_of_units_does_not_matter():
    niches = np.array(["immune", "fat", "fat", None], dtype=object)[np.arange(40) % 4]
    for settings in ({"target": "tls"}, {"target": "hot_cold", "window_um": 350.0}):
        slide = on_grid("c1", "c", niches.tolist(), 8)
        order = np.random.default_rng(0).permutation(40)
        shares = np.random.default_rng(1).dirichlet([1, 1], 40)
        moved = slide.select(order)
        made = question(positive=("immune",), **settings)
        for name in FUNCTIONS:
            values = [
                scored(asked(made, [one], [one]).truth(one), name, given).values[0]
                for one, given in ((slide, shares), (moved, shares[order]))
            ]
            assert values[0] == pytest.approx(values[1], nan_ok=True)


def test_units_are_not_told_what_they_are():
    test = replace(TRAIN[0], labels={"niche": np.array(["SECRET"] * 4, dtype=object)})
    given = asked(question(**TUMOUR), TRAIN, [test]).input(test)
    assert not given.units.obs.columns.size
    assert not hasattr(given, "labels")
