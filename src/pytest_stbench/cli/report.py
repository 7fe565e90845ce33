"""``stbench report``: what runs found, as one page."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_stbench.cli.files import write_atomically


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to this file.",
)
@click.option(
    "--all", "every", is_flag=True, help="Show the maps of all kept slides and genes, not of a few of each."
)
def report(runs: tuple[Path, ...], output: Path, *, every: bool) -> None:
    """Write a report of results files: one HTML file that opens offline.

    RUN is a file that `--stbench-save` or `stbench check --format json` wrote. Of several, models are
    ranked together where task, version and data are the same; else they are listed apart.
    """
    from pytest_stbench.report.page.render import encoded
    from pytest_stbench.report.page.report_page import report_page
    from pytest_stbench.report.page.sources import read_sources

    write_atomically(output, encoded(report_page(read_sources(runs), every=every)))
    click.echo(f"wrote {output}", err=True)
