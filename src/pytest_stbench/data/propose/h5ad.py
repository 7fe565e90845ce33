"""What one h5ad file says of itself: units, genes, labels, scale; counts are only sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.propose import vocabulary
from pytest_stbench.data.readers import hdf5
from pytest_stbench.data.readers.counts import shape_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

SAMPLED_VALUES = 200_000
SAMPLED_ROWS = 200
MAX_LEVELS = 60
MAX_SPACING_UNITS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class H5adFacts:
    """One file.

    ``columns`` holds the distinct values and (n,) codes of every column with a usual name;
    ``texts`` and ``scales`` what ``uns`` says in words and where it has a pixel size;
    ``spacing`` is the median distance of a unit to its nearest neighbour in units of `spatial`,
    nan where there are no coordinates.
    """

    path: Path
    n_units: int
    genes: tuple[str, ...]
    counts: str | None
    columns: dict[str, tuple[list[str], NDArray[np.intp]]]
    all_columns: tuple[str, ...]
    array: tuple[str, str] | None
    even: bool
    spatial: str | None
    obsm: tuple[str, ...]
    spacing: float
    texts: dict[str, str]
    scales: tuple[str, ...]
    image_scale: str | None

    def slides_by(self, column: str | None) -> tuple[str, ...]:
        """Return the slides of the file as told apart by `column`; by its name where that is None."""
        if column is None:
            return (self.path.stem,)
        names, codes = self.columns[column]
        return tuple(names[code] for code in sorted(set(codes.tolist())))

    def values(self, column: str, slides_by: str | None, slide: str) -> tuple[str, ...]:
        """Return the distinct values of `column` on a slide; an empty one where it is missing."""
        names, codes = self.columns[column]
        if slides_by is not None:
            slides, of = self.columns[slides_by]
            codes = codes[of == slides.index(slide)]
        return tuple(sorted({names[code] if code >= 0 else "" for code in set(codes.tolist())}))


def look_at(path: Path, further: Collection[str] = ()) -> H5adFacts:
    """Return what the file says, columns called `further` included.

    Raises ``DataError`` where it cannot be read.
    """
    wanted = (
        *further,
        *vocabulary.SLIDE, *vocabulary.PATIENT, *vocabulary.NICHE, *vocabulary.CELL_TYPE, *vocabulary.DISEASE,
        *vocabulary.SITE,
    )  # fmt: skip
    with hdf5.opened(path) as file:
        obs, there = file["obs"], hdf5.columns(file["obs"])
        array = next((pair for pair in vocabulary.ARRAY if set(pair) <= set(there)), None)
        obsm = tuple(file.get("obsm", {}))
        spatial = next((name for name in ("spatial", "X_spatial", "spatial_um") if name in obsm), None)
        counts = _counts(file)
        uns = file.get("uns", {})
        return H5adFacts(
            path=path,
            n_units=len(hdf5.index_of(obs)),
            genes=tuple(hdf5.index_of(_var(file, counts)).tolist()),
            counts=counts,
            columns={name: hdf5.categories(obs, name) for name in there if name in wanted},
            all_columns=there,
            array=array,
            even=array is not None and _is_even(obs, array),
            spatial=spatial,
            obsm=obsm,
            spacing=_spacing(file, spatial),
            texts=_texts(uns),
            scales=tuple(key for key in vocabulary.SCALE if _is_number(uns, key)),
            image_scale=next(
                (
                    f"image.{key}"
                    for key in vocabulary.SCALE
                    if "image" in uns and _is_number(uns["image"], key)
                ),
                None,
            ),
        )


def _var(file: h5py.File, counts: str | None) -> Any:
    return file["raw/var"] if counts == "raw" and "raw/var" in file else file["var"]


def _counts(file: h5py.File) -> str | None:
    """Return where raw counts are: ``X``, a layer or ``raw``; None where all values are transformed."""
    layers = file.get("layers", {})
    named = [name for name in vocabulary.COUNTS if name in layers]
    places = {name: layers[name] for name in [*named, *(name for name in layers if name not in named)]}
    if "X" in file:
        places = {"X": file["X"], **places}
    if "raw/X" in file:
        places["raw"] = file["raw/X"]
    return next((name for name, node in places.items() if _holds_counts(node)), None)


def _holds_counts(node: Any) -> bool:
    if hasattr(node, "keys"):
        values = node["data"][:SAMPLED_VALUES]
    else:
        rows, columns = shape_of(node)
        values = node[: min(rows, max(1, SAMPLED_VALUES // max(columns, 1)), SAMPLED_ROWS)].ravel()
    if not values.size or values.dtype.kind not in "iuf":
        return False
    return bool(np.isfinite(values).all() and (values >= 0).all() and (values == np.rint(values)).all())


def _is_even(obs: Any, array: tuple[str, str]) -> bool:
    """Return whether row + column is even everywhere, as on the array of Visium."""
    rows, columns = (
        np.asarray(obs[name][()]) if not hasattr(obs[name], "keys") else np.empty(0) for name in array
    )
    if rows.dtype.kind not in "iuf" or not rows.size or rows.shape != columns.shape:
        return False
    total = rows + columns
    return bool((total % 2 == 0).all() and len(set(rows.tolist())) > 1)


def _spacing(file: h5py.File, spatial: str | None) -> float:
    if spatial is None:
        return float("nan")
    from scipy.spatial import cKDTree

    xy = np.asarray(hdf5.matrix(file["obsm"][spatial]), dtype=np.float64)[:, :2]
    xy = np.unique(xy[np.isfinite(xy).all(axis=1)], axis=0)
    if len(xy) < 2:
        return float("nan")
    asked = xy[:: max(1, len(xy) // MAX_SPACING_UNITS)]
    return float(np.median(cKDTree(xy).query(asked, k=2)[0][:, 1]))


def _texts(uns: Any) -> dict[str, str]:
    found = {}
    for key in ("technology", "platform", "organ", "tissue", "disease", "spatial_units"):
        node = uns.get(key)
        if hasattr(node, "shape") and node.shape == ():
            value = node[()]
            text = value.decode() if isinstance(value, bytes) else str(value)
            if not vocabulary.is_unknown(text):
                found[key] = text
    return found


def _is_number(node: Any, key: str) -> bool:
    if not hasattr(node, "get"):
        return False
    value = node.get(key)
    return (
        hasattr(value, "dtype")
        and value.dtype.kind in "iuf"
        and value.size == 1
        and float(np.ravel(value[()])[0]) > 0
    )
