"""What predicted instances make of transcripts: how many they catch, and which they mix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pytest_stbench.metrics.labelled import slide_score
from pytest_stbench.metrics.masks import mask_metric, mask_pairs
from pytest_stbench.metrics.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Masks = ArrayLike | Sequence[ArrayLike]
    Tile = tuple[NDArray[np.int32], NDArray[np.int32]]

EXCLUSIVE_PAIRS = (
    ("EPCAM", "PTPRC"),
    ("EPCAM", "CD3E"),
    ("EPCAM", "VWF"),
    ("PTPRC", "VWF"),
    ("CD3E", "MS4A1"),
    ("CD3E", "CD68"),
)
"""Markers of different lineages: epithelium, leucocytes, T and B cells, macrophages, endothelium."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Molecules:
    """Transcripts of one tile.

    ``xy_px`` (m, 2) are x and y in pixels of the label image: pixel i covers [i, i + 1).
    ``gene`` (m,) is the place of each in ``names`` (g,), the symbols that were measured.
    """

    xy_px: NDArray[np.floating]
    gene: NDArray[np.integer]
    names: NDArray[np.str_]

    def __post_init__(self) -> None:
        if self.xy_px.shape != (len(self.gene), 2):
            raise ValueError(
                f"xy_px has shape {self.xy_px.shape} for {len(self.gene)} transcripts: give x and y of each"
            )
        if len(self.gene) and not 0 <= self.gene.min() <= self.gene.max() < len(self.names):
            raise ValueError(
                f"genes are numbered {self.gene.min()} to {self.gene.max()}: each must be a place among "
                f"the {len(self.names)} names"
            )

    def instances(self, labels: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the label under each transcript: 0 for background, -1 outside of the image."""
        finite = np.isfinite(self.xy_px).all(axis=1)
        x, y = np.floor(np.where(finite[:, None], self.xy_px, -1.0)).T
        inside = (x >= 0) & (y >= 0) & (x < labels.shape[1]) & (y < labels.shape[0])
        found = np.full(len(x), -1, dtype=np.int64)
        found[inside] = labels[y[inside].astype(np.intp), x[inside].astype(np.intp)]
        return found


Transcripts: TypeAlias = "Molecules | Sequence[Molecules] | None"


@mask_metric("T10", bounds=(0.0, 1.0), better="context", inputs=("transcripts",))
def transcripts_assigned(truth: Masks, prediction: Masks, *, transcripts: Transcripts = None) -> Scores:
    """Share of transcripts that lie in a predicted instance.

    Larger instances catch more, wrong ones included: read it beside :func:`doublet_rate` and the
    extra ``truth``, the share in true instances. Range [0, 1], neither direction is better.

    Parameters
    ----------
    truth, prediction
        As in :func:`~pytest_stbench.metrics.segmentation.dice`.
    transcripts
        Those of the image, or of each tile; None where none were measured. Transcripts outside of
        it are left out.

    Returns
    -------
    Scores
        One value. Undefined: ``too_few_units`` (no transcript in the image). Extras: ``truth``
        (nan if undefined), ``n_transcripts``, ``n_left_out``.

    Raises
    ------
    ValueError
        As ``dice``, or if there are not as many sets of transcripts as tiles.
    """
    caught, total, outside = np.zeros(2), 0, 0
    for tile, molecules in _tiles(truth, prediction, transcripts):
        under = [molecules.instances(labels) for labels in tile]
        caught += [int((found > 0).sum()) for found in under]
        total += int((under[0] >= 0).sum())
        outside += int((under[0] < 0).sum())
    true, predicted = caught / max(total, 1)
    return slide_score(
        predicted,
        "" if total else "too_few_units",
        truth=true if total else np.nan,
        n_transcripts=total,
        n_left_out=outside,
    )


@mask_metric("T10", bounds=(0.0, 1.0), better="down", fill=1.0, over="pair", inputs=("transcripts",))
def doublet_rate(
    truth: Masks,
    prediction: Masks,
    *,
    transcripts: Transcripts = None,
    pairs: Sequence[tuple[str, str]] = EXCLUSIVE_PAIRS,
    min_transcripts: int = 1,
) -> Scores:
    """Predicted instances with both markers of a pair no cell has together, of those with either.

    Of the instances that hold either marker, the share that holds both: how often neighbouring
    cells, or stray transcripts, are put into one. Range [0, 1], lower is better.

    Parameters
    ----------
    truth, prediction
        As in :func:`~pytest_stbench.metrics.segmentation.dice`.
    transcripts
        As in :func:`transcripts_assigned`.
    pairs
        Symbols of two markers each.
    min_transcripts
        Fewest transcripts of a marker that count.

    Returns
    -------
    Scores
        One value for each pair, labelled ``EPCAM+PTPRC``. Undefined, in this order:
        ``gene_missing`` (a marker was not measured), ``no_positive`` (no transcript of either
        lies in the image), ``empty_pred`` (no predicted instance holds either). Extras:
        ``truth`` (the rate of true instances, nan if undefined), ``n_both``, ``n_either``.

    Raises
    ------
    ValueError
        As :func:`transcripts_assigned`, or if `min_transcripts` is below 1.
    """
    if min_transcripts < 1:
        raise ValueError(f"min_transcripts is {min_transcripts}: a marker that is there has at least 1")
    markers = list(dict.fromkeys(marker for pair in pairs for marker in pair))
    places = np.array([[markers.index(marker) for marker in pair] for pair in pairs], np.intp).reshape(-1, 2)
    both, either, measured, present = _counted(
        _tiles(truth, prediction, transcripts), markers, places, min_transcripts
    )
    rates = np.divide(both, either, out=np.full(both.shape, np.nan), where=either > 0)
    reasons = np.where(either[1] > 0, "", "empty_pred").astype("U32")
    reasons[~present[places].any(axis=1)] = "no_positive"
    reasons[~measured[places].all(axis=1)] = "gene_missing"
    return Scores(
        values=np.where(reasons == "", rates[1], np.nan),
        reasons=reasons,
        labels=np.array(["+".join(pair) for pair in pairs], dtype=np.str_),
        extras={"truth": rates[0], "n_both": both[1], "n_either": either[1]},
    )


def _counted(
    tiles: list[tuple[Tile, Molecules]], markers: list[str], places: NDArray[np.intp], min_transcripts: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Count instances with both and with either marker of each pair, (2, pairs) of truth and prediction.

    With them, which markers (m,) were measured on every tile, and which have a transcript in an image.
    """
    measured, present = np.ones(len(markers), bool), np.zeros(len(markers), bool)
    both, either = np.zeros((2, len(places))), np.zeros((2, len(places)))
    for tile, molecules in tiles:
        column = _columns(molecules.names, markers)
        measured &= np.isin(markers, molecules.names)
        kept = column[molecules.gene] >= 0
        chosen = Molecules(xy_px=molecules.xy_px[kept], gene=molecules.gene[kept], names=molecules.names)
        for which, labels in enumerate(tile):
            instance = chosen.instances(labels)
            present[column[chosen.gene[instance >= 0]]] = True
            held = _held(instance, column[chosen.gene], len(markers), min_transcripts)[:, places]
            both[which] += held.all(axis=2).sum(axis=0)
            either[which] += held.any(axis=2).sum(axis=0)
    return both, either, measured, present


def _tiles(truth: Masks, prediction: Masks, transcripts: Transcripts) -> list[tuple[Tile, Molecules]]:
    images = mask_pairs(truth, prediction)
    if transcripts is None:
        none = Molecules(xy_px=np.empty((0, 2)), gene=np.empty(0, int), names=np.empty(0, np.str_))
        return [(pair, none) for pair in images]
    molecules = [transcripts] if isinstance(transcripts, Molecules) else list(transcripts)
    if len(images) != len(molecules):
        message = f"{len(images)} tiles and {len(molecules)} sets of transcripts: give one set for every tile"
        raise ValueError(message)
    return list(zip(images, molecules, strict=True))


def _columns(names: NDArray[np.str_], markers: list[str]) -> NDArray[np.intp]:
    """Return the place of each name among the markers, -1 for others."""
    place = {marker: column for column, marker in enumerate(markers)}
    return np.array([place.get(str(name), -1) for name in names], dtype=np.intp)


def _held(
    instance: NDArray[np.int64], marker: NDArray[np.intp], n_markers: int, min_transcripts: int
) -> NDArray[np.bool_]:
    """Return which markers each instance with any of them holds, (instances, markers)."""
    caught = instance > 0
    ids, row = np.unique(instance[caught], return_inverse=True)
    counts = np.bincount(row * n_markers + marker[caught], minlength=len(ids) * n_markers)
    held: NDArray[np.bool_] = counts.reshape(len(ids), n_markers) >= min_transcripts
    return held
