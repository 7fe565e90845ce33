"""What a check may ask of a data set, and the words that stand for "not known"."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample

UNKNOWN = frozenset({"", "na", "nan", "nat", "none", "null", "unknown", "missing", "notavailable"})
WHOLE_TRANSCRIPTOME_GENES = 10_000


class Subject(Protocol):
    """The part of a data set that checks look at."""

    @property
    def name(self) -> str:
        """Name of the data set in the task file."""
        ...

    @property
    def config(self) -> DatasetSpec:
        """What the task file says of it."""
        ...

    @property
    def samples(self) -> Sequence[Sample]:
        """One row per slide."""
        ...

    @property
    def panels(self) -> Mapping[str, Sequence[str]]:
        """Genes that each slide measured, by slide id."""
        ...

    def slides(self) -> Iterator[Slide]:
        """Iterate over the slides."""
        ...


def normalised(text: object) -> str:
    """Return `text` case-folded, without anything but letters and digits."""
    folded = unicodedata.normalize("NFKC", str(text)).casefold()
    return "".join(character for character in folded if character.isalnum())


def known(value: object) -> bool:
    """Tell whether a metadata field says something: not None, blank, ``NA``, ``unknown`` ..."""
    return value is not None and normalised(value) not in UNKNOWN


def is_whole_transcriptome(panel: str | None, n_genes: int) -> bool:
    """Tell whether a slide measured the whole transcriptome.

    Either its panel is named so (``whole_transcriptome``, ``WTA``), or it lists 10,000 genes or
    more: the largest targeted panels have about 6,000.
    """
    name = normalised(panel or "")
    return "wholetranscriptome" in name or name.endswith("wta") or n_genes >= WHOLE_TRANSCRIPTOME_GENES


def panel_of(dataset: Subject, slide: str) -> str | None:
    """Return the panel that the samples table, else the task file, names for `slide`."""
    for sample in dataset.samples:
        if sample.slide == slide and known(sample.panel):
            return sample.panel
    return dataset.config.panel
