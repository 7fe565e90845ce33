from __future__ import annotations

import numpy as np

from pytest_stbench.metrics.coexpression_arms import GeneCorrelations
from pytest_stbench.metrics.cohort import mean_statistic
from pytest_stbench.metrics.niche_arms import NicheFoldChanges
from pytest_stbench.metrics.pair_arms import PairAssociations

NAN = np.nan


def test_each_mean_is_over_those_that_know():
    first = np.array([[1, 0.4, NAN], [0.4, 1, NAN], [NAN, NAN, NAN]])
    second = np.array([[1, 0.2, NAN], [0.2, 1, NAN], [NAN, NAN, NAN]])
    third = np.array([[1, NAN, 0.5], [NAN, NAN, NAN], [0.5, NAN, 1]])
    mean = mean_statistic([GeneCorrelations(values=m) for m in (first, second, third)])
    assert isinstance(mean, GeneCorrelations)
    np.testing.assert_allclose(mean.values, [[1, 0.3, 0.5], [0.3, 1, NAN], [0.5, NAN, 1]])
    pairs = mean_statistic([PairAssociations(values=[0.2, NAN]), PairAssociations(values=[0.4, NAN])])
    np.testing.assert_allclose(pairs.values, [0.3, NAN])


def test_niches_are_averaged_one_by_one():
    first = NicheFoldChanges(niches=["tumour", "fat"], values=[[1.0, 2.0], [0.0, 4.0]])
    second = NicheFoldChanges(niches=["fat"], values=[[2.0, 0.0]])
    none = NicheFoldChanges(niches=[], values=np.zeros((0, 2)))
    mean = mean_statistic([first, none, second])
    assert mean.niches == ["fat", "tumour"]
    np.testing.assert_allclose(mean.values, [[1.0, 2.0], [1.0, 2.0]])
    assert np.shape(mean_statistic([none]).values) == (0, 2)
