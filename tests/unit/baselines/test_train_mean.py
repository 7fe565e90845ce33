from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_stbench.baselines.oracle_patient_mean import OraclePatientMean
from pytest_stbench.baselines.train_mean import TrainMean, mean_of_patient_means
from pytest_stbench.errors import ModelError


def test_golden_mean_of_patient_means():
    blocks = [np.array([[1.0], [2.0]]), np.array([[6.0]]), np.array([[10.0]])]
    # Patient a: (1 + 2 + 6) / 3 = 3; patient b: 10.
    assert mean_of_patient_means(["a", "a", "b"], blocks) == pytest.approx([6.5])


def test_what_was_not_measured_does_not_count(recwarn):
    nan = np.nan
    blocks = [np.array([[1.0, nan, nan], [3.0, nan, nan]]), np.array([[8.0, 5.0, nan]])]
    assert mean_of_patient_means(["a", "b"], blocks) == pytest.approx([5.0, 5.0, 0.0])
    assert not recwarn.list


def test_every_unit_gets_the_mean_in_the_asked_order(cohort):
    model = TrainMean()
    model.fit(cohort.train, cohort.task)
    a = np.concatenate([cohort.train[0].target, cohort.train[1].target]).mean(axis=0)
    expected = (a + cohort.train[2].target.mean(axis=0) + cohort.train[3].target.mean(axis=0)) / 3
    found = model.impute(cohort.given(0), cohort.task.observed_genes, ["T2", "T0"])
    assert found.dtype == np.float32
    assert found.shape == (64, 2)
    assert found == pytest.approx(np.tile(expected[[2, 0]], (64, 1)), rel=1e-5)
    with pytest.raises(ModelError, match="asked for 1 others, such as X"):
        model.predict_expression(cohort.given(0), ["T0", "X"])


def test_oracle_is_the_mean_of_the_slide_or_of_the_patient(cohort):
    oracle = OraclePatientMean()
    oracle.fit([], cohort.task)
    alone = oracle.predict(cohort.truth(0))
    assert alone == pytest.approx(np.tile(cohort.train[0].target.mean(axis=0), (64, 1)), rel=1e-5)
    oracle.observe([cohort.truth(0), cohort.truth(1), cohort.truth(2)])
    both = np.concatenate([cohort.train[0].target, cohort.train[1].target]).mean(axis=0)
    assert oracle.predict(cohort.truth(1))[5] == pytest.approx(both, rel=1e-5)
    assert oracle.predict(cohort.truth(2))[0] == pytest.approx(cohort.train[2].target.mean(axis=0), rel=1e-5)


def test_oracle_without_a_measured_gene_is_finite(cohort):
    values = cohort.truth(0).values.copy()
    values[:, 1] = np.nan
    assert np.isfinite(OraclePatientMean().predict(replace(cohort.truth(0), values=values))).all()
