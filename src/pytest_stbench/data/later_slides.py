"""Slides of which the parts are built when they are asked for, those of one slide at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from pytest_stbench.data.inputs import ModelSlide, TrainSlide, TruthSlide

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Builders = Mapping[str, Callable[[], object]]


class Latest:
    """Holds what was built of the slide that was asked last, for all slides that share it."""

    def __init__(self) -> None:
        # A slide knows who holds it: were it known here in turn, both would wait for the garbage collector.
        self._whose: ref[object] | None = None
        self._built: dict[Callable[[], object], object] = {}

    def of(self, later: object, build: Callable[[], object]) -> object:
        """Return what `build` makes for `later`; what was built of another slide leaves memory first."""
        if self._whose is None or self._whose() is not later:
            self._built.clear()
            self._whose = ref(later)
        if build not in self._built:
            self._built[build] = build()
        return self._built[build]


class _Later:
    """Stands for a slide: what is `known` is at hand, each other field is one of what its builder returns."""

    def __init__(self, n_units: int, build: Builders, latest: Latest, known: Mapping[str, Any]) -> None:
        vars(self).update(_n_units=n_units, _build=build, _latest=latest, **known)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(vars(self)["_n_units"])

    def __getattribute__(self, name: str) -> Any:
        """Return a field, built where it is not at hand."""
        own = object.__getattribute__(self, "__dict__")
        if name not in own and name in own.get("_build", ()):
            return getattr(own["_latest"].of(self, own["_build"][name]), name)
        return object.__getattribute__(self, name)


class LaterInput(_Later, ModelSlide):
    """Stands for an input, for diagnostics, of which few look at it."""


class LaterSlide(_Later, TrainSlide):
    """Stands for a training slide, whose labels and proportions are at hand.

    For baselines of this package, which change nothing and go through slides one after the other.
    """


class LaterTruth(_Later, TruthSlide):
    """Stands for a training slide as diagnostics see it, whose depths are at hand."""
