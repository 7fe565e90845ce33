"""A truth, a prediction and the further inputs that a metric needs."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench import metrics
from pytest_stbench.metrics.catalogue import METRICS

RECORDS = {record.name: record for record in METRICS}


def _inputs_of(name, n, g, seed=0):
    rng = np.random.default_rng(seed)
    given_inputs = {"libsize": rng.integers(100, 5000, n), "train_mean": rng.gamma(2.0, size=g)}
    return {key: given_inputs[key] for key in RECORDS[name].inputs}


def _pair_of(n=30, g=12, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.gamma(2.0, size=(n, g))
    return truth, np.abs(0.5 * truth + rng.normal(size=(n, g)))


def _score(name, truth, prediction, **keywords):
    truth = np.asarray(truth)
    return getattr(metrics, name)(truth, prediction, **{**_inputs_of(name, *truth.shape), **keywords})


@pytest.fixture(scope="session")
def inputs_of():
    """(metric name, n, g) -> its further keyword arguments."""
    return _inputs_of


@pytest.fixture(scope="session")
def pair_of():
    """(n, g, seed) -> a truth and a prediction that follows it."""
    return _pair_of


@pytest.fixture(scope="session")
def score():
    """(metric name, truth, prediction) -> Scores, with the further inputs filled in."""
    return _score
