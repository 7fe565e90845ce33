"""Building what models are given out of slides: whitelisted fields, copied one by one, in an order.

Places decide the order and the names of units, so that neither tells a label.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pytest_stbench.data.holding import once
from pytest_stbench.data.inputs import ModelSlide, TrainSlide, TruthSlide
from pytest_stbench.data.later import Later
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.errors import DataError
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.data.region import Region
    from pytest_stbench.data.slide import Slide

    Given = TypeVar("Given", bound=ModelSlide)


def build_input(
    slide: Slide, *, observed: NDArray[np.intp] | None, with_image: bool, with_embedding: bool
) -> ModelSlide:
    """Return a slide as a model sees it: copies of what the family hands out and nothing else.

    Names and coordinates of the units and the slide's metadata are always given.

    Parameters
    ----------
    slide
        The slide with its truth.
    observed
        Columns of ``slide.genes`` whose raw counts the model is given, in this order; None for no
        counts (units without variables).
    with_image, with_embedding
        Hand out the image or the declared embedding. A slide that has none gives None or no
        entry.
    """
    units = _units(slide, observed)
    if with_embedding and slide.embedding is not None:
        units.obsm["embedding"] = slide.embedding.astype(np.float32, copy=True)
    image = None
    if with_image and slide.image is not None:
        if slide.xy_px is None:
            message = f"slide {slide.meta.slide_id} has an image and no pixel coordinates; set image.spatial"
            raise DataError(message)
        image = slide.image.input(slide.xy_px)
    return ModelSlide(units=units, meta=slide.meta, image=image)


def build_train(
    slide: Slide,
    given: ModelSlide,
    target: NDArray[np.floating],
    *,
    labels: NDArray[np.object_] | None = None,
    proportions: NDArray[np.float64] | None = None,
    make_tiles: Callable[[], Iterator[tuple[Region, NDArray[np.int32]]]] | None = None,
) -> TrainSlide:
    """Return a training slide: `given` (what a model sees of it) and the truth it may learn from.

    `target` is (n, g) on the task's scale and is copied to float32, `labels` (n,) and
    `proportions` (n, k) are copied, `make_tiles` yields tiles and true masks; ``counts`` holds the
    raw counts of all genes the slide measured, copied when they are asked for. Raises ``DataError``
    when rows do not fit.
    """
    _refuse_rows(slide, given, len(target))
    # Transcripts and outlines are of the whole slide, whichever units are chosen.
    counted = replace(slide, image=None, embedding=None, labels={}, transcripts=None, segmentations={})
    return TrainSlide(
        units=given.units,
        meta=given.meta,
        image=given.image,
        target=np.array(target, dtype=np.float32, order="C"),
        make_counts=Later(partial(_units, counted, np.flatnonzero(slide.measured))),
        labels=None if labels is None else labels.copy(),
        proportions=None if proportions is None else proportions.copy(),
        make_tiles=None if make_tiles is None else Later(make_tiles, kept=list),
    )


def build_truth(slide: Slide, given: ModelSlide, values: NDArray[np.floating]) -> TruthSlide:
    """Return a slide as a diagnostic baseline sees it: `given` with the truth beside it.

    `values` is (n, g) on the task's scale and is copied to float64. Raises ``DataError`` when
    rows do not fit.
    """
    _refuse_rows(slide, given, len(values))
    return TruthSlide(
        input=given, values=np.array(values, dtype=np.float64, order="C"), libsize=slide.libsize.copy()
    )


@quiet_anndata()
def _units(slide: Slide, columns: NDArray[np.intp] | None) -> AnnData:
    # A run whose predictions are all stored makes no input, and does without two of the largest imports.
    import pandas as pd
    from anndata import AnnData

    obs = pd.DataFrame(index=pd.Index(slide.unit_names.astype(object)))
    if columns is None:
        units = AnnData(obs=obs)
    else:
        var = pd.DataFrame(
            {"measured": slide.measured[columns]}, index=pd.Index(slide.genes[columns].astype(object))
        )
        units = AnnData(X=_model_counts(slide.counts, columns), obs=obs, var=var)
    units.obsm["spatial"] = slide.xy_um.astype(np.float64, copy=True)
    return units


def _model_counts(counts: csr_matrix, columns: NDArray[np.intp]) -> csr_matrix:
    if len(columns) == counts.shape[1] and np.array_equal(columns, np.arange(counts.shape[1])):
        taken = counts.copy()
    else:
        taken = counts[:, columns]
    return taken.astype(np.float32) if taken.dtype.kind == "f" else taken


def _refuse_rows(slide: Slide, given: ModelSlide, n_rows: int) -> None:
    if not slide.n_units == given.n_units == n_rows:
        raise DataError(
            f"slide {slide.meta.slide_id} has {slide.n_units} units, "
            f"its input {given.n_units}, its truth {n_rows}"
        )


SCHEME = "by place, 1"
"""Names this order and these names in the manifest of exported inputs; another rule is another number."""

ROW_UM = 1000.0
SEED = 0
LONGER = 10**7
"""From here on names that count are longer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Arrangement:
    """How the units of a slide stand in the input of a model.

    ``rows`` (n,) is the row of the slide at each place of the input, ``names`` (n,) what the unit there
    is called; they count the places, or are the slide's ``own``. It stays with whoever asks: an input holds
    neither it nor anything that leads to it.
    """

    rows: NDArray[np.intp]
    names: NDArray[np.str_]
    own: bool = False

    @cached_property
    def _index(self) -> pd.Index[str]:
        import pandas as pd

        if not self.own:
            return _first_index(_at_least(len(self.names)))[: len(self.names)]
        index: pd.Index[str] = pd.Index(self.names.astype(object))
        return index

    def arranged(self, given: Given) -> Given:
        """Return an input of the slide in this order, under these names.

        `given` was built for this and is used up: its units are put in order where they stand.
        """
        changes: dict[str, Any] = {
            "units": _arranged(given.units, self.rows, self._index),
            "image": None if given.image is None else given.image.in_order(self.rows),
        }
        if isinstance(given, TrainSlide):
            changes |= {
                "target": given.target[self.rows],
                "labels": None if given.labels is None else given.labels[self.rows],
                "proportions": None if given.proportions is None else given.proportions[self.rows],
                "make_counts": Later(partial(_counts, given.make_counts, self.rows, self._index)),
            }
        return replace(given, **changes)

    def back(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return what was predicted, (n, ...), in the order of the slide."""
        own = np.empty_like(values)
        own[self.rows] = values
        return own

    @property
    def names_by_row(self) -> NDArray[np.str_]:
        """What each unit is called, in the order of the slide."""
        return self.back(self.names)


def arrange(slide: Slide, *, own_names: bool = False) -> Arrangement:
    """Return how models get the units of `slide`.

    Units come in rows of 1 mm from the top, by x, then y; those on one place, and those without
    coordinates, which come last, in an order drawn with a key that nobody knows who does not have the
    slide. Names count the places (``unit0000001``), or are the slide's own with `own_names`. Made once for
    a slide: every model is asked of it.
    """
    rows = once(slide, "rows", lambda: _rows(slide))
    names = slide.unit_names[rows] if own_names else neutral_names(slide.n_units)
    for values in (rows, names):
        values.setflags(write=False)
    return Arrangement(rows=rows, names=names, own=own_names)


def _rows(slide: Slide) -> NDArray[np.intp]:
    n = slide.n_units
    x, y = np.asarray(slide.xy_um, dtype=np.float64).reshape(n, 2).T
    placed = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(placed, x, 0.0), np.where(placed, y, 0.0)
    row = np.floor((y - y[placed].min()) / ROW_UM) if placed.any() else y
    rows = np.lexsort((y, x, row, ~placed))
    if not placed.all() or _shared(x[rows], y[rows]):
        rows = np.lexsort((stream(SEED, "units", _key(slide)).permutation(n), y, x, row, ~placed))
    return rows


def neutral_names(n: int) -> NDArray[np.str_]:
    """Return the names of `n` units in the order in which models get them."""
    return _first_names(_at_least(n))[:n]


def _at_least(n: int) -> int:
    """Return a number of names that slides of about `n` units share."""
    power = 1 << max(0, n - 1).bit_length()
    return min(power, LONGER - 1) if n < LONGER else power


@lru_cache(maxsize=4)
def _first_names(n: int) -> NDArray[np.str_]:
    names = np.array([f"unit{place:07d}" for place in range(1, n + 1)], dtype=np.str_)
    names.setflags(write=False)
    return names


@lru_cache(maxsize=4)
def _first_index(n: int) -> pd.Index[str]:
    import pandas as pd

    index: pd.Index[str] = pd.Index(_first_names(n).astype(object))
    return index


def _counts(make: Callable[[], AnnData], rows: NDArray[np.intp], index: pd.Index[str]) -> AnnData:
    return _arranged(make(), rows, index)


@quiet_anndata()
def _arranged(units: AnnData, rows: NDArray[np.intp], index: pd.Index[str]) -> AnnData:
    further = units.raw is not None or len(units.obsp) or any(name is not None for name in units.layers)
    if units.is_view or further:
        units = units[rows].copy()
    else:  # what inputs of this package have; a view and its copy take ten times as long
        if units.X is not None:
            units.X = units.X[rows]
        for name, values in dict(units.obsm).items():
            units.obsm[name] = values[rows]
        if len(units.obs.columns):
            units.obs = units.obs.iloc[rows]
    # A view: what a model names its index reaches no other input.
    units.obs_names = index.view()  # type: ignore[assignment]
    return units


def _shared(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
    """Return whether two of the sorted places are one."""
    return bool(((x[1:] == x[:-1]) & (y[1:] == y[:-1])).any())


def _key(slide: Slide) -> str:
    """Return a checksum of places and of what was counted there."""
    checksum = hashlib.blake2b(slide.meta.slide_id.encode(), digest_size=16)
    for values in (slide.xy_um, slide.libsize, slide.n_detected):
        checksum.update(np.ascontiguousarray(values).tobytes())
    return checksum.hexdigest()
