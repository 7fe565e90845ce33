"""``stbench check``: data judged by the data-quality checks, without a model and without pytest.

A source is judged as what it is: a task file, a sheet, files or a folder of a reader.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_stbench.cli.dask_options import dask_option
from pytest_stbench.cli.options import PATH, data_options_of, left_out, of_data, unused, waivers, with_waivers
from pytest_stbench.errors import StbenchError
from pytest_stbench.report.live import working
from pytest_stbench.spec import TASK_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_stbench.data.propose.for_check import DataOptions
    from pytest_stbench.registry import Registry
    from pytest_stbench.report.lint import Report
    from pytest_stbench.run.quality.data_checks import Judged
    from pytest_stbench.spec.model import CheckSpec
    from pytest_stbench.splits.table import Sample

EXIT_FAILED, EXIT_UNREADABLE = 1, 2


@click.command()
@click.argument("sources", metavar="DATA...", nargs=-1, required=True)
@click.option(
    "--format", "form", type=click.Choice(("text", "json", "html")), default="text", show_default=True
)
@click.option("--output", type=PATH, help="Write to this file.")
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
@dask_option
@click.option(
    "--stbench-store",
    "store",
    type=PATH,
    help="Keep there what checks find, and use what it has; with --dask .stbench by default.",
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
    from pytest_stbench.report.lint import lint_text

    return lint_text(reports)


def judged(
    sources: tuple[str, ...], options: Mapping[str, Any], *, unread: bool, pictures: bool = False
) -> tuple[list[Report], list[str]]:
    """Return a report of each source, and why others could not be read.

    `unread`: these get a report as well; `pictures`: what maps are made of is kept.
    """
    from pytest_stbench.run.installed import builtin_registry

    registry = builtin_registry()
    chosen = left_out(options["select"], options["skip"], registry)
    waived, said = waivers(options["waive"], registry), data_options_of(options)
    asked = _Asked(chosen, waived, said, registry, options, pictures=pictures)
    reports: list[Report] = []
    errors: list[str] = []
    with _store(options) as store:
        if options.get("where"):
            _fill(store, grouped(sources), asked)
        for group in grouped(sources):
            try:
                reports += _judge(group, asked, store)
            except StbenchError as error:
                errors.append(str(error))
                if unread:
                    reports.append(_unread(group, str(error)))
    return reports, errors


def _fill(store: Path, groups: Sequence[tuple[str, ...]], asked: _Asked) -> None:
    """Have workers judge what they can; ends the command where not all of it is done."""
    from pytest_stbench.cli.checked_by_workers import fill

    names = [name for name in asked.registry.checks.names if name in asked.names]
    code = fill(
        store, [group for group in groups if not _is_sheet(group)], asked.said, asked.options, names,
        asked.registry,
    )  # fmt: skip
    if code:
        sys.exit(EXIT_UNREADABLE if code == EXIT_FAILED else code)


@contextmanager
def _store(options: Mapping[str, Any]) -> Iterator[Path]:
    """Give the folder in which results are kept; that of a command that names none goes with it."""
    named = options.get("store") or (Path(".stbench") if options.get("where") else None)
    if named is not None:
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="stbench-") as store:
        yield Path(store)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line asks: checks left out with reasons, waivers, what it says of the data."""

    left_out: Mapping[str, str]
    waivers: Mapping[str, CheckSpec]
    said: DataOptions
    registry: Registry
    options: Mapping[str, Any]
    pictures: bool = False

    @property
    def names(self) -> frozenset[str]:
        """The checks to run."""
        return frozenset(self.registry.checks.names) - self.left_out.keys()

    def parts(self, found: Judged) -> dict[str, Any]:
        """Return what a report takes from what was judged."""
        kinds = ("checks", "datasets", "tasks", "unreadable", "views")
        not_run = {**self.left_out, **found.not_run}
        return {"not_run": not_run, **{kind: getattr(found, kind) for kind in kinds}}


