"""Run with pytest in this folder, after `pip install .`: ratios.stbench.yaml is collected too."""

from __future__ import annotations

import numpy as np
from stbench_ratios.scores import quantile_error


def test_the_error_is_that_of_the_quantile():
    truth = np.arange(10.0)[:, None]
    scores = quantile_error(truth, np.zeros((10, 1)), measured=np.array([True]), genes=["A"], quantile=0.5)
    assert scores.values.tolist() == [4.5]
