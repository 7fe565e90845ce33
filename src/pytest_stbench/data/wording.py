"""Wording shared by the error messages of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def listing(names: Iterable[object], limit: int = 12) -> str:
    """Return ``a, b, c``, cut after `limit` names with the number of the others; ``none`` if empty."""
    all_names = [str(name) for name in names]
    if not all_names:
        return "none"
    shown = ", ".join(all_names[:limit])
    rest = len(all_names) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown


def absent(what: str, name: str, key: str, there: Collection[str]) -> str:
    """Return that `what` has no column `name`, which `key` asks for, and which it has."""
    return f"{what} has no column {name!r} ({key}); its columns are {listing(there)}{nearest(name, there)}"


def byte_size(number: float) -> str:
    """Return a number of bytes as text, in steps of 1,000: ``999 bytes``, ``1.2 MB``."""
    if number < 1000:
        return f"{number:.0f} bytes"
    for unit in ("kB", "MB"):
        number /= 1000
        if number < 1000:
            return f"{number:.1f} {unit}"
    return f"{number / 1000:,.1f} GB"
