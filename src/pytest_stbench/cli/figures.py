"""``stbench figures``: figures for a paper, made from somebody's slides."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_stbench.cli.check import grouped
from pytest_stbench.cli.files import new_folder
from pytest_stbench.cli.options import PATH, data_options_of, of_data
from pytest_stbench.errors import StbenchError
from pytest_stbench.spec import TASK_SUFFIX

if TYPE_CHECKING:
    from pytest_stbench.report.figures.folder import Figures
    from pytest_stbench.report.figures.opened import Opened

EXIT_NONE = 1


@click.command()
@click.argument("sources", metavar="DATA...", nargs=-1, required=True)
@click.argument("out", metavar="OUT", type=PATH)
@click.option(
    "--results",
    type=PATH,
    help="Draw predictions that this results file kept (--stbench-keep=maps or all), not a baseline's.",
)
@of_data
def figures(
    sources: tuple[str, ...], out: Path, results: Path | None, data_root: Path | None, **options: Any
) -> None:
    """Draw figures for a paper from slides: PNG, PDF and their numbers as CSV, in the new folder OUT.

    DATA is what `stbench check` takes: a task file, h5ad files, a folder that a reader knows; several make
    the overlap of their panels. Drawn are the section at two resolutions, variable genes without a
    pattern, panels, co-expression and niche signatures of truth and prediction, the field's benchmarks,
    and the design checklist of the data. OUT/captions.md says what was measured, what was not made, and
    why.

    Exit code 0: at least one figure of the data was made; 1: none; 2: wrong usage, or data that cannot be
    read.
    """
    from pytest_stbench.report.figures.folder import CAPTIONS, Figures

    with new_folder(out, of="run") as staged, tempfile.TemporaryDirectory(prefix="stbench-") as store:
        opened = [_opened(group, options, data_root, Path(store)) for group in grouped(sources)]

        def write(name: str, content: bytes) -> None:
            (staged / name).write_bytes(content)

        made = Figures(store=Path(store), write=write, kept=results, tell=_tell)
        made.all(opened)
        _tell("")
        notes = [note for source in opened for note in source.notes]
        write(CAPTIONS, made.text(", ".join(sources), notes))
    _report(made, out / CAPTIONS, out)


def _report(made: Figures, captions: Path, out: Path) -> None:
    for one in made.not_made:
        click.echo(one.line, err=True)
    own = made.of_data
    click.echo(f"wrote {len(made.made)} figures to {out}; {captions} says what they show")
    if not own:
        click.echo("no figure could be made of the data: the reasons stand above", err=True)
        sys.exit(EXIT_NONE)


def _opened(group: tuple[str, ...], options: dict[str, Any], data_root: Path | None, store: Path) -> Opened:
    from pytest_stbench.data.propose.for_check import describe_files
    from pytest_stbench.data.propose.sheet import SUFFIXES
    from pytest_stbench.report.figures.opened import open_files, open_task

    path = Path(group[0])
    if path.name.endswith(TASK_SUFFIX):
        return open_task(path, data_root, store)
    if path.suffix.lower() in SUFFIXES and path.is_file():
        message = f"{path}: a sheet has no counts to draw; give the slides, and the sheet by --samples"
        raise StbenchError(message)
    several = len(group) > 1
    pattern = str(path.parent / "*.h5ad") if several else group[0]
    return open_files(
        describe_files(pattern, data_options_of(options), [Path(one) for one in group] if several else ())
    )


def _tell(what: str) -> None:
    """Say on a terminal what is made; nothing elsewhere."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{what}", nl=False, err=True)
