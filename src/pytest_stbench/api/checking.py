"""Data judged from Python, as ``stbench check`` does."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_stbench.api.run_results import RunResults
from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from anndata import AnnData


def check(
    data: str | PathLike[str] | AnnData | Sequence[str | PathLike[str] | AnnData],
    *,
    claim: str = "population",
    samples: str | PathLike[str] | None = None,
    patient: str | None = None,
    slide: str | None = None,
    by: str | None = None,
    split: str | None = None,
    settings: Mapping[str, object] | None = None,
    select: Sequence[str] = (),
    skip: Sequence[str] = (),
    waive: Mapping[str, str] | None = None,
    data_root: str | PathLike[str] | None = None,
) -> RunResults:
    """Judge data by the data-quality checks, without a model; as ``stbench check DATA`` does.

    Parameters
    ----------
    data
        A task file, an h5ad file, a folder that a reader knows, a csv with one row per slide, or an
        ``AnnData`` in memory; or several of them.
    claim
        What scores on the data are to be claimed for: ``population`` or ``exploratory``.
    samples
        Table that says who is who: csv, one row per slide.
    patient, slide, by, split
        Columns that name the patient, the slide, the data set, and train, val and test.
    settings
        What the files do not say, such as ``{"technology": "Visium", "um_per_px": 0.5}``.
    select, skip
        Checks to run, or to leave out, by name or id.
    waive
        Checks whose failure only warns, each with the reason.
    data_root
        Folder of the data of task files.

    Returns
    -------
    RunResults
        Every check with its findings.

    Raises
    ------
    StbenchError
        When data cannot be read, or an option says nothing possible.
    """
    if claim not in ("population", "exploratory"):
        raise StbenchError(f"claim={claim!r}: choose population or exploratory")
    options: dict[str, Any] = {
        "claim": claim, "samples": None if samples is None else Path(samples),
        "patient": patient, "slide": slide, "by": by, "split": split,
        "settings": tuple(f"{key}={value}" for key, value in (settings or {}).items()),
        "select": tuple(select), "skip": tuple(skip),
        "waive": tuple(f"{name}={reason}" for name, reason in (waive or {}).items()),
        "data_root": None if data_root is None else Path(data_root),
    }  # fmt: skip
    return _checked(list(data) if isinstance(data, list | tuple) else [data], options)


def _checked(several: Sequence[Any], options: Mapping[str, Any]) -> RunResults:
    from pytest_stbench.cli.check import judged
    from pytest_stbench.report.lint import lint_data, lint_text
    from pytest_stbench.results.schema import Results
    from pytest_stbench.run.provenance.environment import run_record

    started = time.time()
    with ExitStack() as stack:
        sources = tuple(_source(one, number, stack) for number, one in enumerate(several, start=1))
        try:
            reports, errors = judged(sources, options, unread=False)
        except click.UsageError as error:
            raise StbenchError(error.message) from None
    if errors:
        raise StbenchError("\n".join(errors))
    run = run_record([f"pytest_stbench.check({', '.join(sources)})"], Path.cwd(), started)
    return RunResults(Results.from_dict(lint_data(reports, run)), text=lint_text(reports))


def _source(given: Any, number: int, stack: ExitStack) -> str:
    """Return the path of data; what is in memory is written to a file that goes with `stack`."""
    if isinstance(given, str | os.PathLike):
        return os.fspath(given)
    if not hasattr(given, "write_h5ad"):
        raise StbenchError(f"data {number} is {type(given).__name__}: give a path, or an AnnData")
    from pytest_stbench.data.quiet import quiet_anndata

    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="stbench-data-"))
    path = Path(folder) / "data.h5ad"
    with quiet_anndata():
        given.write_h5ad(path)
    return str(path)
