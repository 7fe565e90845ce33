"""Numbers by which a simulated cohort can be compared with real tissue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix, diags

from pytest_stbench.errors import DataError
from pytest_stbench.kernels.graph import cell_graph, lattice_graph
from pytest_stbench.kernels.moran import morans_i

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.dataset import Dataset
    from pytest_stbench.data.slide import Slide

MIN_DETECTION = 0.1
TOP = 50
MAX_UNITS = 20_000
"""Moran's I of a larger slide is that of so many units around its middle."""

WHOLE_TRANSCRIPTOME = 1000
SCALE = {True: 1e4, False: 100.0}
"""Total to which units are brought before the logarithm: many genes, or a targeted panel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """One data set in numbers; what is measured on each slide is the median over slides.

    Units without counts are left out of everything but ``units``. ``depth_10`` to ``depth_90``
    are quantiles of the total count of a unit, ``depth_sd`` the standard deviation of its natural
    logarithm. ``zero_share`` is the share of zeros in the matrix, ``detected`` the share of genes
    that are detected in a tenth of the units or more. ``moran`` and ``moran_top`` are Moran's I of
    log-normalised expression: the median over the detected genes, and the mean of the 50 highest.
    ``patient_share`` is the median over genes, detected in a tenth of all units, of the share of
    variance that lies between patients; nan with one patient.
    """

    slides: int
    patients: int
    units: float
    genes: float
    depth_10: float
    depth_50: float
    depth_90: float
    depth_sd: float
    zero_share: float
    detected: float
    moran: float
    moran_top: float
    patient_share: float


class _Sums:
    """Number, sum and sum of squares of each gene, and in how many units it is seen."""

    def __init__(self, n_genes: int) -> None:
        self.n = 0
        self.seen = np.zeros(n_genes)
        self.first = np.zeros(n_genes)
        self.second = np.zeros(n_genes)

    def add(self, values: csr_matrix) -> None:
        self.n += values.shape[0]
        self.seen += values.getnnz(axis=0)
        self.first += np.asarray(values.sum(axis=0)).ravel()
        self.second += np.asarray(values.multiply(values).sum(axis=0)).ravel()


def describe(dataset: Dataset) -> Description:
    """Return the numbers of a data set; slides are read one after the other and forgotten.

    Raises
    ------
    DataError
        If slides have no gene in common, or no unit has counts.
    """
    if not len(dataset.genes):
        message = f"datasets.{dataset.name}: its slides have no gene in common; describe panels separately"
        raise DataError(message)
    per_slide: list[tuple[float, ...]] = []
    patients: dict[str, _Sums] = {}
    for slide in dataset.slides():
        counts, xy = _with_counts(slide, dataset.name)
        values = _log_normalised(counts, slide.libsize[slide.libsize > 0], len(slide.genes))
        per_slide.append(_of_slide(slide, counts, values, xy))
        name = slide.meta.patient_id or f"unknown patient of {slide.meta.slide_id}"
        patients.setdefault(name, _Sums(len(dataset.genes))).add(values)
        dataset.close()
    middle = [_median(column) for column in np.array(per_slide).T]
    names = ("units", "genes", "depth_10", "depth_50", "depth_90", "depth_sd", "zero_share", "detected")
    return Description(
        slides=len(per_slide),
        patients=len(patients),
        patient_share=_between(list(patients.values())),
        **dict(zip((*names, "moran", "moran_top"), middle, strict=True)),
    )


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else np.nan


def _with_counts(slide: Slide, name: str) -> tuple[csr_matrix, NDArray[np.float64]]:
    kept = slide.libsize > 0
    if not kept.any():
        raise DataError(
            f"datasets.{name}: no unit of slide {slide.meta.slide_id} has counts; leave it out by `slides`"
        )
    return slide.counts[kept], slide.xy_um[kept]


def _log_normalised(counts: csr_matrix, libsize: NDArray[np.float64], n_genes: int) -> csr_matrix:
    values = csr_matrix(diags(SCALE[n_genes >= WHOLE_TRANSCRIPTOME] / libsize) @ counts)
    values.data = np.log1p(values.data)
    values.eliminate_zeros()
    return values


def _of_slide(
    slide: Slide, counts: csr_matrix, values: csr_matrix, xy: NDArray[np.float64]
) -> tuple[float, ...]:
    libsize = slide.libsize[slide.libsize > 0]
    rate = values.getnnz(axis=0) / values.shape[0]
    detected = np.flatnonzero(rate >= MIN_DETECTION)
    measured = float(slide.measured.sum())
    moran = np.sort(_moran(slide, values[:, detected], xy))[::-1]
    return (
        float(slide.n_units),
        measured,
        *np.quantile(libsize, (0.1, 0.5, 0.9)).tolist(),
        float(np.log(libsize).std()),
        1 - counts.count_nonzero() / (counts.shape[0] * measured),
        len(detected) / measured,
        float(np.median(moran)) if len(moran) else np.nan,
        float(moran[:TOP].mean()) if len(moran) else np.nan,
    )


def _moran(slide: Slide, values: csr_matrix, xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Moran's I of the columns that have one, over units in the middle of a large slide."""
    placed = np.flatnonzero(np.isfinite(xy).all(axis=1))
    away = ((xy[placed] - np.median(xy[placed], axis=0)) ** 2).sum(axis=1) if len(placed) else placed
    rows = np.sort(placed[np.argsort(away, kind="stable")[:MAX_UNITS]])
    if len(rows) < 2:
        return np.empty(0)
    on_lattice = slide.meta.resolution != "cell"
    graph = lattice_graph(xy[rows], slide.meta.pitch_um) if on_lattice else cell_graph(xy[rows])
    found = morans_i(values[rows], graph)
    return found[np.isfinite(found)]


def _between(patients: list[_Sums]) -> float:
    """Return the median over detected genes of the share of variance between patients."""
    if len(patients) < 2:
        return np.nan
    n = np.array([part.n for part in patients], dtype=np.float64)
    sums = np.stack([part.first for part in patients])
    mean = sums.sum(axis=0) / n.sum()
    total = np.stack([part.second for part in patients]).sum(axis=0) - n.sum() * mean**2
    between = n @ (sums / n[:, None] - mean) ** 2
    seen = np.stack([part.seen for part in patients]).sum(axis=0)
    detected = (seen >= MIN_DETECTION * n.sum()) & (total > 0)
    return float(np.median(between[detected] / total[detected])) if detected.any() else np.nan
