"""Train and test folds, made from the samples table with the standard library alone."""

from __future__ import annotations

from pytest_stbench.splits.catalogue import SPLITS
from pytest_stbench.splits.designs import make_folds
from pytest_stbench.splits.table import Fold, Sample, slug

__all__ = ["SPLITS", "Fold", "Sample", "make_folds", "slug"]
