"""``stbench check``: data judged by the data-quality checks, without a model and without pytest."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_stbench.cli.judged import judged
from pytest_stbench.cli.said import of_data

if TYPE_CHECKING:
    from pytest_stbench.report.lint import Report

EXIT_FAILED, EXIT_UNREADABLE = 1, 2


@click.command()
@click.argument("sources", metavar="DATA...", nargs=-1, required=True)
@click.option(
    "--format", "form", type=click.Choice(("text", "json", "html")), default="text", show_default=True
)
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file.")
@click.option(
    "--claim",
    type=click.Choice(("population", "exploratory")),
    default="population",
    show_default=True,
    help="What scores on the data are to be claimed for; task files say it themselves.",
)
@of_data
@click.option("--by", help="Sheets: each value of this column is a data set of its own.")
@click.option("--split", help="Sheets: column with train, val and test.")
@click.option("--select", multiple=True, metavar="CHECK", help="Run only these checks (name or id).")
@click.option("--skip", multiple=True, metavar="CHECK", help="Leave these checks out.")
@click.option(
    "--waive",
    multiple=True,
    metavar="CHECK=REASON",
    help="Let a failure of this check warn, for a written reason; task files say it under `checks:`.",
)
def check(sources: tuple[str, ...], form: str, output: Path | None, **options: Any) -> None:
    """Judge data before it is published or trained on.

    DATA is a task file, h5ad files, a folder that a reader knows (Space Ranger, Xenium, CosMx,
    MERSCOPE, HEST, SpatialData), or a csv with one row per slide, whose metadata is judged alone.
    h5ad files given one by one are the slides of one data set.

    Exit code 0: no check failed; 1: a check failed; 2: wrong usage, or data that cannot be read.
    """
    from pytest_stbench.cli.files import write_atomically

    started = time.time()
    reports, errors = judged(sources, options, unread=form != "text", pictures=form == "html")
    text = _rendered(reports, form, started)
    if output is not None:
        write_atomically(output, text.encode("utf-8", "replace"))
        click.echo(f"wrote {output}", err=True)
    elif reports:
        click.echo(text, nl=False)
    for message in errors:
        click.echo(message, err=True)
    if errors or any(report.unreadable for report in reports):
        sys.exit(EXIT_UNREADABLE)
    sys.exit(EXIT_FAILED if any(report.failed for report in reports) else 0)


def _rendered(reports: list[Report], form: str, started: float) -> str:
    if form == "json":
        from pytest_stbench.report.lint import lint_data
        from pytest_stbench.run.provenance.environment import run_record

        run = run_record(["stbench", *sys.argv[1:]], Path.cwd(), started)
        return json.dumps(lint_data(reports, run), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if form == "html":
        from pytest_stbench.report.lint_page import lint_page

        return lint_page(reports)
    from pytest_stbench.report.lint_text import lint_text

    return lint_text(reports)
