"""Tables of the documentation, made of results files.

    python tests/golden/tables.py docs RESULTS.json docs/her2st.md docs/feasibility.md
    python tests/golden/tables.py moved BEFORE.json AFTER.json NUMBERS WHY

`docs` writes anew the rows of T, S, ceiling and headroom of the pages named; other rows and the prose
stay. `moved` prints the rows of CHANGELOG's table for the tasks of both files. Needs nothing but Python.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

SIMPLE = "ridge"
"""What is run in the place of a model."""
VARIANTS = {
    "cosmx-resolutions`, cells": ("cosmx-resolutions", ""),
    "the same as Visium spots of 55 um": ("cosmx-resolutions", "visium"),
    "the same as gapless hexagons of 55 um": ("cosmx-resolutions", "tiled"),
}
LOWER = ("proportion_jsd", "rmse", "unit_rmse", "brier", "ece")


def pooled(results: dict) -> dict[tuple, dict]:
    """Return the pooled scores of the primary metric of every task by task, variant and model."""
    primary = {task["name"]: task["primary"] for task in results["tasks"]}
    return {
        (score["task"], score.get("variant") or "", score["model"]): score
        for score in results["scores"]
        if score.get("fold") is None and score.get("seed") is None
        and score["metric"] == primary[score["task"]]
    }  # fmt: skip


def shown(score: dict) -> str:
    """Return the value with its interval, or with its smallest and largest patient."""
    value = f"{score['value']:.3f}"
    if score.get("ci_low") is not None:
        mark = " (approximate)" if score["n_patients"] < 6 else ""
        return f"{value} [{score['ci_low']:.3f}, {score['ci_high']:.3f}]{mark}"
    if score.get("n_patients", 0) > 1:
        return f"{value} ({score['min']:.2f} to {score['max']:.2f})"
    return value


def units_of(results: dict) -> dict[tuple[str, str], int]:
    """Return the units of every data set of every task; a variant of one bears its name behind a `+`."""
    return {(record["task"], record["name"]): record["n_units"] for record in results["datasets"]}


def row_of(name: str, first: str, results: dict, variant: str, columns: list[str]) -> str | None:
    """Return the row of a task by the heads of the columns; None where the file lacks it."""
    scores = pooled(results)
    model = scores.get((name, variant, SIMPLE))
    if model is None or model.get("value") is None:
        return None
    units = units_of(results).get((name, "+".join(filter(None, (model["dataset"], variant)))))
    ceiling, simple = model.get("ceiling"), model.get("baseline")
    headroom = "-"
    if ceiling is not None and simple is not None:
        gap = simple - ceiling if model["metric"] in LOWER else ceiling - simple
        headroom = f"{gap:.3f}" if gap > 0 else "none"
    depth = scores.get((name, variant, "libsize"))
    lower = ", lower is better" if model["metric"] in LOWER else ""
    cells = {
        "task": first,
        "units": f"{units:,}" if units else "-",
        "primary metric": f"`{model['metric']}`{lower}",
        "T": "-" if model.get("trivial") is None else f"{model['trivial']:.3f}",
        "S [95% CI]": shown({**model, "value": model["value"]}),
        "S": f"{model['value']:.3f}",
        "library size alone": "-" if depth is None or depth["value"] is None else f"{depth['value']:.3f}",
        "ceiling": "-" if ceiling is None else f"{ceiling:.3f}",
        "headroom": headroom,
        "patients with a value": str(model.get("n_patients", "-")),
    }
    return f"| {' | '.join(cells[column] for column in columns)} |"


def docs(results: dict, pages: list[Path]) -> int:
    """Write the tables of the pages anew; return how many rows the results lack."""
    lacking = 0
    for page in pages:
        lines, columns = page.read_text(encoding="utf-8").splitlines(), None
        for at, line in enumerate(lines):
            if not line.startswith("|"):
                columns = None
            elif "| headroom" in line:
                columns = [cell.strip() for cell in line.strip("|").split("|")]
            elif columns and not line.startswith("|---"):
                first = line.strip("|").split("|")[0].strip()
                name = re.match(r"`([\w-]+)`", first)
                found = next((v for k, v in VARIANTS.items() if k in first), (name and name[1], ""))
                new = row_of(found[0], first, results, found[1], columns)
                lacking += new is None
                lines[at] = new or line
        page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return lacking


def moved(before: dict, after: dict, numbers: str, why: str) -> None:
    """Print a row of CHANGELOG's table for every task of both files whose numbers differ."""
    old, new = pooled(before), pooled(after)
    for key in sorted(set(old) & set(new)):
        if key[2] != SIMPLE:
            continue
        told = []
        for score in (old[key], new[key]):
            text = "undefined" if score["value"] is None else shown(score)
            ceiling = score.get("ceiling")
            told.append(text if ceiling is None else f"{text}, ceiling {ceiling:.3f}")
        if told[0] != told[1]:
            name = f"`{key[0]}`" + (f" ({key[1]})" if key[1] else "")
            print(f"| {numbers} | {name} | `{new[key]['metric']}` | {told[0]} | {told[1]} | {why} |")


def main(arguments: list[str]) -> int:
    if len(arguments) > 2 and arguments[0] == "docs":
        return int(bool(docs(json.loads(Path(arguments[1]).read_text()), [Path(p) for p in arguments[2:]])))
    if len(arguments) == 5 and arguments[0] == "moved":
        moved(*(json.loads(Path(path).read_text()) for path in arguments[1:3]), *arguments[3:])
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
