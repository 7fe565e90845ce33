"""What each metric is, from the index: the functions load when they are first needed."""

from __future__ import annotations

from pytest_stbench.index import own
from pytest_stbench.registry import Metric

METRICS = own(Metric)
