"""Single transcripts of a slide, streamed: what imaging technologies measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray


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
