"""What all parts of a task file are made of: strict scalars, and the base of every mapping."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

FILE = "file"
"""As a scale: what each file says of the unit of its coordinates."""


def _format(value: object) -> object:
    """Refuse what pydantic would take for the number 1, such as true, and what is no whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("not the number of a format: write `stbench: 1`")
    return value


def _numeric(value: object) -> object:
    """Refuse what pydantic would convert in silence: ``"5"`` and ``true`` are not numbers."""
    if isinstance(value, bool | str):
        raise ValueError("not a number")
    return value


def _length(value: object) -> object:
    """Accept a positive number or ``uns:KEY``; refuse the rest before the union is tried."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
    where = isinstance(value, str) and value.startswith("uns:") and len(value) > len("uns:")
    if not (number or where):
        raise ValueError("not a length: a positive number (um), or 'uns:KEY' where the file says it")
    return value


def _unit_length(value: object) -> object:
    """Accept what is a length, and ``file``: what each file says of the unit of its coordinates."""
    if value == FILE:
        return value
    try:
        return _length(value)
    except ValueError as error:
        raise ValueError(f"{error}, or '{FILE}' where each file says it in its own way") from None


def _iso_date(value: str) -> str:
    """Refuse what is not a calendar day written YYYY-MM-DD."""
    try:
        day = date.fromisoformat(value)
    except ValueError:
        day = None
    if day is None or day.isoformat() != value:
        raise ValueError("not a date: write YYYY-MM-DD")
    return value


Format = Annotated[Literal[1], BeforeValidator(_format)]
Integer = Annotated[int, BeforeValidator(_numeric)]
Number = Annotated[float, BeforeValidator(_numeric)]
Length = Annotated[float | str, BeforeValidator(_length)]
UnitLength = Annotated[float | str, BeforeValidator(_unit_length)]
IsoDate = Annotated[str, AfterValidator(_iso_date)]


class Part(BaseModel):
    """Base of all parts of a task file: unknown keys are mistakes, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
