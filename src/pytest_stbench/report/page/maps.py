"""Maps of truth, prediction and difference, and matrices of co-expression, from what a run kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.report.page.pictures import AMOUNT, CHANGE, Slide, limits, matrix, outlined, tissue
from pytest_stbench.report.page.render import shown
from pytest_stbench.results.map_parts import outlines_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.report.page.boards import Board, Entry
    from pytest_stbench.report.page.pictures import Picture
    from pytest_stbench.report.page.render import Number
    from pytest_stbench.report.page.sources import Details, SlideMap

    Floats = NDArray[np.float64]

GENES = 4
"""Genes of a task and model that are shown: two best and two worst, three pictures each."""
FEWEST = 4
MOST = 40
"""Genes of a matrix: the fewest that have a structure, and the most that can be seen."""
BLOCK = 512
"""Genes of a map that are in memory at once."""


@dataclass(frozen=True, slots=True)
class Row:
    """One gene: its truth, prediction and difference."""

    gene: str
    score: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Matrices:
    """Co-expression of truth and prediction over the kept genes, and the SSIM of the results file."""

    genes: int
    pictures: tuple[Picture, ...]
    metric: str
    slide: Number | None
    mean: Number | None
    ceiling: Number | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One slide as one model sees it."""

    model: str
    slide: str
    bar: str
    image: Picture | None
    cells: tuple[Picture, str] | None
    rows: tuple[Row, ...]
    matrices: Matrices | None
    further: str
    columns: str


