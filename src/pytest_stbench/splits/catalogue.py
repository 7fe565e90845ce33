"""The split designs that a task file may name."""

from __future__ import annotations

from pytest_stbench.index import own
from pytest_stbench.registry import Split

SPLITS = own(Split)
