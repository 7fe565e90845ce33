"""Records of the baselines."""

from __future__ import annotations

from pytest_stbench.index import own
from pytest_stbench.registry import Baseline

BASELINES = own(Baseline)
