"""The name under which pages told users to filter warnings of the store; the store is in `store/`."""

from __future__ import annotations

from pytest_stbench.store.store import StoreWarning

__all__ = ["StoreWarning"]
