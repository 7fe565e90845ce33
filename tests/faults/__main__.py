"""The fault matrix as a command.

    python -m tests.faults [--share 1.0] [--jobs 2] [--only TEXT] [--write docs/reliability.md]

prints, for every row, the trials and the wrong outcomes; the exit code is 1 where there is one.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from .place import Place, warmed
from .rows import FILES, SESSIONS

SEED = 14
CHUNK = 25


def chunk(name: str, first: int, n: int) -> tuple[str, int, int, list[str]]:
    """Run trials `first` to `first + n` of a row; return its name, trials, sessions and what was wrong."""
    fault = next(fault for fault in (*SESSIONS, *FILES) if fault.name == name)
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder) / "place")
        wrong = []
        for number in range(first, first + n):
            said = fault.trial(place, np.random.default_rng([SEED, number]))
            if said:
                wrong.append(f"{name}, trial {number}: {said}")
            place.clear()
        return name, n, place.sessions, wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="share of the trials of every row")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    given = parser.parse_args()
    rows = [fault for fault in (*SESSIONS, *FILES) if given.only in fault.name]
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        warmed(Path(folder) / "warm")
    found = {fault.name: [0, 0, 0] for fault in rows}
    whole = {fault.name: max(1, round(fault.whole * given.share)) for fault in rows}
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("fork")) as pool:
        tasks = []
        for fault in rows:
            n = whole[fault.name]
            tasks += [
                pool.submit(chunk, fault.name, first, min(CHUNK, n - first)) for first in range(0, n, CHUNK)
            ]
        for task in as_completed(tasks):
            name, n, sessions, wrong = task.result()
            found[name] = [a + b for a, b in zip(found[name], (n, sessions, len(wrong)), strict=True)]
            for line in wrong:
                print(line, flush=True)
            if found[name][0] == whole[name]:  # hours may lie between the first row and the table
                print(f"{name}: {found[name][0]} trials, {found[name][2]} wrong", flush=True)
    lines = table(rows, found)
    print("\n".join(lines))
    print(f"{(time.monotonic() - began) / 60:.0f} min with {given.jobs} jobs")
    if given.write:
        text = given.write.read_text(encoding="utf-8")
        new = re.sub(
            r"(?<=<!-- trials -->\n).*?(?=<!-- end of trials -->)", "\n".join(lines) + "\n", text, flags=re.S
        )
        given.write.write_text(new, encoding="utf-8")
    return int(any(wrong for _, _, wrong in found.values()))


def table(rows, found) -> list[str]:
    """Return the lines of the table."""
    lines = []
    for title, part, counted in (("whole sessions", SESSIONS, 1), ("trials on files", FILES, 0)):
        of = [fault for fault in part if fault in rows]
        if not of:
            continue
        lines += ["", f"| fault | what must come out | {title} | wrong outcomes |", "|---|---|---|---|"]
        lines += [f"| {f.name} | {f.right} | {found[f.name][counted]:,} | {found[f.name][2]} |" for f in of]
        total = sum(found[f.name][counted] for f in of), sum(found[f.name][2] for f in of)
        lines.append(f"| **all** | | **{total[0]:,}** | **{total[1]}** |")
    return [*lines, ""]


if __name__ == "__main__":
    sys.exit(main())
