"""A metric: how far a value is off, whatever its scale."""

from __future__ import annotations

import numpy as np

from pytest_stbench.extend import metric
from pytest_stbench.metrics import Scores


@metric("E01", bounds=(0.0, None), better="down", group="error", params=("quantile",))
def quantile_error(truth, prediction, *, measured, genes, quantile=0.5):
    """Quantile of the absolute errors of each gene over the units of a slide.

    `truth` and `prediction` are (units, genes); the default is the median.
    """
    values = np.quantile(np.abs(truth - prediction), quantile, axis=0)  # nan for what was not measured
    return Scores(values=values, reasons=np.where(measured, "", "gene_missing"), labels=np.asarray(genes))
