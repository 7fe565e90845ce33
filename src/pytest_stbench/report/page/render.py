"""Templates made into pages: everything that records say is escaped, numbers say where they stand."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jinja2 import Environment

TEMPLATES = "templates"
MINUS = "\N{MINUS SIGN}"
SIGNS = {
    "pass": "\N{CHECK MARK}",
    "fail": "\N{MULTIPLICATION SIGN}",
    "warn": "!",
    "skip": "\N{EN DASH}",
    "open": "?",
    "underpowered": "?",
    "reference": "=",
    "not_evaluable": "\N{EN DASH}",
}
"""A sign for each result, beside its word: colour alone never tells."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a results file as a page shows it.

    ``at`` is where it stands there, such as ``0:scores.12.value``: number of the file, then the path in
    its JSON. Numbers that follow from several of the file have the name of what they are after the path
    (``0:scores.12#skill_low``).
    """

    value: float | None
    at: str
    places: int | None = 3

    @property
    def exact(self) -> str:
        """The number with all its digits."""
        return repr(self.value)

    @property
    def text(self) -> str:
        """The number as people read it."""
        return shown(self.value, self.places)


def shown(value: float | None, places: int | None = 3) -> str:
    """Return a number as text: a dash where there is none, a true minus sign, groups of thousands.

    Without `places` it has four significant digits.
    """
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, int) or abs(value) >= 1000:
        text = f"{value:,.0f}"
    elif places is None:
        text = f"{value:.4g}"
    elif value and abs(value) < 0.5 * 10**-places:
        text = f"{value:.1e}"
    else:
        text = f"{value:.{places}f}"
    return text.replace("-", MINUS)


def page(template: str, /, **context: Any) -> str:
    """Return a template of this package filled in; whatever `context` holds is text, never markup."""
    return _environment().get_template(template).render(**context)


def encoded(text: str) -> bytes:
    """Return a page as bytes; halves of characters, which JSON can hold, become question marks."""
    return text.encode("utf-8", "replace")


def as_json(data: Any) -> str:
    """Return data for a script element: no ``<`` of it can end the element or begin another."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def held(text: str) -> str:
    """Return markup for a script element that holds it as text: no script of it ends or begins one.

    One backslash is put into each ``<script`` and ``</script``; who makes it takes one out, so that what is
    held may hold more.
    """
    return re.sub(r"<(\\*/?script)", r"<\\\1", text)


def anchor(*parts: object) -> str:
    """Return an id for the place that `parts` name: letters and digits of them, and what keeps two apart."""
    text = "\x1f".join(map(str, parts))
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in text)[:60]
    return f"{plain}-{_digest(text)}"


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


@cache
def _environment() -> Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(static=_source, signs=SIGNS, anchor=anchor)
    environment.filters.update(
        as_json=as_json, shown=shown, held=held, counted=_counted, grouped=_grouped, parts=_parts
    )
    return environment


def _source(name: str) -> str:
    """Return a file of the templates."""
    return (resources.files("pytest_stbench.report") / TEMPLATES / name).read_text(encoding="utf-8")


def _counted(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _parts(items: Sequence[Any], most: int) -> list[Sequence[Any]]:
    """Return the first `most` items and the rest; all together where there are not more, or `most` is 0."""
    return [items[:most], items[most:]] if 0 < most < len(items) else [items]


def _grouped(items: Iterable[Any], name: str) -> Mapping[Any, list[Any]]:
    """Return items by an attribute, in the order in which they came."""
    found: dict[Any, list[Any]] = {}
    for item in items:
        found.setdefault(getattr(item, name), []).append(item)
    return found
