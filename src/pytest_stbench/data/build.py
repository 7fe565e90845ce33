"""Building what models are given out of slides: whitelisted fields, copied one by one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.inputs import ModelSlide, TrainSlide, TruthSlide
from pytest_stbench.data.later import Later
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.data.region import Region
    from pytest_stbench.data.slide import Slide


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
