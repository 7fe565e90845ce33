"""Compare two results files number by number.

    python tests/golden/compare.py ONE.json OTHER.json

prints how many numbers they hold, the largest differences, and what only one of them has. The exit
code is 1 where a number differs by more than 1e-6, absolute and relative, or a text (a status, a
verdict, a checksum, a list of genes) differs at all. Times, memory and sentences are left out. Needs
nothing but Python.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

TOLERANCE = 1e-6
SHOWN = 10
KEYS = {
    "models": ("name",),
    "tasks": ("name",),
    "datasets": ("task", "name"),
    "checks": ("task", "name", "dataset", "split", "model"),
    "checklist": ("task", "dataset", "step"),
    "scores": ("task", "dataset", "variant", "split", "fold", "seed", "role", "model", "metric"),
    "verdicts": ("task", "dataset", "variant", "split", "model", "metric"),
    "lock": ("task", "dataset", "variant", "split", "fold"),
    "contamination": ("task", "model", "dataset", "declared"),
}
"""What tells one record of a section from another."""

LEFT_OUT = {"seconds", "peak_memory_mb", "message", "text", "fix", "question", "answer", "digests"}
"""Fields that differ from run to run, and sentences, which repeat numbers."""


def flattened(results: dict) -> dict[tuple, object]:
    """Return every number and text of a results file by its place: section, record, field ..."""
    found: dict[tuple, object] = {}
    for section, key in KEYS.items():
        for record in results.get(section, ()):
            name = " ".join(str(record[field]) for field in key if record.get(field) not in (None, ""))
            _add(found, (section, name), {k: v for k, v in record.items() if k not in key})
    return found


def _add(found: dict[tuple, object], place: tuple, value: object) -> None:
    if isinstance(value, dict):
        for name, child in value.items():
            if name not in LEFT_OUT:
                _add(found, (*place, name), child)
    elif isinstance(value, list):
        for number, child in enumerate(value):
            _add(found, (*place, number), child)
    elif value is not None:
        found[place] = value


def is_number(value: object) -> bool:
    """Return whether a value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def difference(one: object, other: object) -> float:
    """Return how far two values are apart: the smaller of absolute and relative; of texts 0 or infinite."""
    if is_number(one) and is_number(other):
        apart = abs(one - other)
        return min(apart, apart / max(abs(one), abs(other))) if apart else 0.0
    return 0.0 if one == other else float("inf")


def report(one: dict, other: dict, names: tuple[str, str], tolerance: float = TOLERANCE) -> tuple[str, bool]:
    """Return what two results files have that differs, and whether they agree."""
    a, b = flattened(one), flattened(other)
    both = [place for place in a if place in b]
    alone = [(names[0], place) for place in a if place not in b]
    alone += [(names[1], place) for place in b if place not in a]
    apart = sorted(((difference(a[place], b[place]), place) for place in both), key=lambda pair: -pair[0])
    numbers = sum(is_number(a[place]) and is_number(b[place]) for place in both)
    beyond = [pair for pair in apart if pair[0] > tolerance]
    texts = [pair for pair in beyond if pair[0] == float("inf")]
    lines = [f"{numbers:,} numbers and {len(both) - numbers:,} texts are in {names[0]} and in {names[1]}"]
    shown = texts[:SHOWN] + [pair for pair in apart if 0 < pair[0] < float("inf")][:SHOWN]
    lines += [_line(*pair, a, b) for pair in shown]
    lines += [f"  only in {name}: {_place(place)}" for name, place in alone[:SHOWN]]
    lines.append(
        f"{len(beyond) - len(texts):,} numbers differ by more than {tolerance:g}, {len(texts):,} texts "
        f"differ, {len(alone):,} values are in one file only"
    )
    return "\n".join(lines), not beyond and not alone and numbers > 0


def _line(apart: float, place: tuple, a: dict[tuple, object], b: dict[tuple, object]) -> str:
    how = "differs" if apart == float("inf") else f"{apart:.1e}"
    return f"  {how:8} {_place(place)}: {a[place]} / {b[place]}"


def _place(place: tuple) -> str:
    section, name, *rest = place
    return f"{section} [{name}] {'.'.join(map(str, rest))}"


def main(arguments: list[str]) -> int:
    """Compare the two files named; 0 where they agree, 1 where not, 2 where they cannot be read."""
    if len(arguments) != 2:
        print(__doc__)
        return 2
    try:
        one, other = (json.loads(Path(name).read_text(encoding="utf-8")) for name in arguments)
    except (OSError, ValueError) as error:
        print(f"{error}: give two files that --stbench-save wrote")
        return 2
    text, agree = report(one, other, (arguments[0], arguments[1]))
    print(text)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
