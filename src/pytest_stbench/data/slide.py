"""A slide with everything that was measured on it, the truth included.

Models never see a :class:`Slide`: what they get is built from it in
:mod:`pytest_stbench.data.inputs`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.data.image import Image
    from pytest_stbench.data.molecules import Transcripts
    from pytest_stbench.data.segmentation import Segmentation


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideMeta:
    """What is known of a slide; None where the data does not say it."""

    slide_id: str
    patient_id: str | None = None
    site_id: str | None = None
    technology: str | None = None
    panel_id: str | None = None
    corpus_id: str | None = None
    organ: str | None = None
    disease: str | None = None
    preservation: str | None = None
    resolution: str | None = None
    pitch_um: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Slide:
    """One tissue section: units, counts, coordinates, image and labels.

    ``counts`` has one column per gene of the data set (the same genes and order on all its
    slides); ``measured`` says which of them this slide measured: all of them where the data set
    declares that an absent gene was measured and not seen (``absent_gene: zero``). ``libsize`` is the
    total count of a unit over all genes that its file measured, whether or not they are columns
    here.
    ``measures`` are further numbers of each unit, such as ``cells`` and ``tissue_share`` of a spot;
    ``transcripts`` and ``segmentations`` are of the whole slide, whichever units are chosen.
    ``counts`` is as read: checks, not readers, judge whether it holds counts.
    """

    meta: SlideMeta
    unit_names: NDArray[np.str_]
    genes: NDArray[np.str_]
    measured: NDArray[np.bool_]
    counts: csr_matrix
    libsize: NDArray[np.float64]
    n_detected: NDArray[np.int64]
    xy_um: NDArray[np.float64]
    xy_px: NDArray[np.float64] | None = None
    array_index: NDArray[np.int64] | None = None
    image: Image | None = None
    embedding: NDArray[np.float32] | None = None
    labels: dict[str, NDArray[np.object_]] = field(default_factory=dict)
    measures: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    transcripts: Transcripts | None = None
    segmentations: dict[str, Segmentation] = field(default_factory=dict)

    @property
    def n_units(self) -> int:
        """Number of units (rows)."""
        return len(self.unit_names)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Slide:
        """Return the slide with the units `rows` (mask or indices), in that order."""
        return replace(
            self,
            unit_names=self.unit_names[rows],
            counts=self.counts[rows],
            libsize=self.libsize[rows],
            n_detected=self.n_detected[rows],
            xy_um=self.xy_um[rows],
            xy_px=None if self.xy_px is None else self.xy_px[rows],
            array_index=None if self.array_index is None else self.array_index[rows],
            embedding=None if self.embedding is None else self.embedding[rows],
            labels={name: values[rows] for name, values in self.labels.items()},
            measures={name: values[rows] for name, values in self.measures.items()},
        )
