"""Slides that are built when their counts, targets or images are asked for, one at a time."""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.inputs import ModelSlide, TrainSlide

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_stbench.data.slide import SlideMeta


class Latest:
    """Holds the slide that was built last, for all that share it."""

    def __init__(self) -> None:
        self._built: tuple[object, ModelSlide] | None = None

    def of(self, later: object, build: Callable[[], ModelSlide]) -> ModelSlide:
        """Return the slide that `later` stands for; another one leaves memory first."""
        if self._built is None or self._built[0] is not later:
            self._built = None
            self._built = (later, build())
        return self._built[1]


class _Later:
    """Stands for a slide: what is `known` is at hand, the rest is built when asked for."""

    def __init__(
        self,
        meta: SlideMeta,
        n_units: int,
        build: Callable[[], ModelSlide],
        latest: Latest,
        known: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        vars(self).update(meta=meta, _n_units=n_units, _build=build, _latest=latest, **known)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(vars(self)["_n_units"])

    def __getattribute__(self, name: str) -> Any:
        """Return a field, from the slide that is built where it is not at hand."""
        own = object.__getattribute__(self, "__dict__")
        if name in _FIELDS and name not in own:
            return getattr(own["_latest"].of(self, own["_build"]), name)
        return object.__getattribute__(self, name)


class LaterInput(_Later, ModelSlide):
    """Stands for an input, for diagnostics, of which few look at it."""


class LaterSlide(_Later, TrainSlide):
    """Stands for a training slide, whose labels and proportions are at hand.

    For baselines of this package, which change nothing and go through slides one after the other.
    """


_FIELDS = frozenset(field.name for field in fields(TrainSlide))
