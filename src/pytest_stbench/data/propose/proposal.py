"""What is proposed: plain records between looking at files and writing the task file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

POPULATION_MIN = 6
"""From this number of patients on a sign-flip test over patients can reach 0.05."""
LOPO_MAX = 10
SPOT_GENES = 10_000
"""A panel this large counts as the whole transcriptome."""


@dataclass(slots=True, kw_only=True)
class Row:
    """One slide of the samples table; what is not known stays None."""

    slide: str
    patient: str | None = None


@dataclass(slots=True, kw_only=True)
class Proposal:
    """A data set as found.

    ``dataset`` holds the keys of a data set of a task file in the order of writing; ``remarks`` a
    comment for a key, ``missing`` the keys that were not found with what to do, ``notes`` what a
    reader of the file must know. ``table`` says that a samples table must be written because the
    files do not name the patients, or not usably. ``observed`` is a panel for whole
    transcriptomes.
    """

    what: str
    dataset: dict[str, Any]
    rows: list[Row]
    n_genes: int = 0
    observed: tuple[str, ...] = ()
    image: bool = False
    resolution: str = "spot"
    table: bool = False
    slide_column: str = "slide"
    remarks: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def patients(self) -> tuple[str, ...]:
        """The distinct known patients, sorted."""
        return tuple(sorted({row.patient for row in self.rows if row.patient is not None}))

    @property
    def patients_known(self) -> bool:
        """Whether every slide has a patient."""
        return all(row.patient is not None for row in self.rows)

    @property
    def family(self) -> str:
        """``expression`` where there is an image, ``imputation`` where there is none."""
        return "expression" if self.image else "imputation"

    @property
    def claim(self) -> str:
        """``population`` only where enough patients are known."""
        return "population" if self.patients_known and len(self.patients) >= POPULATION_MIN else "exploratory"

    @property
    def split(self) -> str:
        """The design that the number of patients allows."""
        if not self.patients_known or len(self.patients) < 2:
            return "within"
        return "lopo" if len(self.patients) <= LOPO_MAX else "pgkf"
