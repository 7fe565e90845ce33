"""The atlas of single cells that a task hands to models."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pytest_stbench.spec.part import Integer, Part

WHERE = frozenset({"path"})
"""What says where it lies: its content counts, by its checksum."""


class ReferenceSpec(Part):
    """Cells of another study: raw counts, and the label of each cell.

    ``labels`` and ``patient`` are columns of ``obs``, ``gene`` is the column of ``var`` with the symbols, by
    default its index, ``counts`` names the matrix. Of more than ``cells`` cells so many are drawn, of each
    label alike. ``corpus`` is its name or accession.
    """

    source: Literal["h5ad"] = "h5ad"
    path: str
    labels: str
    patient: str | None = None
    gene: str | None = None
    counts: str = "X"
    cells: Integer = Field(default=20_000, ge=1)
    corpus: str | None = None

    def fingerprinted(self) -> dict[str, Any]:
        """Return what counts in fingerprints."""
        return self.model_dump(exclude={*WHERE})
