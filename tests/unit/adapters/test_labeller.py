from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from pytest_stbench.adapters import Labeller
from pytest_stbench.errors import ModelError

CLASSES = ("even", "odd")


def learn(cells, task):
    return LogisticRegression().fit(cells.X, cells.obs["label"])


def judge(trained, units, task):
    return trained.predict_proba(units.X)


@pytest.fixture
def task(make):
    return make.task(family="cell_types", genes=(), classes=CLASSES)


def answer(make, train, task, train_fn=learn, predict=judge, slide=None, **options):
    model = Labeller(train_fn, predict, **options)
    model.fit(train, task)
    return model.predict_labels(make.asked(slide or make.slide("s3", "p3")), task.classes)


def test_classes_are_learned_from_log_normalised_counts(make, train, task):
    seen = {}

    def look(cells, task):
        seen["cells"] = cells
        return learn(cells, task)

    found = answer(make, train, task, look)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found[::2, 0] > 0.5).mean() > 0.9
    counts = train[0].counts[:, list(make.OBSERVED)].X.toarray()
    expected = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(seen["cells"].X.toarray()[:30], expected, rtol=1e-5)
    assert set(seen["cells"].obs["label"]) == set(CLASSES)


def test_units_nobody_labelled_and_classes_of_nobody_teach_nothing(make, task):
    labels = np.array([None, "odd", "even", "other"] * 5, dtype=object)
    seen = []
    answer(
        make,
        [make.slide("s1", "p1", n=20, labels=labels)],
        task,
        lambda cells, _: seen.append(cells) or learn(cells, _),
    )
    assert seen[0].n_obs == 10


@pytest.mark.parametrize("answers", ["sigmoids", "other words", "labels"])
def test_answers_are_brought_to_the_classes_of_the_task(make, train, task, answers):
    def predict(trained, units, task):
        p = trained.predict_proba(units.X)
        if answers == "sigmoids":  # in another order, of more classes, on no common scale
            return pd.DataFrame({"odd": 3 * p[:, 1], "stroma": 0.4, "even": 3 * p[:, 0]})
        if answers == "other words":
            return pd.DataFrame({"Odd ones": p[:, 1] / 2, "odd": p[:, 1] / 2, "even": p[:, 0]})
        return np.where(p[:, 1] > 0.5, "Odd ones", "even")

    slide = make.slide("s3", "p3")
    expected = answer(make, train, task, slide=slide)
    found = answer(make, train, task, predict=predict, slide=slide, classes={"Odd ones": "odd"})
    if answers == "labels":
        assert found == [CLASSES[place] for place in expected.argmax(axis=1)]
    else:
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_row_of_nothing_gets_the_shares_of_training(make, task):
    labels = np.array(["odd", "even", "even", "even"] * 5, dtype=object)
    found = answer(
        make,
        [make.slide("s1", "p1", n=20, labels=labels)],
        task,
        predict=lambda _, units, __: np.zeros((units.n_obs, 2)),
    )
    np.testing.assert_allclose(found, np.tile([0.75, 0.25], (30, 1)))


def test_one_class_needs_no_classifier(make, task):
    labels = np.array(["odd"] * 20, dtype=object)
    found = answer(make, [make.slide("s1", "p1", n=20, labels=labels)], task, train_fn=None, predict=None)
    np.testing.assert_array_equal(found, np.tile([0.0, 1.0], (30, 1)))


def test_one_unit_and_empty_units_are_answered(make, train, task):
    assert answer(make, train, task, slide=make.slide("s3", "p3", n=1)).shape == (1, 2)
    assert np.isfinite(answer(make, train, task, slide=make.slide("s3", "p3", empty=(0, 1)))).all()


def test_what_cannot_be_learned_or_read_says_what_to_do(make, train, task):
    strangers = [make.slide("s1", "p1", labels=np.array(["T cell"] * 30, dtype=object))]
    with pytest.raises(
        ModelError, match=r"finds 0 cells of known classes, 8 genes: .* Labeller\(..., classes="
    ):
        answer(make, strangers, task)
    with pytest.raises(ModelError, match="finds 60 cells of known classes, 0 genes"):
        answer(make, train, make.task(genes=(), observed_genes=(), classes=CLASSES))
    with pytest.raises(
        ModelError, match=r"no label of judge is a class of the task \(even, odd\), the first is 'ODD'"
    ):
        answer(make, train, task, predict=lambda _, units, __: ["ODD"] * units.n_obs, name="judge")
    with pytest.raises(ModelError, match="returned 3 columns for 2 labels"):
        answer(make, train, task, predict=lambda _, units, __: np.ones((units.n_obs, 3)))
