"""Wording shared by the error messages of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def listing(names: Iterable[object], limit: int = 12) -> str:
    """Return ``a, b, c``, cut after `limit` names with the number of the others; ``none`` if empty."""
    all_names = [str(name) for name in names]
    if not all_names:
        return "none"
    shown = ", ".join(all_names[:limit])
    rest = len(all_names) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown
