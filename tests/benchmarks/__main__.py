"""The table of docs/performance.md, from what pytest-benchmark measured.

    pytest tests/benchmarks --benchmark-only --benchmark-json=measured.json
    python -m tests.benchmarks measured.json docs/performance.md

The page keeps its text; what stands between its two marks is replaced.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
PEERS = (
    "numpy", "scipy", "pandas", "scikit-learn", "scikit-image", "anndata", "scanpy", "squidpy", "cellpose",
    "illico", "numba", "openslide-python", "tifffile", "pytest", "pytest-benchmark",
)  # fmt: skip
"""Packages whose versions are named where they are installed."""


@click.command()
@click.argument("measured", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("page", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(measured: Path, page: Path) -> None:
    """Write what MEASURED (of --benchmark-json) holds into PAGE."""
    text = page.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise click.UsageError(f"{page}: the marks `{BEGIN}` and `{END}` must each stand there once")
    table = "\n".join(table_of(json.loads(measured.read_text(encoding="utf-8"))))
    new = re.sub(
        f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", lambda _: f"{table}\n", text, flags=re.S
    )
    page.write_text(new, encoding="utf-8")


def table_of(measured: dict[str, Any]) -> list[str]:
    """Return the lines of the page: the machine, and a row for every contestant, group by group."""
    machine = measured["machine_info"]
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in measured["benchmarks"]:
        groups[row["group"] or row["name"]].append(row)
    cpu = f"{machine['cpu'].get('brand_raw', machine['machine'])}, {machine['cpu']['count']} cores"
    lines = [
        f"{cpu}, Python {machine['python_version']}; {', '.join(versions())}.",
        "",
        "| what | contestant | seconds | times the first | also |",
        "|---|---|---|---|---|",
    ]
    for group, rows in groups.items():
        first: dict[str, float] = {}  # of each size: contestants of one size stand beside one another
        for row in rows:
            who, size = contestant(row)
            seconds = row["stats"]["median"]
            ratio = seconds / first.setdefault(size, seconds)
            label = f"{who}, {size}" if size else who
            lines.append(f"| {group} | {label} | {seconds:.3g} | {ratio:.2g} | {also(row['extra_info'])} |")
    return lines


def contestant(row: dict[str, Any]) -> tuple[str, str]:
    """Return who was timed, and at which size where the test has several."""
    test, _, inside = row["name"].partition("[")
    named = [part for part in inside.rstrip("]").split("-") if part]
    who = [part for part in named if not any(letter.isdigit() for letter in part)]
    sizes = [part for part in named if part not in who]
    return (" ".join(who) or test.removeprefix("test_")).replace("_", " "), " ".join(sizes)


def also(found: dict[str, Any]) -> str:
    """Return what a benchmark said beside its time, such as memory."""
    return ", ".join(
        f"{name.replace('_', ' ')} {f'{value:.4g}' if isinstance(value, float) else value}"
        for name, value in found.items()
    )


def versions() -> list[str]:
    """Return the peers that are installed, with their versions."""
    found = []
    for name in PEERS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # a contestant that does not take part
            continue
    return found


if __name__ == "__main__":
    main()
