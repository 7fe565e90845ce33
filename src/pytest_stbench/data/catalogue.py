"""The readers: what ``source:`` of a data set may be."""

from __future__ import annotations

from pytest_stbench.index import own
from pytest_stbench.registry import Reader

READERS = own(Reader)
