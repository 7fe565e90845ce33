"""Scores that are recalled are those that are computed, and nothing else is taken for them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_stbench.calls.computing import Prediction
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.scores.score_memo import scores_of, sums_of_genes
from pytest_stbench.run.scores.scoring import Scorer
from pytest_stbench.run.scores.slide_variance import sums_of
from pytest_stbench.spec.model import MetricSpec
from pytest_stbench.store.store import Store

from .test_scoring import truth_of

# With draws (`effects`), flags, values that are undefined through data and through the model, and per unit.
METRICS = (
    "rmse", "spearman_gene", "partial_pearson_gene", "pearson_spot", "map_ssim", "hvg_recovery",
    "coexpression_ssim_normalised", "lr_auprc",
)  # fmt: skip
PARTS = {"task": "t", "dataset": "d", "seed": 0}


def scorer_of(*metrics, **params):
    own = {"hvg_recovery": params}
    chosen = [MetricSpec(name=name, params=own.get(name, {})) for name in metrics or METRICS]
    return Scorer(chosen, builtin_registry().metrics)


@pytest.fixture
def truths():
    return {"s1": truth_of(1), "s2": truth_of(2)}


@pytest.fixture
def prediction(truths):
    values = {name: truth.values.astype(np.float32) + 0.1 for name, truth in truths.items()}
    values["s2"][:, 1] = 2.0  # a constant gene, which is the model's own fault
    return Prediction(values=values, seconds=3.0, peak_memory_mb=7.0)


def scored(store, truths, prediction, scorer=None, parts=PARTS):
    """Return the scores, and whether they were computed."""
    asked = []
    found = scores_of(
        scorer or scorer_of(), Store(store), lambda: asked.append(1) or truths, prediction, parts
    )
    return found, bool(asked)


def test_scores_are_recalled_bit_by_bit(tmp_path, truths, prediction):
    expected = scorer_of().score(truths, prediction)
    assert {"pred_constant"} <= {r for v in expected.values.values() for s in v.values() for r in s.undefined}
    for computed in (True, False):
        found, was_computed = scored(tmp_path, truths, prediction)
        assert was_computed is computed
        assert repr(found.values) == repr(expected.values)  # nan is no nan to ==
        assert (found.n_units, found.n_genes) == (expected.n_units, expected.n_genes)
        assert list(found.values) == list(expected.values)
        assert {type(v.value) for s in found.values.values() for v in s.values()} == {float}
        for name, sketch in expected.sketches.items():
            assert np.array_equal(found.sketches[name].projection, sketch.projection)


def test_what_the_prediction_cost_is_its_own(tmp_path, truths, prediction):
    scored(tmp_path, truths, prediction)
    found, computed = scored(tmp_path, truths, replace(prediction, seconds=1.0, peak_memory_mb=None))
    assert (computed, found.seconds, found.peak_memory_mb) == (False, 1.0, None)


def shifted(prediction):
    values = {name: one.copy() for name, one in prediction.values.items()}
    values["s2"][3, 0] = np.nextafter(values["s2"][3, 0], np.float32(9))
    return replace(prediction, values=values)


def swapped(prediction):
    return replace(
        prediction, values=dict(zip(("s1", "s2"), reversed(prediction.values.values()), strict=True))
    )


def as_double(prediction):
    return replace(prediction, values={name: v.astype(np.float64) for name, v in prediction.values.items()})


@pytest.mark.parametrize("change", [shifted, swapped, as_double])
def test_another_prediction_is_scored(tmp_path, truths, prediction, change):
    scored(tmp_path, truths, prediction)
    assert scored(tmp_path, truths, change(prediction))[1]


@pytest.mark.parametrize(
    "other",
    [
        {"scorer": scorer_of(*METRICS[:-1])},
        {"scorer": scorer_of(k=2)},
        {"parts": {**PARTS, "seed": 1}},
        {"parts": {**PARTS, "dataset": "e"}},
    ],
    ids=["metrics", "parameters", "seed", "data"],
)
def test_another_question_is_scored(tmp_path, truths, prediction, other):
    scored(tmp_path, truths, prediction)
    assert scored(tmp_path, truths, prediction, **other)[1]


def test_other_code_scores_anew(tmp_path, truths, prediction, monkeypatch):
    scored(tmp_path, truths, prediction)
    monkeypatch.setattr("pytest_stbench.store.memo.code_version", lambda *rooms: f"edited {rooms}")
    assert scored(tmp_path, truths, prediction)[1]


@pytest.mark.parametrize("damage", [b"", b"{}", None], ids=["empty", "other", "cut"])
def test_a_damaged_record_is_scored_anew(tmp_path, truths, prediction, damage):
    expected, _ = scored(tmp_path, truths, prediction)
    (record,) = (tmp_path / "remember" / "scores").iterdir()
    record.write_bytes(record.read_bytes()[:-20] if damage is None else damage)
    found, computed = scored(tmp_path, truths, prediction)
    assert computed
    assert repr(found.values) == repr(expected.values)


def test_a_statistic_in_the_place_of_a_prediction_is_never_recalled(tmp_path):
    scorer = SimpleNamespace(score=lambda truths, prediction: (truths, prediction))
    statistic = Prediction(values={"a": object()})
    for _ in range(2):
        found, computed = scored(tmp_path, {"a": 1}, statistic, scorer)
        assert computed
        assert found == ({"a": 1}, statistic)


def test_sums_of_genes_are_recalled_bit_by_bit(tmp_path, truths):
    truths["s2"].values[3, 1] = np.nan
    truths["labels"] = SimpleNamespace(labels=["x"])
    expected = sums_of(truths)
    assert list(expected) == ["s1", "s2"]
    for truth in (lambda: truths, lambda: pytest.fail("computed again")):
        found = sums_of_genes(Store(tmp_path), truth, PARTS)
        assert list(found) == list(expected)
        for name, (genes, sums) in expected.items():
            assert found[name][0].tolist() == genes.tolist()
            assert np.array_equal(found[name][1], sums)
