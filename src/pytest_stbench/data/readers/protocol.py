"""What a reader gives: slides as their source has them, before they are aligned to a data set.

A reader is a function ``open_source(config, samples, roots)`` named by a
:class:`~pytest_stbench.registry.Reader` record. It finds the slides without reading them and
returns a :class:`SlideSource`; of several `roots` the first that has them wins. It raises
``DataMissing`` when nothing is there, ``DataError`` when what is there cannot be used. A second
function, ``index_source(config, roots, store)``, lists the slides where no samples table is given: one
:class:`~pytest_stbench.splits.table.Sample` a slide with what its files say of it; the rest stays
None. What is dear to look up is kept in ``store/index``.

Readers keep what they find: they never judge, repair or make up a value, so that checks can judge the
data as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pytest_stbench.data.slide import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from scipy.sparse import csr_matrix


@dataclass(frozen=True, kw_only=True, eq=False)
class RawSlide(Measured):
    """One slide as its source has it.

    ``counts`` (n, g) CSR has one column per entry of ``genes``, the slide's own unique symbols:
    int32 where every value is integral, else float as read. Library sizes and detection counts
    are made from it by the data set, so it must hold **all** genes that were measured.
    Fields the source does not have stay None. ``notes`` counts what was done on the way
    (``duplicate_symbols_summed``).
    """

    slide_id: str
    pitch_um: float | None = None
    notes: Mapping[str, int] = field(default_factory=dict)


class SlideSource(Protocol):
    """The slides of one data set, found and not yet read."""

    def genes(self, slide_id: str) -> tuple[str, ...]:
        """Return the symbols the slide measured: unique, in the order of :attr:`RawSlide.genes`.

        Cheaper than :meth:`read`: no counts are touched.
        """
        ...

    def read(self, slide_id: str) -> RawSlide:
        """Read one slide from scratch; nothing is kept by the source."""
        ...

    def offers(self) -> frozenset[str]:
        """Return what all slides have beside counts: of ``image``, ``embedding``, ``transcripts``.

        Known from the files that are there; nothing is read.
        """
        ...

    def files(self, slide_id: str) -> tuple[Path, ...]:
        """Return all files whose content the slide depends on, its image included.

        Empty for slides that no file holds (simulated ones).
        """
        ...

    def fingerprint(self) -> str:
        """Return what the slides depend on beside :meth:`files`.

        Reader name and version of its reading rules; for simulated slides also every parameter
        and the version of the generator.
        """
        ...


class KeepsCounts(Protocol):
    """What gives a source that draws counts those of an earlier run."""

    def __call__(self, name: str, make: Callable[[], csr_matrix]) -> csr_matrix:
        """Return the counts called `name`, equal to what `make` returns, kept or made.

        The name says everything they depend on beside the code of the package.
        """
        ...
