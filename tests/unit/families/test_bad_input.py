"""Degenerate slides and answers: a broken contract or a value with its reason, never a warning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_stbench.families.cell_types.ask import CellTypesQuestion
from pytest_stbench.families.cell_types.declare import CellTypes
from pytest_stbench.families.embedding.ask import EmbeddingQuestion
from pytest_stbench.families.embedding.declare import Embedding
from pytest_stbench.families.niche_detection.ask import NicheDetectionQuestion
from pytest_stbench.families.niche_detection.declare import NicheDetection
from pytest_stbench.families.niches.ask import NichesQuestion
from pytest_stbench.families.niches.declare import Niches
from pytest_stbench.families.proportions.ask import ProportionsQuestion
from pytest_stbench.families.proportions.declare import Proportions
from pytest_stbench.families.question import FamilySettings, Request
from pytest_stbench.metrics.aggregate import slide_value
from pytest_stbench.metrics.arguments import arguments
from pytest_stbench.models.contract import ContractError
from pytest_stbench.registry import load_target
from pytest_stbench.run.installed import builtin_registry

from .test_label_families import asked, labelled, spots

pytestmark = pytest.mark.filterwarnings("error")

REGISTRY = builtin_registry()
NICHES = ["tumour", "stroma"] * 40
TYPES = ["T cells", "B cells"] * 40
PLACES = np.array([(100.0 * (i % 8), 100.0 * (i // 8)) for i in range(80)])


def settings(block, **changes):
    return FamilySettings(own=block(input="expression", **changes))


FAMILIES = {
    "niches": (NichesQuestion, settings(Niches), "niche", NICHES),
    "niche_detection": (
        NicheDetectionQuestion,
        settings(NicheDetection, positive=("stroma",)),
        "niche",
        NICHES,
    ),
    "cell_types": (CellTypesQuestion, settings(CellTypes), "cell_type", TYPES),
}


def fold_of(family, test):
    kind, own, key, names = FAMILIES[family]
    train = [labelled("a1", "a", names, kind=key, xy_um=PLACES)]
    return asked(kind(own), train, [test])


def values_of(family, fold, prediction, mode=""):
    """Score every default metric of the family as a run does."""
    record = REGISTRY.families[family]
    truth, found = fold.truth(fold.test[0]), {}
    for name in record.modes.get(mode, record.metrics):
        metric = REGISTRY.metrics[name]
        function = load_target(metric.target)
        for arms in truth.arms(metric, prediction):
            given = arguments(metric, function, arms.offered)
            found[name] = slide_value(function(arms.truth, arms.prediction, **given), metric)
    return found


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", ["one spot", "one class", "no label", "all at one place"])
@pytest.mark.parametrize("certain", [False, True])
def test_slides_of_label_families(family, case, certain):
    _, _, key, names = FAMILIES[family]
    kinds = {"one spot": names[:1], "one class": [names[0]] * 40, "no label": [None] * 12}.get(case, names)
    places = np.zeros((len(kinds), 2)) if case == "all at one place" else PLACES[: len(kinds)]
    fold = fold_of(family, labelled("c1", "c", kinds, kind=key, xy_um=places))
    shares = np.tile([[1.0, 0.0]] if certain else [[0.3, 0.7]], (len(kinds), 1)).astype(np.float32)
    found = values_of(family, fold, {"c1": shares})
    for value in found.values():
        assert value.n_total == value.n_valid + sum(value.undefined.values())
    primary = found[REGISTRY.families[family].primary]
    if case in ("one spot", "no label"):
        assert np.isnan(primary.value)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (np.full((80, 2), 0.4), "rows that sum to 1"),
        (np.full((80, 2), np.nan), "finite|nan"),
        (np.tile([-0.5, 1.5], (80, 1)), "at least 0"),
        (["gland"] * 80, "labels among"),
        (np.full((79, 2), 0.5), "shape"),
    ],
)
def test_answers_that_break_the_contract(family, raw, told):
    _, _, key, names = FAMILIES[family]
    test = labelled("c1", "c", names, kind=key, xy_um=PLACES)
    fold = fold_of(family, test)
    with pytest.raises(ContractError, match=told):
        fold.question.accept(raw, Request(key="c1", slide=test), fold, "model")


@pytest.mark.parametrize("method", ["kmeans", "ward"])
@pytest.mark.parametrize("n", [1, 2, 3, 30])
def test_clusters_of_equal_or_few_points(method, n):
    """As many niches as units, or more than different points."""
    names = (["tumour", "stroma", "fat"] * 10)[:n]
    test = labelled("c1", "c", names, xy_um=PLACES[:n])
    made = NichesQuestion(settings(Niches, mode="unsupervised", clustering=method))
    fold = asked(made, [labelled("a1", "a", NICHES, xy_um=PLACES)], [test])
    hollow = np.ones((n, n)) - np.eye(n)
    for points in (np.zeros((n, 3)), np.tile([1e6, -1e6], (n, 1)), np.arange(2.0 * n).reshape(n, 2), hollow):
        found = values_of("niches", fold, {"c1": points.astype(np.float32)}, "unsupervised")
        assert set(found) == set(REGISTRY.families["niches"].modes["unsupervised"])
        if n == 30 and not np.ptp(points, axis=0).any():
            assert found["ari"].value == 0, "equal points are one cluster"


@pytest.mark.parametrize("n", [1, 5, 80])
def test_embeddings_with_duplicates_and_of_few_units(n):
    made = EmbeddingQuestion(settings(Embedding))
    train = [labelled("a1", "a", NICHES[:n], xy_um=PLACES[:n])]
    fold = asked(made, train, [labelled("c1", "c", NICHES[:n], xy_um=PLACES[:n])])
    twice = np.repeat(np.arange(float(n)), 2)[:n, None].astype(np.float32)
    for points in (np.zeros((n, 2), np.float32), twice):
        found = values_of("embedding", fold, {"a1": points, "c1": points})
        for value in found.values():
            assert value.n_total == value.n_valid + sum(value.undefined.values())


@pytest.mark.parametrize("n", [1, 12])
def test_spots_of_one_type_and_of_unknown_types(n):
    nan = np.full(n, np.nan)
    train = [spots("a1", "a", [5] * 12, **{"T cells": np.linspace(0, 1, 12), "B": np.linspace(1, 0, 12)})]
    for test in (
        spots("c1", "c", [5] * n, **{"T cells": np.ones(n), "B": np.zeros(n)}),
        spots("c1", "c", [5] * n, **{"T cells": nan, "B": nan}),
        replace(spots("c1", "c", [5] * n, B=np.ones(n)), measures={}),
    ):
        fold = asked(ProportionsQuestion(settings(Proportions)), train, [test])
        found = values_of("proportions", fold, {"c1": np.full((n, 2), 0.5, np.float32)})
        for value in found.values():
            assert value.n_total == value.n_valid + sum(value.undefined.values())
