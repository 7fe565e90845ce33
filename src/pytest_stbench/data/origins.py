"""What a training slide was made of, so that what is computed of it once stands in every fold.

An input leads to nothing but itself: a slide's origin is known here, for the package's own baselines, and is
forgotten with the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import TrainSlide
    from pytest_stbench.data.slide import Slide


@dataclass(frozen=True, kw_only=True, eq=False)
class Origin:
    """Of a training slide that is as it was built.

    ``slide`` is what was measured, with the units that are in the input; ``observed`` stands for the columns
    whose counts are in it, ``scale`` for that of the targets. ``further`` are genes that other folds may ask
    for, ``values`` gives any genes as targets, (n, g) float32, rows as in the input, ``measured`` says of
    genes which the slide has, and ``depths`` gives the sum of each unit's observed counts, in any order.
    """

    slide: Slide
    observed: Hashable
    scale: Hashable
    further: Sequence[str]
    values: Callable[[Sequence[str]], NDArray[np.float32]]
    measured: Callable[[Sequence[str]], NDArray[np.bool_]]
    depths: Callable[[], NDArray[np.float64]]


_KNOWN: WeakKeyDictionary[TrainSlide, Origin] = WeakKeyDictionary()


def note_origin(given: TrainSlide, origin: Origin) -> None:
    """Note what `given` was made of. Whoever changes it afterwards gives it away first, or copies it."""
    _KNOWN[given] = origin


def origin_of(given: TrainSlide) -> Origin | None:
    """Return what a training slide was made of, None where nobody noted it."""
    return _KNOWN.get(given)
