"""T10, segmentation: the outlines of nuclei or cells in tiles of the image."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.build import build_input
from pytest_stbench.data.features import GENE
from pytest_stbench.errors import DataError
from pytest_stbench.families.question import Arms, Latest, Plan, Question, Request, Truth
from pytest_stbench.families.segmentation.tiles import region_of, tiles_of
from pytest_stbench.metrics.assignment import Molecules
from pytest_stbench.metrics.masks import without_border
from pytest_stbench.models.contract_labels import accept_mask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.region import Region
    from pytest_stbench.data.slide import Segmentation, Slide, TranscriptBatch, Transcripts
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Predicted
    from pytest_stbench.families.segmentation.tiles import Tile
    from pytest_stbench.models.predictions import Place, PredictionFolder
    from pytest_stbench.registry import Metric

    Masks = list[NDArray[np.int32]]

MIN_QV = 20.0


class SegmentationQuestion(Question):
    """Outline every nucleus or cell of a tile.

    A model gets the tile (``region``) and the image of the slide. Units are cells, so that their
    places would be the answer: a test slide is handed out without any.
    """

    of_units = False

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Ask for masks; no expression is asked or handed out."""
        del train
        return Plan(candidates=None, observed=np.empty(0, np.intp), counted={})

    def build_input(self, slide: Slide, fold: FoldData) -> ModelSlide:
        """Return image and coordinates of a training slide."""
        del fold
        return build_input(slide, observed=None, with_image=True, with_embedding=False)

    def requests(self, fold: FoldData) -> tuple[Request, ...]:
        """Return the tiles of all test slides.

        Raises ``DataError`` when a slide is on both sides: tiles of one side would show the other.
        """
        shared = {slide.meta.slide_id for slide in fold.train} & {slide.meta.slide_id for slide in fold.test}
        if shared:
            raise DataError(
                f"slide {min(shared)} is in training and test: tiles cannot be parted within a slide; use a "
                "split by patients, such as lopo"
            )
        return tuple(
            Request(key=_key(slide, tile), slide=slide, detail=tile)
            for slide in fold.test
            for tile in tiles_of(slide, self.settings.own)
        )

    def given(self, request: Request, fold: FoldData) -> ModelSlide:
        """Return the image of the slide, without its units."""
        return self.build_input(request.slide.select(np.empty(0, np.intp)), fold)

    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Call ``segment(slide, region)``."""
        del task
        return model.segment(given, region_of(request.slide, request.detail, self.settings.own.object))

    def accept(self, raw: object, request: Request, fold: FoldData, where: str) -> NDArray[Any]:
        """Return a checked mask, (H, W) int32."""
        del fold
        return accept_mask(raw, request.detail.shape, where)

    def read(self, files: PredictionFolder, place: Place, request: Request, fold: FoldData) -> object:
        """Return the mask of a tile: an array of the slide's npz, under the name of the tile."""
        del fold
        return files.read_array(place, request.slide.meta.slide_id, request.detail.name)

    def exported(self, request: Request, fold: FoldData) -> dict[str, NDArray[Any]]:
        """Return image, place and resolution of a tile."""
        del fold
        return region_of(request.slide, request.detail, self.settings.own.object).arrays()

    def lessons(self, slide: Slide, fold: FoldData) -> dict[str, Any]:
        """Return the tiles of a training slide with their true masks, made when they are gone through."""
        del fold
        return {"make_tiles": partial(self._tiles_with_masks, slide)}

    def truth(self, slide: Slide, fold: FoldData) -> MaskTruth:
        """Return the true masks of the tiles of a test slide."""
        del fold
        tiles = tiles_of(slide, self.settings.own)
        outlines = self.outlines(slide)
        return MaskTruth(
            tiles={_key(slide, tile): tile for tile in tiles},
            masks=[outlines.labels(tile.mpp, tile.window_um) for tile in tiles],
            transcripts=slide.transcripts,
        )

    def outlines(self, slide: Slide) -> Segmentation:
        """Return the outlines that are taken as right. Raises ``DataError`` where there are none."""
        own = self.settings.own
        there = slide.segmentations
        fitting = {name: found for name, found in there.items() if found.kind == own.object}
        name = own.truth or (own.object if own.object in fitting else next(iter(fitting), ""))
        if name in fitting:
            return fitting[name]
        found = ", ".join(f"{key} ({outline.kind})" for key, outline in there.items()) or "none"
        wanted = repr(own.truth) if own.truth else f"any of kind {own.object}"
        raise DataError(
            f"slide {slide.meta.slide_id} has the outlines {found}, not {wanted}: set `truth` and "
            "`object` of `segmentation:` to what the data has"
        )

    def _tiles_with_masks(self, slide: Slide) -> Iterator[tuple[Region, NDArray[np.int32]]]:
        own = self.settings.own
        outlines = self.outlines(slide)
        for tile in tiles_of(slide, own):
            yield region_of(slide, tile, own.object), outlines.labels(tile.mpp, tile.window_um)


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskTruth(Truth):
    """What the predicted masks of the tiles of one slide are scored against.

    ``tiles`` are by the key of their request, ``masks`` in the same order. Instances that touch
    the edge of a tile are cut off there: they are left out of truth and prediction alike, but for
    metrics of transcripts, to which every pixel counts.
    """

    tiles: Mapping[str, Tile]
    masks: Masks
    transcripts: Transcripts | None
    _latest: Latest[Masks] = field(default_factory=Latest, init=False)

    @property
    def n_units(self) -> int:
        """Number of true instances that are scored, over all tiles."""
        return sum(len(np.unique(mask[mask > 0])) for mask in self._inner[0])

    @property
    def n_ignored(self) -> int:
        """Number of true instances that touch the edge of their tile."""
        return self._inner[1]

    def arms(self, record: Metric, predicted: Predicted) -> tuple[Arms, ...]:
        """Return true and predicted masks of all tiles: together they make one score."""
        masks = [predicted[key] for key in self.tiles]
        if "transcripts" in record.inputs:
            return (Arms(truth=self.masks, prediction=masks, offered=self.offered),)
        inner = self._latest.of(masks[0], lambda: _inner(masks)[0])
        return (Arms(truth=self._inner[0], prediction=inner, offered={}),)

    @property
    def offered(self) -> dict[str, Callable[[], Any]]:
        """What a metric may ask for by name."""
        return {} if self.transcripts is None else {"transcripts": lambda: self._molecules}

    @cached_property
    def _inner(self) -> tuple[Masks, int]:
        return _inner(self.masks)

    @cached_property
    def _molecules(self) -> list[Molecules]:
        """Transcripts of each tile: of genes alone, none of quality below 20."""
        assert self.transcripts is not None  # offered only then
        genes = self.transcripts.kinds == GENE
        found: list[list[tuple[NDArray[np.float64], NDArray[np.int32]]]] = [[] for _ in self.tiles]
        for batch in self.transcripts.batches():
            for part, tile in zip(found, self.tiles.values(), strict=True):
                part.append(_within(batch, tile, genes))
        names = self.transcripts.features
        return [
            Molecules(
                xy_px=np.concatenate([NO_PLACES, *(xy for xy, _ in part)]),
                gene=np.concatenate([NO_GENES, *(gene for _, gene in part)]),
                names=names,
            )
            for part in found
        ]


NO_PLACES, NO_GENES = np.empty((0, 2)), np.empty(0, np.int32)


def _within(
    batch: TranscriptBatch, tile: Tile, genes: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the places in a tile, in pixels, and the features of the transcripts that count there."""
    x0, y0, x1, y1 = tile.window_um
    inside = (batch.x_um >= x0) & (batch.x_um < x1) & (batch.y_um >= y0) & (batch.y_um < y1)
    inside &= genes[batch.feature]
    if batch.qv is not None:
        inside &= batch.qv >= MIN_QV
    xy = np.stack([batch.x_um[inside] - x0, batch.y_um[inside] - y0], axis=1) / tile.mpp
    return xy, batch.feature[inside]


def _inner(masks: Masks) -> tuple[Masks, int]:
    """Return masks without the instances that touch an edge, and how many these are."""
    kept = [without_border(mask) for mask in masks]
    return [mask for mask, _ in kept], sum(number for _, number in kept)


def _key(slide: Slide, tile: Tile) -> str:
    return f"{slide.meta.slide_id}+{tile.name}"
