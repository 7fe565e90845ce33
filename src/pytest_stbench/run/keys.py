"""What a stored prediction depends on; any change of it is another key."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench import __version__
from pytest_stbench.models.identity import digest_of
from pytest_stbench.spec.numbers import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REQUIRED = frozenset({"task", "dataset", "train", "test", "seed", "model", "genes"})
SHAPING = ("baselines", "data", "families", "kernels", "models", "preprocess", "splits")
"""Subpackages whose code decides what a model is given and what is kept of its output."""


def cell_key(parts: Mapping[str, Any]) -> str:
    """Return the key (SHA-256, hex) of one cell of the grid for one model.

    Parameters
    ----------
    parts
        JSON-safe; at least ``task`` (what of the task file matters to predictions: metrics,
        gates and checks do not), ``dataset`` (checksum of the data), ``train`` and ``test``
        (slide ids, and the blocks of a split within slides), ``seed``, ``model`` (digest of the
        identity) and ``genes`` (those asked for, or their digest). The code version is added.

    Raises
    ------
    ValueError
        When one of these is missing: a key that leaves something out would serve the prediction
        of another model, task or data set.
    """
    missing = sorted(REQUIRED - parts.keys())
    if missing:
        message = f"the key of a prediction needs {', '.join(missing)}"
        raise ValueError(message)
    return digest_of({"parts": dict(parts), "code": code_version()})


@cache
def code_version(*further: str) -> str:
    """Return the versions of the package and of its numbers, with a digest of the code behind them.

    That is the code that shapes predictions, and the `further` subpackages. The digest changes with
    every edit of it, so that a development checkout never serves what was kept the day before.
    """
    return f"{__version__}+numbers.{NUMBERS}+{source_digest(Path(__file__).parents[1], (*SHAPING, *further))}"


def source_digest(package: Path, subpackages: Sequence[str]) -> str:
    """Return 16 hex digits over names and contents of the ``.py`` files of `subpackages`."""
    digest = hashlib.sha256()
    for name in sorted(subpackages):
        for path in sorted((package / name).rglob("*.py")):
            digest.update(path.relative_to(package).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
