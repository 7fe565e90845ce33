"""What a stored prediction depends on; any change of it is another key."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench import __version__
from pytest_stbench.models.identity import json_digest
from pytest_stbench.spec.numbers import NUMBERS
from pytest_stbench.store.foreign import foreign_code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SOURCES = frozenset({".py", ".csv", ".txt", ".gz"})
REQUIRED = frozenset({"task", "dataset", "train", "test", "seed", "model", "genes"})
RECORDS = frozenset({"baseline", "family", "reader", "split"})
"""Records of other packages that decide the same."""
OF_RECORDS = {"metrics": "metric", "checks": "check"}
"""What further subpackages hold, as records of other packages are called."""
SHAPING = ("baselines", "data", "families", "kernels", "models", "preprocess", "resources", "splits")
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
        raise ValueError(f"the key of a prediction needs {', '.join(missing)}")
    return json_digest({"parts": dict(parts), "code": code_version()})


@cache
def code_version(*further: str) -> str:
    """Return the versions of the package and of its numbers, with a digest of the code behind them.

    That is the code that shapes predictions, that of other packages which add records that do, and the
    `further` subpackages with the records of their kind. The digest changes with every edit of it, so
    that a development checkout never serves what was kept the day before.
    """
    own = source_digest(Path(__file__).parents[1], further or SHAPING)
    kinds = frozenset(OF_RECORDS[name] for name in further if name in OF_RECORDS) if further else RECORDS
    foreign = foreign_code(kinds) if kinds else ""
    # The code that shapes predictions is most of the package: read once for all.
    first = code_version() if further else f"{__version__}+numbers.{NUMBERS}"
    return f"{first}+{own}{foreign and f'+{foreign}'}"


def source_digest(package: Path, subpackages: Sequence[str]) -> str:
    """Return 16 hex digits over names and contents of the code and tables of `subpackages`."""
    digest = hashlib.sha256()
    for name in sorted(subpackages):
        # Asked at every start: walking by text takes a third of the time that walking by Path does.
        found = [
            os.path.join(folder, file)  # noqa: PTH118
            for folder, _, files in os.walk(package / name)
            for file in files
            if os.path.splitext(file)[1] in SOURCES  # noqa: PTH122
        ]
        for path in sorted(found):
            digest.update(os.path.relpath(path, package).replace(os.sep, "/").encode() + b"\0")
            with open(path, "rb") as file:  # noqa: PTH123
                digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()[:16]
