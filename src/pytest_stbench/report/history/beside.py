"""The newest run beside the one before it, and all of them as a history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.checks.wording import count, some
from pytest_stbench.errors import ResultsError
from pytest_stbench.report.comparing.compared import compare
from pytest_stbench.report.comparing.lines import compare_lines
from pytest_stbench.report.history.lines import history_lines
from pytest_stbench.report.history.runs import runs_of
from pytest_stbench.report.history.trends import trends_of
from pytest_stbench.report.width import for_ci
from pytest_stbench.results.earlier import load_earlier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_stbench.report.history.runs import Runs

WHOLE = 10
"""Runs of a folder that a report shows as a whole."""


def compared_with_history(paths: Sequence[Path]) -> Iterator[str]:
    """Yield the lines of each comparison, then of the history; a comparison that cannot be is one line.

    Raises
    ------
    ResultsError
        As :func:`~pytest_stbench.report.history.runs.runs_of` and :func:`chosen`.
    """
    runs = runs_of(paths)
    first, *later = chosen(paths, runs)
    for path in later:
        try:
            yield from compare_lines(compare(load_earlier(first), load_earlier(path)))
        except ResultsError as error:
            # That runs drifted apart is what the history is there to show.
            yield from for_ci(f"refused  {error}")
        yield ""
        yield ""
    yield from history_lines(runs, trends_of(runs.found))


def chosen(paths: Sequence[Path], runs: Runs) -> list[Path]:
    """Return the runs to compare with the first of them: files as named, of each folder its newest run.

    Of a folder alone it is the newest one and the last before it that scored one of its models. Raises
    ``ResultsError`` where one of several paths is a folder without a run.
    """
    if len(paths) == 1:
        *before, newest = runs.found
        shared = [run for run in before if run.models & newest.models] or before
        return [run.path for run in (*shared[-1:], newest)]
    named = {path.resolve() for path in paths if not path.is_dir()}
    found = []
    for path in paths:
        if path.is_dir():
            own = [run.path for run in runs.found if run.path.parent == path]
            last = [run for run in own if run.resolve() not in named][-1:]
            if not last:
                why = f": {'; '.join(runs.notices)}" if runs.notices else ""
                raise ResultsError(f"{path}: it holds no run to compare, beside those named{why}")
            found += last
        else:
            found.append(path)
    return found


def reported(paths: Sequence[Path], runs: Runs) -> list[Path]:
    """Return the runs that a report is of: files as named, of each folder the newest run of each model.

    Of a folder not more than :data:`WHOLE`, the newest: models may have a name for each release. A notice of
    `runs` counts the others.
    """
    named = {path.resolve() for path in paths if not path.is_dir()}
    found = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        own = [run for run in runs.found if run.path.parent == path]
        last = {model: run.path for run in own for model in sorted(run.models)}
        newest = [run.path for run in own if run.path in last.values() and run.path.resolve() not in named]
        if len(newest) > WHOLE:
            left = newest[:-WHOLE]
            models = [model for model, last_path in last.items() if last_path in left]
            runs.notices.append(
                f"{path}: {count(len(newest), 'run')} are the newest of a model; the {WHOLE} newest are "
                f"reported as a whole, the others ({some(models)}) stand in the history alone"
            )
        found += newest[-WHOLE:]
    return list(dict.fromkeys(found))
