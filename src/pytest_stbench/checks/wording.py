"""Numbers, names and slides in the words of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MAX_NAME = 40


def percent(share: float) -> str:
    """Return a share (0 to 1) as text, three significant digits: ``0.6%``, ``34%``."""
    return f"{100 * share:.3g}%"


def count(number: int, noun: str) -> str:
    """Return number and noun with its plural: ``1 slide``, ``1,200 slides``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def some(names: Collection[object], shown: int = 3) -> str:
    """Return the first names as text, with how many more there are: ``A1, A2, A3 and 27 more``."""
    first = [str(name) for name in list(names)[:shown]]
    first = [name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 3]}..." for name in first]
    text = ", ".join(first)
    return f"{text} and {len(names) - shown:,} more" if len(names) > shown else text


def on_slides(slides: Collection[str]) -> str:
    """Return where something was found: ``slide A1``, ``slides A1, A2``, ``30 slides (A1, ...)``."""
    if len(slides) == 1:
        return f"slide {some(slides)}"
    return f"slides {some(slides)}"


def others(found: Collection[object], noun: str = "slide") -> str:
    """Return how many besides the first are concerned: `` (and 3 other slides)`` or nothing."""
    return f" (and {count(len(found) - 1, f'other {noun}')})" if len(found) > 1 else ""


def ranked(values: Mapping[str, float]) -> tuple[str, ...]:
    """Return the keys of `values`, largest value first, equal values by name."""
    return tuple(sorted(values, key=lambda name: (-values[name], name)))