def grouped(sources: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the sources; h5ad files of one folder, as a shell expands a pattern, are one."""
    groups: dict[object, list[str]] = {}
    for source in sources:
        path = Path(source)
        alone = path.suffix != ".h5ad" or not path.is_file()
        groups.setdefault(source if alone else path.resolve().parent, []).append(source)
    return [tuple(group) for group in groups.values()]


def _unread(group: tuple[str, ...], why: str) -> Report:
    """Return a report that says why a source cannot be read; as text the message alone tells it."""
    from pytest_stbench.report.lint import Report

    return Report(title=group[0], what="cannot be read", unreadable={group[0]: why})


def _judge(group: tuple[str, ...], asked: _Asked, store: Path) -> list[Report]:
    """Return what was found in one source, a report for each of its data sets or task files."""
    if group[0].endswith(TASK_SUFFIX):
        return [_task(group, asked, store)]
    return _sheet(Path(group[0]), asked, store) if _is_sheet(group) else [_files(group, asked, store)]


def _is_sheet(group: tuple[str, ...]) -> bool:
    from pytest_stbench.data.propose.sheet import SUFFIXES

    return Path(group[0]).suffix.lower() in SUFFIXES


def _task(group: tuple[str, ...], asked: _Asked, store: Path) -> Report:
    from pytest_stbench.report.lint import Report
    from pytest_stbench.run.quality.data_checks import check_data
    from pytest_stbench.run.quality.given import given_by

    options, registry = asked.options, asked.registry
    given = given_by(group, asked.said, options["claim"], options["data_root"], registry, store)
    task = with_waivers(given.task, asked.waivers)
    with working("reading") as progress:
        found = check_data(
            task, given.grid, given.roots, registry, store=store, names=asked.names, whole=True,
            pictures=asked.pictures, progress=progress,
        )  # fmt: skip
    words = ("samples", "patient", "slide", "by", "split", "settings")
    notes = unused(options, words, "a task file says it itself")
    what = f"task file {Path(group[0])}"
    return Report(title=task.spec.name, what=what, notes=tuple(notes), **asked.parts(found))


def _files(group: tuple[str, ...], asked: _Asked, store: Path) -> Report:
    from pytest_stbench.data.dataset import Dataset
    from pytest_stbench.report.lint import Report
    from pytest_stbench.run.quality.data_checks import check_data, task_of_data, unreadable_slides
    from pytest_stbench.run.quality.given import described_by, pattern_of

    registry, pattern = asked.registry, pattern_of(group)
    described = described_by(group, asked.said)
    name, roots = described.name, (described.root,)

    def run(samples: tuple[Sample, ...]) -> Judged:
        task, grid = task_of_data(name, described.config, samples, None, asked.options["claim"])
        task = with_waivers(task, asked.waivers)
        with working("reading") as progress:
            return check_data(
                task, grid, roots, registry, store=store, names=asked.names, pictures=asked.pictures,
                progress=progress,
            )  # fmt: skip

    found = run(described.samples)
    broken: dict[str, str] = {}
    if found.unreadable:
        broken = unreadable_slides(
            Dataset(name, described.config, described.samples, roots, readers=registry.readers)
        )
        rest = tuple(sample for sample in described.samples if sample.slide not in broken)
        # The others are judged without the slides that cannot be read.
        found = run(rest) if rest and broken else found
    slides = len(described.samples)
    what = f"{described.what} at {pattern}, {slides} slide{'' if slides == 1 else 's'}"
    parts = {**asked.parts(found), "unreadable": broken or found.unreadable}
    notes = (*described.notes, *unused(asked.options, ("by", "split"), "they are for sheets"))
    return Report(title=name, what=what, notes=notes, **parts)


def _sheet(path: Path, asked: _Asked, store: Path) -> list[Report]:
    from pytest_stbench.data.propose.for_check import config_of
    from pytest_stbench.data.propose.sheet import read_sheet
    from pytest_stbench.report.lint import Report
    from pytest_stbench.run.quality.data_checks import check_data, task_of_data, validation_note

    options, said = asked.options, asked.said
    sheets = read_sheet(
        path, patient=said.patient, slide=said.slide, by=options["by"], split=options["split"]
    )
    config = config_of({"source": "h5ad"}, said)
    unread = unused(options, ("samples",), "a sheet is a samples table itself")
    reports = []
    for sheet in sheets:
        task, grid = task_of_data(sheet.name, config, sheet.samples, sheet.folds or None, options["claim"])
        task = with_waivers(task, asked.waivers)
        found = check_data(
            task, grid, (path.parent,), asked.registry, store=store, names=asked.names, counts=False
        )
        slides = len(sheet.samples)
        what = f"metadata of {slides} slide{'' if slides == 1 else 's'} in {path}"
        notes = (*sheet.notes, *validation_note(sheet.samples, sheet.parts, sheet.name), *unread)
        reports.append(Report(title=sheet.name, what=what, notes=notes, **asked.parts(found)))
    return reports
