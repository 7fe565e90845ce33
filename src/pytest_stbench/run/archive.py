"""Predictions in one file: written whole or not at all, read with every byte checked."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = 1
KINDS = (np.dtype(np.float32), np.dtype(np.int32))
"""Values and instance masks."""
HEAD = "head"


def write_atomically(path: Path, write: Callable[[BinaryIO], object], *, durable: bool = True) -> None:
    """Write `path` through a temporary file beside it; readers see the old file or the new one.

    The temporary file is called ``NAME.TOKEN.tmp`` and removed when anything goes wrong. `durable`: the
    machine may lose power at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{path.name}.{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        _sync_folder(path.parent)


def write_json(path: Path, value: object, *, durable: bool = True) -> None:
    """Write `value` as JSON, atomically."""
    text = json.dumps(value, indent=1, sort_keys=True)
    write_atomically(path, lambda file: file.write(text.encode()), durable=durable)


def write_archive(
    path: Path, values: Mapping[str, NDArray[Any]], *, key: str, meta: Mapping[str, Any]
) -> None:
    """Write one float32 or int32 array per slide with key and meta (JSON-safe) as an ``.npz``, atomically.

    Raises ``TypeError`` for anything else: nothing is ever pickled.
    """
    for slide, matrix in values.items():
        if not isinstance(matrix, np.ndarray) or matrix.dtype not in KINDS:
            message = f"the prediction of slide {slide!r} must be a float32 or int32 array"
            raise TypeError(message)
    head = {"format": FORMAT, "key": key, "slides": list(values), "meta": meta}
    arrays: dict[str, Any] = {HEAD: np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)}
    arrays.update((f"slide_{i}", matrix) for i, matrix in enumerate(values.values()))
    write_atomically(path, lambda file: np.savez(file, **arrays))


def read_archive(path: Path, *, key: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return matrices by slide, and meta.

    Raises ``FileNotFoundError``, ``ValueError`` when the file belongs to another key or format,
    and whatever a damaged file makes zip and numpy raise.
    """
    # Opened here, because numpy leaves a damaged file open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        head = json.loads(archive[HEAD].tobytes())
        if head["format"] != FORMAT or head["key"] != key:
            message = f"it holds format {head['format']} and key {head['key']}"
            raise ValueError(message)
        values = {slide: archive[f"slide_{i}"] for i, slide in enumerate(head["slides"])}
    if any(matrix.dtype not in KINDS for matrix in values.values()):
        message = "it holds arrays that are neither float32 nor int32"
        raise ValueError(message)
    return values, head["meta"]


def _sync_folder(folder: Path) -> None:
    """Make the new name durable; not every system can open a folder."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
