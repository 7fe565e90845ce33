"""A digest of everything that is drawn for a slide."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.readers.protocol import RawSlide

DECIMALS = 4
"""Decimals of numbers that are not whole: coarser than their last digits, which differ between machines."""


def drawn(slide: RawSlide) -> str:
    """Return a digest of counts, places, names, labels, measures, transcripts and image of a slide."""
    counts = slide.counts.tocsr().sorted_indices()
    parts: list[NDArray[Any]] = [counts.indptr, counts.indices, counts.data, slide.xy_um]
    parts += [slide.genes, slide.unit_names, *_by_name(slide.labels), *_by_name(slide.measures)]
    if slide.transcripts is not None:
        for batch in slide.transcripts.batches():
            parts += [batch.x_um, batch.y_um, batch.feature]
    if slide.image is not None:
        parts.append(slide.image.pixels())
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"\n{part.shape}".encode() + _as_bytes(part))
    return digest.hexdigest()


def _by_name(columns: Any) -> list[NDArray[Any]]:
    return [values for name in sorted(columns) for values in (np.array([name]), columns[name])]


def _as_bytes(values: NDArray[Any]) -> bytes:
    """Return bytes that are equal for equal values, whatever their type and the order of bytes."""
    if values.dtype.kind in "OUT":
        return "\0".join(map(str, values.ravel().tolist())).encode()
    if values.dtype.kind in "iub":
        return values.astype("<i8").tobytes()
    whole = np.round(np.nan_to_num(values.astype("<f8"), nan=-1e30, posinf=1e30, neginf=-2e30), DECIMALS)
    data: bytes = (whole + 0.0).tobytes()
    return data
