"""What each check sees of defects that are known.

python -m tests.check_matrix docs/check-matrix.md [--defect NAME] [--jobs 2]
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import click

from pytest_stbench.registry import nearest
from pytest_stbench.report.live import working
from pytest_stbench.run.installed import builtin_registry

from .cases import cases, run_cases
from .injections import DESIGN_FAULTS, INJECTIONS
from .page import matrix_page, missed


@click.command()
@click.argument("page", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--defect", "defects", multiple=True, help="Only this defect; may be repeated.")
@click.option("--jobs", type=click.IntRange(1), default=min(2, os.cpu_count() or 1), show_default=True)
def main(page: Path, defects: tuple[str, ...], jobs: int) -> None:
    """Inject every known defect into generated cohorts, run every check on all, and write FILE.

    Exit code 1 if a check misses a defect at threshold strength, or fails a clean cohort.
    """
    known = (*INJECTIONS, *DESIGN_FAULTS)
    for defect in defects:
        if defect not in known:
            raise click.UsageError(
                f"--defect: there is no defect {defect!r}{nearest(defect, known)}; known: {', '.join(known)}"
            )
    wanted = cases(defects or None)
    with working("cohorts", len(wanted)) as tell:
        done = itertools.count(1)
        outcomes = list(run_cases(wanted, jobs=jobs, progress=lambda _: tell("", next(done), None)))
    registry = builtin_registry()
    page.write_text(matrix_page(outcomes, registry), encoding="utf-8", newline="\n")
    click.echo(f"wrote {page}")
    faults = missed(outcomes, registry)
    for fault in faults:
        click.echo(fault, err=True)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
