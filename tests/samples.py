"""Make the samples of output in README.md and docs anew.

    python -m tests.samples           # says which of them are no longer what a command prints
    python -m tests.samples --write   # writes them
    python -m tests.samples mistakes check --write

A sample is the block after a line `<!-- sample: NAME -->`. What is cut from it is shown as `...`; times and
folders are the only parts that a reader will not see again.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
MARK = re.compile(r"(<!-- sample: (\S+) -->\n```\w*\n)(.*?)(```\n)", re.DOTALL)
WIDE = 150
"""Characters after which a line of a sample is cut."""

MISTAKES = """\
stbench: 1
name: mytask
version: 1
family: imputaton
datasets:
  mine:
    source: h5ad
    path: slides/*.h5ad
    resolution: spots
    pitch_um: none
splits: [lopo, lopoo]
metrics: [spearman_gene, 5]
"""


def cut(line: str) -> str:
    """Return a line of a sample, cut between words where it is long."""
    return line if len(line) <= WIDE else f"{line[:WIDE].rpartition(' ')[0]} ..."


def summary(text: str) -> list[str]:
    """Return what a run of pytest printed from the first title of this package to its last line but one."""
    lines = text.rstrip().splitlines()
    first = next(place for place, line in enumerate(lines) if re.match("=+ stbench", line))
    return lines[first:-1]


def section(text: str, task: str) -> list[str]:
    """Return the lines on one task, of what a run of several printed."""
    lines = text.splitlines()
    start = next(place for place, line in enumerate(lines) if f"= stbench: {task} v" in line)
    return lines[start : lines.index("", start)]


def first(lines: list[str]) -> list[str]:
    """Return the summary of the first command, whole but for what checks say at length."""
    return [cut(line) if line.startswith("  WARN") else line for line in lines]


def first_short(lines: list[str]) -> list[str]:
    """Return the same with three rows and the first columns of the table."""
    lines = first(lines)
    head = next(place for place, line in enumerate(lines) if line.lstrip().startswith("metric "))
    end = next(place for place in range(head, len(lines)) if "standard error" in lines[place])
    left, right = lines[head].index("libsize") + len("libsize"), lines[head].index("patients") - 1
    rows = [f"{line[:left]} ... {line[right:]}" for line in lines[head : head + 4]]
    return [*lines[:head], *rows, "    ...", *lines[end + 1 :]]


def resolutions(text: str) -> list[str]:
    """Return the table of resolutions."""
    lines = summary(text)
    start = next(place for place, line in enumerate(lines) if line.startswith("resolutions of "))
    return [cut(line) for line in lines[start : start + 5]]


def mistakes(folder: Path) -> list[str]:
    """Return what `stbench validate` says of a file with several mistakes."""
    (folder / "mytask.stbench.yaml").write_text(MISTAKES, encoding="utf-8")
    return ["$ stbench validate mytask.stbench.yaml", *command(folder, "validate", "mytask.stbench.yaml")]


def check(folder: Path) -> list[str]:
    """Return what `stbench check` says of two slides of which little is known."""
    slides = folder / "slides"
    slides.mkdir()
    write_slides(slides)
    said = command(folder, "check", "slides", "--set", "resolution=spot", "--set", "technology=Visium")
    return ["$ stbench check slides --set resolution=spot --set technology=Visium", *map(cut, said)]


def write_slides(folder: Path) -> None:
    """Write two slides of two simulated patients as h5ad files."""
    import anndata as ad
    import pandas as pd

    from pytest_stbench.data.dataset import Dataset
    from pytest_stbench.data.samples import load_samples
    from pytest_stbench.spec.model import DatasetSpec

    params = {"patients": 2, "units": 400, "genes": 300, "image": False, "seed": 0}
    config = DatasetSpec(source="simulated", params=params)
    samples = load_samples(config, "slides", ())
    dataset = Dataset("slides", config, samples, ())
    for sample in samples:
        slide = dataset.slide(sample.slide)
        made = ad.AnnData(
            slide.counts,
            obs=pd.DataFrame({"patient": sample.patient}, index=slide.unit_names.astype(object)),
            var=pd.DataFrame(index=slide.genes.astype(object)),
            obsm={"spatial": slide.xy_um},
        )
        made.write_h5ad(folder / f"{sample.slide}.h5ad")


def command(folder: Path, *arguments: str) -> list[str]:
    """Return what `stbench` prints in `folder`, in this process."""
    from click.testing import CliRunner

    from pytest_stbench.cli import main

    before = Path.cwd()
    os.chdir(folder)
    try:
        return CliRunner().invoke(main, list(arguments)).output.rstrip().splitlines()
    finally:
        os.chdir(before)


def run(task: str, *options: str) -> str:
    """Return what pytest prints of a shipped task."""
    with tempfile.TemporaryDirectory() as folder:
        tasks = f"{ROOT / 'tasks' / task}.stbench.yaml"
        quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-W", "ignore", "--rootdir", folder]
        done = [sys.executable, "-m", "pytest", *quiet, *options, tasks]
        narrow = {**os.environ, "COLUMNS": "80"}
        ran = subprocess.run(done, cwd=folder, capture_output=True, text=True, check=False, env=narrow)
        return ran.stdout


QUICK = {"mistakes": mistakes, "check": check}
"""Samples that take a second, made in a folder."""

OF_THE_FIRST_RUN = {"first": first, "first-short": first_short}
"""Samples of what the first command prints."""


def made(names: set[str]) -> dict[str, list[str]]:
    """Return the samples called `names` as they are today."""
    found = {}
    for name in names & QUICK.keys():
        with tempfile.TemporaryDirectory() as folder:
            found[name] = QUICK[name](Path(folder))
    if names & OF_THE_FIRST_RUN.keys():
        lines = summary(run("smoke-imputation", "--stbench-model=ridge"))
        found |= {name: make(lines) for name, make in OF_THE_FIRST_RUN.items()}
    if "resolutions" in names:
        found["resolutions"] = resolutions(run("smoke-resolutions", "-m", "stbench_check"))
    return found


def shown() -> dict[str, tuple[Path, list[str]]]:
    """Return the samples of the pages: by name, the page and the lines."""
    return {
        match[2]: (page, match[3].splitlines())
        for page in PAGES
        for match in MARK.finditer(page.read_text(encoding="utf-8"))
    }


def write(page: Path, samples: dict[str, list[str]]) -> None:
    """Put the samples of a page in their places."""

    def renewed(match: re.Match[str]) -> str:
        lines = samples.get(match[2], match[3].splitlines())
        return match[1] + "".join(f"{line}\n" for line in lines) + match[4]

    text = page.read_text(encoding="utf-8")
    page.write_text(MARK.sub(renewed, text), encoding="utf-8", newline="\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.samples", description=__doc__)
    parser.add_argument("names", nargs="*", help="samples; default: all")
    parser.add_argument("--write", action="store_true", help="put them into the pages")
    given = parser.parse_args()
    there = shown()
    samples = made(set(given.names or there))
    stale = [name for name, lines in samples.items() if name in there and there[name][1] != lines]
    for name in stale:
        print(f"{there[name][0].relative_to(ROOT)}: sample {name} {'was' if given.write else 'is'} stale")
    if given.write:
        for page in PAGES:
            write(page, samples)
        return 0
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