class _File:
    """A kept map: names, places, and the columns of its layers that are asked."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.genes = [str(name) for name in _element(file["var"]).index]
        self.places = np.asarray(_element(file["obsm/spatial"]), dtype=np.float64)[:, :2]
        about = _element(file["uns/stbench"]) if "uns/stbench" in file else {}
        names = dict(zip(about.get("layers", ()), about.get("models", ()), strict=True))
        self.models = {str(names.get(key, key)): key for key in file["layers"] if key != "truth"}

    def layer(self, name: str, columns: Sequence[int]) -> Floats:
        """Return columns of a layer in the order asked."""
        ascending = sorted(set(columns))
        stored = self._file["layers"][self.models.get(name, name)]
        found = _element(stored)[:, ascending].toarray() if hasattr(stored, "keys") else stored[:, ascending]
        back = [ascending.index(column) for column in columns]
        return np.asarray(found, dtype=np.float64)[:, back]

    def outlines(self, slide: str) -> tuple[Picture, str] | None:
        """Return cells with their outlines in the colours of their counts; None where none are kept."""
        if "uns/stbench/outlines" not in self._file:
            return None
        obs = _element(self._file["obs"])
        seen = outlines_from(_element(self._file["uns/stbench/outlines"]))
        said = f"Outlines {seen.name} in a window of slide {slide}, coloured by counts"
        units = obs.index.to_numpy().astype(np.str_)
        return outlined(seen, units, obs["libsize"].to_numpy(dtype=np.float64), self.places, said)

    def image(self) -> Any:
        """Return the smallest image of the tissue, cut to what the units cover; None where there is none."""
        spatial = self._file.get("uns/spatial")
        for library in spatial or ():
            images = spatial[library].get("images")
            for name in ("lowres", "hires"):
                if images is not None and name in images:
                    scale = spatial[library].get(f"scalefactors/tissue_{name}_scalef")
                    return _cut(np.asarray(images[name]), self.places, None if scale is None else scale[()])
        return None


def _cut(image: Any, places: Floats, scale: float | None) -> Any:
    """Return the part of an image on which units lie; the whole where their places do not tell."""
    if scale is None:
        return image
    known = places[np.isfinite(places).all(axis=1)] * scale
    margin = 0.02 * float((known.max(axis=0) - known.min(axis=0)).max())
    left, top = np.maximum(np.floor(known.min(axis=0) - margin), 0).astype(int).tolist()
    right, bottom = np.ceil(known.max(axis=0) + margin).astype(int).tolist()
    cut = image[top:bottom, left:right]
    return cut if cut.size else image


def _element(stored: Any) -> Any:
    from anndata.io import read_elem

    return read_elem(stored)


def sheets_of(board: Board, kept: Mapping[int, Details], *, every: bool = False) -> Iterator[Sheet]:
    """Yield the sheets of a board: of each model one slide with a few genes, or with `every` all there is."""
    for entry in board.head():
        if entry.score.role != "model":
            continue
        own = kept.get(entry.source.number)
        maps = [m for m in own.maps if (m.task, m.dataset) == (board.name, board.dataset)] if own else []
        typical = entry.typical([found.slide for found in maps])
        asked = maps if every else [found for found in maps if found.slide in typical]
        for found in asked:
            try:
                sheet = _sheet(board, entry, found, len(maps), every=every)
            except (OSError, LookupError, ValueError, TypeError, AttributeError) as error:
                if own is not None:
                    own.notices.append(
                        f"The map {found.path.name} cannot be read ({error}): it is not shown."
                    )
                continue
            if sheet is not None:
                yield sheet


def _sheet(board: Board, entry: Entry, found: SlideMap, of: int, *, every: bool) -> Sheet | None:
    import h5py

    with h5py.File(found.path) as opened:
        file = _File(opened)
        model = entry.score.model
        if model not in file.models or not np.isfinite(file.places).all(axis=1).any():
            return None
        agreement, spread = _facts(file, model)
        predicted_genes = np.flatnonzero(~np.isneginf(agreement)).tolist()
        chosen = predicted_genes if every else _ends(agreement, predicted_genes)
        truth, predicted = file.layer("truth", chosen), file.layer(model, chosen)
        matrices = _matrices(board, entry, found.slide, file, spread)
        image, cells = file.image(), file.outlines(found.slide)
    places, genes = file.places, file.genes
    columns = board.family.columns if board.family else "genes"
    slide = Slide(places)
    name = f"slide {found.slide}"
    return Sheet(
        model=entry.label,
        slide=found.slide,
        bar=slide.bar,
        image=None if image is None else tissue(image, f"The tissue of {name}"),
        cells=cells,
        rows=tuple(
            Row(
                genes[i],
                f"r {shown(float(agreement[i]), 2)}" if np.isfinite(agreement[i]) else "r not defined",
                tuple(_pictures(slide, truth[:, n], predicted[:, n], f"{genes[i]} on {name}")),
            )
            for n, i in enumerate(chosen)
        ),
        matrices=matrices,
        further=_further(len(genes) - len(chosen), 0 if every else of - 1, columns),
        columns=columns,
    )


def _further(genes: int, slides: int, columns: str) -> str:
    parts = [f"{n:,} more {what}" for n, what in ((genes, columns), (slides, "slides")) if n > 0]
    return " and ".join(parts)


def _pictures(slide: Slide, truth: Floats, predicted: Floats, what: str) -> Iterable[Picture]:
    low, high = limits(truth, predicted)
    span = f"colours from {shown(low, 2)} to {shown(high, 2)}"
    yield slide.map(truth, low, high, f"Truth of {what}, {span}", AMOUNT)
    yield slide.map(predicted, low, high, f"Prediction of {what}, {span}", AMOUNT)
    difference = predicted - truth
    most = max(map(abs, limits(difference))) or 1.0
    said = f"Prediction minus truth of {what}, colours from {shown(-most, 2)} to {shown(most, 2)}"
    yield slide.map(difference, -most, most, said, CHANGE)


def _facts(file: _File, model: str) -> tuple[Floats, Floats]:
    """Return agreement and spread of the genes of a map, a block of them in memory at a time.

    The spread is the smaller standard deviation of truth and prediction.
    """
    agreement, spread = [np.empty(0)], [np.empty(0)]
    for start in range(0, len(file.genes), BLOCK):
        columns = range(start, min(start + BLOCK, len(file.genes)))
        truth, predicted = file.layer("truth", columns), file.layer(model, columns)
        agreement.append(_agreement(truth, predicted))
        spread.append(np.minimum(truth.std(axis=0), predicted.std(axis=0)))
    return np.concatenate(agreement), np.concatenate(spread)


def _agreement(truth: Floats, predicted: Floats) -> Floats:
    """Return Pearson's r of each gene over the units, shape (genes,).

    It is nan where one side is constant, and -inf where nothing was predicted.
    """
    known = np.isfinite(truth) & np.isfinite(predicted)
    n = np.maximum(known.sum(axis=0), 1)
    x, y = (np.where(known, values, 0.0) for values in (truth, predicted))
    x, y = (np.where(known, values - values.sum(axis=0) / n, 0.0) for values in (x, y))
    norm = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
    product = (x * y).sum(axis=0)
    empty = np.where(known.any(axis=0), np.nan, -np.inf)
    return np.asarray(np.divide(product, norm, out=empty, where=norm > 1e-12))


def _ends(agreement: Floats, genes: Sequence[int]) -> list[int]:
    """Return those of `genes` with the best and the worst agreement, best first."""
    order = sorted(genes, key=lambda i: -agreement[i] if np.isfinite(agreement[i]) else 2.0)
    half = GENES // 2
    return order if len(order) <= GENES else order[:half] + order[-half:]


def _matrices(board: Board, entry: Entry, slide: str, file: _File, spread: Floats) -> Matrices | None:
    """Return the matrices where the task scores co-expression and enough of the genes vary."""
    metric = next((name for name in board.metrics if name.startswith("coexpression_ssim")), None)
    order = np.argsort(-np.nan_to_num(spread), kind="stable")[:MOST]
    genes = sorted(order[np.nan_to_num(spread)[order] > 0].tolist())
    if metric is None or len(genes) < FEWEST:
        return None
    from scipy.cluster.hierarchy import leaves_list, linkage

    true = np.asarray(np.corrcoef(file.layer("truth", genes), rowvar=False))
    other = np.asarray(np.corrcoef(file.layer(entry.score.model, genes), rowvar=False))
    leaves = leaves_list(linkage(np.nan_to_num(true), "average"))
    said = f"Correlation of {len(genes)} genes on slide {slide}"
    found = next((e for e in board.of("", metric) if e.label == entry.label), None)
    value = found.slide(slide) if found else None
    return Matrices(
        genes=len(genes),
        pictures=(
            matrix(true[np.ix_(leaves, leaves)], f"{said}, truth"),
            matrix(other[np.ix_(leaves, leaves)], f"{said}, prediction"),
        ),
        metric=metric,
        slide=value if value is not None and value.value is not None else None,
        mean=found.number("value") if found else None,
        ceiling=found.number("ceiling") if found else None,
    )
