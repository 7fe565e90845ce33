"""Predictions in one file: written whole or not at all, read with every value checked."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.atomic import sealed, unsealed, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = 2
KINDS = (np.dtype(np.float32), np.dtype(np.int32))
"""Values and instance masks."""
HEAD = "head"


def write_archive(
    path: Path, values: Mapping[str, NDArray[Any]], *, key: str, meta: Mapping[str, Any]
) -> None:
    """Write one float32 or int32 array per slide with key and meta (JSON-safe) as an ``.npz``, atomically.

    Raises ``TypeError`` for anything else: nothing is ever pickled.
    """
    for slide, matrix in values.items():
        if not isinstance(matrix, np.ndarray) or matrix.dtype not in KINDS:
            raise TypeError(f"the prediction of slide {slide!r} must be a float32 or int32 array")
    slides = [[slide, array_digest(matrix)] for slide, matrix in values.items()]
    head = {"format": FORMAT, "slides": slides, "meta": meta}
    arrays: dict[str, Any] = {HEAD: np.frombuffer(sealed(key, head), dtype=np.uint8)}
    arrays.update((f"slide_{i}", matrix) for i, matrix in enumerate(values.values()))
    write_atomically(path, lambda file: np.savez(file, **arrays))


def read_archive(path: Path, *, key: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return matrices by slide, and meta.

    Raises ``FileNotFoundError``, ``ValueError`` when the file belongs to another key or format, or holds
    other values than were written, and whatever a damaged file makes zip and numpy raise.
    """
    # Opened here, because numpy leaves a damaged file open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        head = _head(archive, key)
        values = {slide: archive[f"slide_{i}"] for i, (slide, _) in enumerate(head["slides"])}
    for slide, digest in head["slides"]:
        if values[slide].dtype not in KINDS or array_digest(values[slide]) != digest:
            raise ValueError(f"its values of slide {slide!r} are others than were written")
    return values, head["meta"]


def read_meta(path: Path) -> dict[str, Any]:
    """Return the meta of a prediction without its values; raises as :func:`read_archive` does."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        meta: dict[str, Any] = _head(archive, path.stem)["meta"]
    return meta


def _head(archive: Any, key: str) -> dict[str, Any]:
    head: dict[str, Any] = unsealed(key, archive[HEAD].tobytes())
    if head["format"] != FORMAT:
        raise ValueError(f"it holds format {head['format']}")
    return head


def array_digest(matrix: NDArray[Any]) -> str:
    """Return the SHA-256 (hex) of an array: its type, shape and values."""
    digest = hashlib.sha256(f"{matrix.dtype.str}{matrix.shape}".encode())
    digest.update(np.ascontiguousarray(matrix).data if matrix.ndim else matrix.tobytes())
    return digest.hexdigest()
