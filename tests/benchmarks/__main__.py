"""The table of docs/performance.md, from what pytest-benchmark measured.

    pytest tests/benchmarks --benchmark-only --benchmark-json=measured.json
    python -m tests.benchmarks measured.json docs/performance.md

The page keeps its text; what stands between its two marks is replaced.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from .asked import ASKED

BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
SIZE = re.compile(r"([\d,]+) (\w+)")
PEERS = (
    "pytest-stbench", "numpy", "scipy", "pandas", "scikit-learn", "scikit-image", "anndata", "scanpy",
    "squidpy", "cellpose", "illico", "Pseudovisium", "numba", "openslide-python", "imagecodecs", "tifffile",
    "tiffslide", "pytest", "pytest-benchmark",
)  # fmt: skip
"""Packages whose versions are named where they are installed."""


@dataclass
class Contestant:
    """One of a group: seconds by size, and what was told beside them at the last size."""

    name: str
    seconds: dict[int, float] = field(default_factory=dict)
    unit: str = ""
    told: dict[str, Any] = field(default_factory=dict)


@click.command()
@click.argument("measured", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("page", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(measured: Path, page: Path) -> None:
    """Write what MEASURED (of --benchmark-json) holds into PAGE."""
    text = page.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise click.UsageError(f"{page}: the marks `{BEGIN}` and `{END}` must each stand there once")
    table = "\n".join(lines_of(json.loads(measured.read_text(encoding="utf-8"))))
    page.write_text(
        re.sub(f"(?<={BEGIN}\n).*?(?={END})", lambda _: f"{table}\n", text, flags=re.DOTALL), encoding="utf-8"
    )


def lines_of(measured: dict[str, Any]) -> list[str]:
    """Return the machine, a row for every contestant, group by group, and what was asked and not measured."""
    machine = measured["machine_info"]
    groups: dict[str, dict[str, Contestant]] = defaultdict(dict)
    for row in measured["benchmarks"]:
        name, size, unit = who(row)
        one = groups[row["group"] or row["name"]].setdefault(name, Contestant(name))
        one.seconds[size] = row["stats"]["median"]
        one.unit, one.told = unit, row["extra_info"]
    cpu = f"{machine['cpu'].get('brand_raw', machine['machine'])}, {machine['cpu']['count']} cores"
    threads = f"threads of BLAS {machine['threads']}, of parallel kernels of peers {machine['numba_threads']}"
    here = (
        f"{measured['datetime'][:10]}: {cpu}, {threads}; Python {machine['python_version']}, "
        f"{', '.join(versions())}."
    )
    lines = [
        here,
        "",
        "| what | contestant | seconds | times the first | asked | grows with | also |",
        "|---|---|---|---|---|---|---|",
    ]
    for group, contestants in groups.items():
        # Whoever is asked to be slower than ours is not ours, wherever its test stands.
        ordered = sorted(contestants.values(), key=lambda one: (group, one.name) in ASKED)
        lines += [row_of(group, one, ordered[0]) for one in ordered]
    missing = [f"{group}: {name}" for group, name in ASKED if name not in groups.get(group, {})]
    return [*lines, "", *([f"Asked, and not measured here: {'; '.join(missing)}."] if missing else [])]


def who(row: dict[str, Any]) -> tuple[str, int, str]:
    """Return who was timed, and at which size: 0 where there is one alone."""
    test, _, inside = row["name"].partition("[")
    parts = [part for part in inside.rstrip("]").split("-") if part]
    size = next((found for found in map(SIZE.fullmatch, parts) if found), None)
    named = [part for part in parts if not SIZE.fullmatch(part)] or [test.removeprefix("test_")]
    name = " ".join(named).replace("_", " ")
    return (name, int(size[1].replace(",", "")), size[2]) if size else (name, 0, "")


def row_of(group: str, one: Contestant, first: Contestant) -> str:
    """Return the line of a contestant beside the first of its group; sizes that both have are compared."""
    sizes = sorted(one.seconds)
    seconds = " / ".join(f"{one.seconds[size]:.3g}" for size in sizes)
    at = f"{' / '.join(f'{size:,}' for size in sizes)} {one.unit}: " if sizes != [0] else ""
    ratios = {size: one.seconds[size] / first.seconds[size] for size in sizes if size in first.seconds}
    times = " / ".join(f"{ratio:.2g}" for ratio in ratios.values()) if one is not first else "1"
    asked = ASKED.get((group, one.name))
    met = (
        "" if asked is None else f"{asked:g}, {'met' if ratios.get(sizes[-1], 0) >= asked else '**not met**'}"
    )
    told = ", ".join(
        f"{name.replace('_', ' ')} {f'{value:.4g}' if isinstance(value, float) else value}"
        for name, value in one.told.items()
    )
    return f"| {group} | {one.name} | {at}{seconds} | {times} | {met} | {exponent(one)} | {told} |"


def exponent(one: Contestant) -> str:
    """Return the power of the size with which the time grows between the last two sizes."""
    if len(one.seconds) < 2:
        return ""
    small, large = sorted(one.seconds)[-2:]
    return f"{one.unit}^{math.log(one.seconds[large] / one.seconds[small]) / math.log(large / small):.1f}"


def versions() -> list[str]:
    """Return the packages that are installed, with their versions."""
    found = []
    for name in PEERS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # a contestant that does not take part
            continue
    return found


if __name__ == "__main__":
    main()
