"""A slide with everything that was measured on it, the truth included.

Models never see a :class:`Slide`: what they get is built from it in
:mod:`pytest_stbench.data.inputs`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.data.image import Image


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TranscriptBatch:
    """Some transcripts of a slide; all arrays have one entry per transcript.

    ``feature`` is the place in :attr:`Transcripts.features`. ``qv`` is the Phred-scaled quality,
    None where the technology gives none. ``cell`` names the cell of each transcript, with an empty
    string for one that is in no cell; None unless it was asked for.
    """

    x_um: NDArray[np.float64]
    y_um: NDArray[np.float64]
    feature: NDArray[np.int32]
    qv: NDArray[np.float32] | None = None
    cell: NDArray[np.object_] | None = None


class Transcripts(Protocol):
    """All transcripts of a slide, read anew from its file each time they are gone through."""

    @property
    def features(self) -> NDArray[np.str_]:
        """Names of everything that was decoded, control probes and codewords included, (f,)."""
        ...

    @property
    def kinds(self) -> NDArray[np.str_]:
        """What each feature is, (f,): ``gene``, or another kind of :mod:`~pytest_stbench.data.features`."""
        ...

    def batches(self, *, cells: bool = False) -> Iterator[TranscriptBatch]:
        """Yield all transcripts in parts whose size does not depend on their number."""
        ...


class Segmentation(Protocol):
    """One set of outlines; nothing is read before it is asked for."""

    @property
    def kind(self) -> Literal["cell", "nucleus"]:
        """What was outlined."""
        ...

    @property
    def names(self) -> NDArray[np.str_]:
        """Names of the instances, each once: the first is that of label 1."""
        ...

    @property
    def owners(self) -> NDArray[np.str_]:
        """Name of the cell that each instance is or lies in, empty for none; nuclei may share one."""
        ...

    @property
    def notes(self) -> Mapping[str, int]:
        """What was counted so far: instances by plane, then what was mended or left out."""
        ...

    def labels(self, um_per_px: float, window_um: tuple[float, float, float, float]) -> NDArray[np.int32]:
        """Return the label image (H, W) of a window (x0, y0, x1, y1) in um; 0 is background.

        A pixel belongs to the instance that covers its centre.
        """
        ...


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
class Measured:
    """What was measured on a slide: n units with their counts, and what else its source has.

    ``labels`` maps ``niche`` and ``cell_type`` to (n,) objects: str, or None where the unit has no
    label; other names may be added. ``measures`` holds further numbers of each unit, such as ``cells``
    and ``tissue_share`` of a spot, (n,) float64 with nan where unknown. ``transcripts`` and
    ``segmentations``, named by what they outline, are of the whole slide, whichever units are chosen.
    """

    unit_names: NDArray[np.str_]
    genes: NDArray[np.str_]
    counts: csr_matrix
    xy_um: NDArray[np.float64]
    xy_px: NDArray[np.float64] | None = None
    array_index: NDArray[np.int64] | None = None
    image: Image | None = None
    embedding: NDArray[np.float32] | None = None
    labels: dict[str, NDArray[np.object_]] = field(default_factory=dict)
    measures: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    transcripts: Transcripts | None = None
    segmentations: dict[str, Segmentation] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Slide(Measured):
    """One tissue section: units, counts, coordinates, image and labels.

    ``counts`` has one column per gene of the data set (the same genes and order on all its
    slides); ``measured`` says which of them this slide measured: all of them where the data set
    declares that an absent gene was measured and not seen (``absent_gene: zero``). ``libsize`` is the
    total count of a unit over all genes that its file measured, whether or not they are columns
    here.
    ``counts`` is as read: checks, not readers, judge whether it holds counts.
    """

    meta: SlideMeta
    measured: NDArray[np.bool_]
    libsize: NDArray[np.float64]
    n_detected: NDArray[np.int64]

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
