"""``--stbench-report``: the page of a run, written at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.collection.reports import SAVE_ERROR, results_of, save_path, told_of
from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from pathlib import Path

REPORT_ERROR: pytest.StashKey[str] = pytest.StashKey()


def report_path(config: pytest.Config) -> Path:
    """Return where the report is written."""
    path: Path = config.invocation_params.dir / config.getoption("stbench_report")
    return path.resolve()


def check_report(config: pytest.Config) -> None:
    """Refuse a place at which no file can stand, before anything is run."""
    path = report_path(config)
    if path.is_dir():
        message = f"--stbench-report={path}: this is a folder; name a file, such as {path / 'report.html'}"
        raise pytest.UsageError(message)


def write_report(session: pytest.Session, started: float) -> None:
    """Write the page of what the results file holds, or of this run alone where none is saved."""
    from pytest_stbench.data.atomic import write_atomically
    from pytest_stbench.report.page.render import encoded
    from pytest_stbench.report.page.report_page import report_page
    from pytest_stbench.report.page.sources import read_sources, source_of

    config = session.config
    told = told_of(config)
    if told.empty:
        config.stash[REPORT_ERROR] = "no item of a task file was run, so there is nothing to report"
        return
    path, saved = report_path(config), save_path(config)
    try:
        if saved is not None and SAVE_ERROR not in config.stash:
            sources = read_sources([saved])
        else:
            from pytest_stbench.run.provenance.environment import run_record

            given = config.invocation_params
            run = run_record(["pytest", *given.args], given.dir, started)
            sources = [source_of(results_of(told, run))]
        text = encoded(report_page(sources))
        write_atomically(path, lambda file: file.write(text))
    except StbenchError as error:
        config.stash[REPORT_ERROR] = str(error)
    except OSError as error:
        config.stash[REPORT_ERROR] = f"{path}: the report cannot be written: {error.strerror or error}"
    if REPORT_ERROR in config.stash:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def tell_report(reporter: Any, config: pytest.Config) -> None:
    """Say where the report is, or why there is none."""
    if REPORT_ERROR in config.stash:
        reporter.write_line(f"report  NOT written: {config.stash[REPORT_ERROR]}", red=True, bold=True)
    else:
        reporter.write_line(f"report  {report_path(config)}: open it in a browser")
