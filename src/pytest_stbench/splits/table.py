"""The samples table: one row per slide, all that collection and splitting need to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One slide; a field that is not known is None, never made up."""

    slide: str
    patient: str | None = None
    site: str | None = None
    technology: str | None = None
    panel: str | None = None
    corpus: str | None = None
    accession: str | None = None
    organ: str | None = None
    disease: str | None = None
    preservation: str | None = None
    resolution: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One train-test pair of slide ids.

    With ``within`` the same slide stands on both sides and is cut into spatial blocks when it is
    read: ``seed`` fixes which blocks are the test.
    """

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    within: bool = False
    seed: int = 0
    params: Mapping[str, float] = field(default_factory=dict)
