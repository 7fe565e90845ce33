"""``stbench describe``: the data sets of task files in numbers, to compare simulated with real ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from pytest_stbench.cli.options import PATH, data_root_option
from pytest_stbench.report.width import flush_left

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_stbench.data.simulate.describe import Description

PLANE = "_outlines_plane:"
"""Between what is outlined and the plane, in the notes of readers."""

COLUMNS = {
    "SLIDES": ("slides", "d"),
    "PATIENTS": ("patients", "d"),
    "UNITS": ("units", ".0f"),
    "GENES": ("genes", ".0f"),
    "DEPTH": ("depth_50", ".0f"),
    "10%": ("depth_10", ".0f"),
    "90%": ("depth_90", ".0f"),
    "SD LOG": ("depth_sd", ".2f"),
    "ZEROS": ("zero_share", ".2f"),
    "DETECTED": ("detected", ".2f"),
    "MORAN": ("moran", ".3f"),
    "TOP 50": ("moran_top", ".3f"),
    "PATIENT": ("patient_share", ".3f"),
}
"""What is printed: the field of a description and its format."""


@click.command()
@click.argument("files", nargs=-1, required=True, type=PATH)
@data_root_option("Look for data in this folder; default: $STBENCH_DATA, then the folder of the file.")
def describe(files: tuple[Path, ...], data_root: Path | None) -> None:
    """Print one line of numbers for every data set of task files.

    Medians over slides: units, genes, total count of a unit (with its 10% and 90% quantiles and the
    standard deviation of its logarithm), share of zeros, share of genes detected in a tenth of the
    units, Moran's I (median of the detected genes, mean of the 50 highest). PATIENT is the share of
    a gene's variance between patients. Where outlines lie on several planes, a line below says how many
    were read of which. Data sets that are not on this machine are named and left out.
    """
    from pytest_stbench.cli.tasks import task_files
    from pytest_stbench.data.dataset import Dataset
    from pytest_stbench.data.roots import data_roots
    from pytest_stbench.data.samples import load_samples
    from pytest_stbench.data.simulate.describe import describe as describe_data
    from pytest_stbench.errors import DataMissing
    from pytest_stbench.run.installed import builtin_registry
    from pytest_stbench.spec.validate import load_task

    registry = builtin_registry()
    rows, planes = [], []
    for path in task_files(files):
        task = load_task(path, registry).spec
        roots = data_roots(path.resolve().parent, data_root)
        for name, config in task.datasets.items():
            try:
                samples = load_samples(config, name, roots)
                dataset = Dataset(name, config, samples, roots)
                found = describe_data(dataset)
            except DataMissing as error:
                click.echo(f"{task.name}: {name}: not on this machine: {error}", err=True)
                continue
            rows.append((f"{task.name}: {name}", *cells_of(found)))
            planes += [f"{task.name}: {name}: {text}" for text in planes_of(dataset.notes)]
    lines = flush_left([("DATA SET", *COLUMNS), *rows], right_from=1) if rows else []
    for line in (*lines, *planes):
        click.echo(line)


def planes_of(notes: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return for each kind of outlines how many were read of which plane, over all slides.

    `notes` are those of a data set. Nothing is said of outlines without planes.
    """
    found: dict[str, list[str]] = {}
    for note, by_slide in sorted(notes.items()):
        kind, at, plane = note.partition(PLANE)
        if at:
            found.setdefault(kind, []).append(f"{sum(by_slide.values())} of plane {plane}")
    return [f"outlines of kind {kind}: {', '.join(parts)}" for kind, parts in found.items()]


def cells_of(found: Description) -> tuple[str, ...]:
    """Return the numbers of a description as text; a dash where one is not defined."""
    values = [(getattr(found, field), form) for field, form in COLUMNS.values()]
    return tuple("-" if math.isnan(value) else format(value, form) for value, form in values)
