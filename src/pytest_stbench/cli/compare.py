"""``stbench compare``, ``approve``, ``show``, ``leaderboard``: what runs say, alone and beside each other."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from pytest_stbench.cli.options import PATH

_runs = click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=PATH)


@click.command()
@_runs
def compare(runs: tuple[Path, ...]) -> None:
    """Say who gained and lost most between runs: each RUN is compared with the first.

    RUN is a file that --stbench-save wrote; the first may be a reference that `stbench approve` wrote. Only
    what was measured on the same version of a task, data, patients and folds is compared, paired by patient.

    Of a folder the newest run is compared, of a folder alone with the one before it, and the history follows:
    how each model did on each task, run by run, and where data or task drifted.
    """
    from pytest_stbench.report.comparing.compared import comparisons
    from pytest_stbench.report.comparing.lines import compare_lines

    if any(path.is_dir() for path in runs):
        from pytest_stbench.report.history.beside import compared_with_history

        click.echo("\n".join(compared_with_history(runs)))
        return
    for number, comparison in enumerate(comparisons(runs)):
        click.echo(("\n\n" if number else "") + "\n".join(compare_lines(comparison)))


@click.command()
@click.argument("run", metavar="RUN", type=PATH)
@click.option("--by", required=True, metavar="NAME", help="Who approves the run.")
@click.option("--why", required=True, metavar="TEXT", help="Why, in one line.")
@click.option(
    "-o", "--output", type=PATH, metavar="FILE", default=Path("reference.json"), show_default=True,
    help="Write to this file; a reference that is there is replaced.",
)  # fmt: skip
def approve(run: Path, by: str, why: str, output: Path) -> None:
    """Make RUN the reference that later runs are compared with, and write it to a small file.

    Keep the file in your repository; `--stbench-compare=FILE` and `stbench compare FILE RUN` read it, and
    every comparison names who approved it, when and why.
    """
    import hashlib

    from pytest_stbench.cli.files import write_atomically
    from pytest_stbench.errors import ResultsError
    from pytest_stbench.results.reference import is_reference, reference_of, reference_text
    from pytest_stbench.results.schema import bytes_of, load

    if output.is_file() and not is_reference(output.read_bytes()):
        raise ResultsError(f"{output} is there and no reference: name another file with -o, or remove it")
    content = bytes_of(run)
    if is_reference(content):
        raise ResultsError(f"{run} is a reference already: approve a file that --stbench-save wrote")
    reference = reference_of(
        load(run),
        by=by,
        why=why,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        source=run.name,
        source_sha256=hashlib.sha256(content).hexdigest(),
    )
    write_atomically(output, reference_text(reference).encode())
    for line in reference.failed:
        click.echo(f"note  approved although {line}", err=True)
    models = ", ".join(model.name for model in reference.models)
    click.echo(f"{output}: {models} of {run.name} is the reference, approved by {reference.by}")


@click.command()
@click.argument("run", metavar="RUN", type=PATH)
def show(run: Path) -> None:
    """Show what a results file holds, as the summary of its run did, or what a reference holds."""
    import sys

    from pytest_stbench.report.shown_run import reference_lines, run_lines
    from pytest_stbench.report.width import terminal_width, wrapped
    from pytest_stbench.results.reference import is_reference, read_reference
    from pytest_stbench.results.schema import bytes_of, load

    content = bytes_of(run)
    watched = sys.stdout.isatty()
    lines = (
        reference_lines(read_reference(run, content), run)
        if is_reference(content)
        else run_lines(load(run), run.name, terminal_width() if watched else None)
    )
    for line, markup in lines:
        for part in wrapped(line) if watched else (line,):
            colour = next((name for name in ("red", "yellow") if markup.get(name)), None)
            click.echo(click.style(part, fg=colour) if colour else part)


@click.command()
@_runs
@click.option(
    "--format", "form", default="text", show_default=True,
    type=click.Choice(("text", "markdown", "csv", "html")), help="How the tables are written.",
)  # fmt: skip
@click.option("-o", "--output", type=PATH, metavar="FILE", help="Write to this file, not to the terminal.")
def leaderboard(runs: tuple[Path, ...], form: str, output: Path | None) -> None:
    """Rank the models of one run or several by the primary metric of each task.

    Models are ranked together where task, version and data are the same, with the places that patients do not
    rule out; else they are listed apart.
    """
    from pytest_stbench.cli.files import write_atomically
    from pytest_stbench.report.leaderboard import leaderboard as text_of
    from pytest_stbench.report.page.render import encoded
    from pytest_stbench.report.page.sources import read_by
    from pytest_stbench.results.pooled import load_pooled

    text = text_of(read_by(load_pooled, runs), form)
    if output is None:
        click.echo(text, nl=False)
        return
    write_atomically(output, encoded(text))
    click.echo(f"wrote {output}", err=True)
