"""One fold of a run fitted again in a fresh process: what a model kept of other folds is not there."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from statistics import stdev
from typing import TYPE_CHECKING

from pytest_stbench.calls.failures import CellFailed
from pytest_stbench.checks.fold_state import Refitted
from pytest_stbench.errors import StbenchError
from pytest_stbench.metrics.aggregate import patient_values
from pytest_stbench.run.scores.pooling import headline_error, pool_scores
from pytest_stbench.run.settings import AFRESH, AFRESH_PLUGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.run.cells import Cell, Pool
    from pytest_stbench.run.task_run import TaskRun

OF_THIS_RUN = ("PYTEST_XDIST_", "PYTEST_CURRENT_TEST")
"""Beginnings of variables that tell a process what it is in this run."""
SHOWN = 3


def per_patient_ceilings(
    run: TaskRun, contestant: Contestant, pool: Pool, metric: str, patient_of: Mapping[str, str]
) -> dict[str, tuple[float, float, float]]:
    """Return value, ceiling and standard error of the ceiling of every patient; nan where there is none.

    A ceiling that the simple baseline reaches bounds nobody (halves of the counts know less than a model of
    all of them): there is none then.
    """
    parts = [(cell, run.scores(contestant, cell)) for cell in pool.cells]
    found = pool_scores(parts, metric, patient_of).per_patient
    slides = {}
    with suppress(CellFailed):
        slides = {
            slide: ceiling for cell in pool.cells for slide, ceiling in run.ceilings(cell)[metric].items()
        }
    values = {slide: ceiling.value for slide, ceiling in slides.items()}
    ceilings = patient_values(values, patient_of)
    simple = run.ladder(pool.dataset).simple
    if simple is not None:
        sign = -1.0 if run.registry.metrics[metric].better == "down" else 1.0
        theirs = [(cell, run.baseline_scores(simple, cell)) for cell in pool.cells]
        for patient, value in pool_scores(theirs, metric, patient_of).per_patient.items():
            if sign * (value - ceilings.get(patient, math.nan)) >= 0:
                ceilings[patient] = math.nan
    beside = {}
    for patient, value in found.items():
        own = {slide: values[slide] for slide in slides if patient_of[slide] == patient}
        error = headline_error({slide: slides[slide].error for slide in own}, own, patient_of)
        beside[patient] = (value, ceilings.get(patient, math.nan), math.nan if error is None else error)
    return beside


def refit(
    run: TaskRun,
    contestant_of: Callable[[str], Contestant],
    metric: str,
    patients: Callable[[str], Mapping[str, str]],
    fit: Callable[[str, Contestant, Cell], float],
) -> Refitted | str:
    """Fit the fold that is furthest ahead of S again, by `fit`; return why not where that is not possible.

    Only scored pools of the main setting are looked at. `fit` is told metric, model and cell, gives the
    value of the metric (nan where undefined) and raises ``StbenchError``.
    """
    sign = -1.0 if run.registry.metrics[metric].better == "down" else 1.0
    ahead: tuple[float, Contestant, Cell, float, float] | None = None
    for pool in run.grid.pools:
        simple = run.ladder(pool.dataset).simple if pool.cells and not pool.variant else None
        if simple is None:
            continue
        for cell in pool.cells:
            contestant, of = contestant_of(pool.dataset), patients(pool.dataset)
            try:
                own = pool_scores([(cell, run.scores(contestant, cell))], metric, of).headline.value
                theirs = pool_scores([(cell, run.baseline_scores(simple, cell))], metric, of).headline.value
            except CellFailed:
                continue
            gain = sign * (own - theirs)
            # Of equals the last: the later a fold, the more was seen before it.
            if not math.isnan(gain) and (ahead is None or gain >= ahead[0]):
                ahead = (gain, contestant, cell, own, theirs)
    if ahead is None:
        return "no fold has a score of the model and of the simple baseline"
    _, contestant, cell, own, theirs = ahead
    try:
        value = fit(metric, contestant, cell)
    except StbenchError as error:
        return str(error)
    spread = _over_seeds(run, contestant, cell, metric, patients(cell.dataset))
    return Refitted(place=cell.id, before=own, value=value, simple=theirs, seed_sd=spread)


def _over_seeds(
    run: TaskRun, contestant: Contestant, cell: Cell, metric: str, patient_of: Mapping[str, str]
) -> float | None:
    same = [
        other
        for pool in run.grid.pools
        for other in pool.cells
        if (pool.dataset, pool.variant, pool.split) == (cell.dataset, cell.variant, cell.split)
        and other.fold.name == cell.fold.name
    ]
    values = [
        pool_scores([(other, run.scores(contestant, other))], metric, patient_of).headline.value
        for other in same
    ]
    return stdev(values) if len(values) > 1 else None


def in_fresh_process(
    arguments: Sequence[str], folder: Path, *, file: Path, metric: str, cell: str, label: str
) -> float:
    """Return the value of a metric on one cell from a fresh pytest process with these arguments.

    It has the environment of this one but for what xdist says of a worker, works in `folder`, and uses
    nothing that is stored of the model. nan where the value is undefined. Raises ``StbenchError`` with what
    the process said where it gives none.
    """
    with tempfile.TemporaryDirectory(prefix="stbench-afresh-") as place:
        answer = Path(place) / "answer.json"
        asked = {
            "file": str(file), "metric": metric, "cell": cell, "label": label, "answer": str(answer),
        }  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OF_THIS_RUN)}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", AFRESH_PLUGIN, *arguments],
            cwd=folder, env={**environment, AFRESH: json.dumps(asked)}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        try:
            found = json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            message = f"the process ended with code {done.returncode}: {' / '.join(said[-SHOWN:])}"
            raise StbenchError(message) from None
    if "error" in found:
        raise StbenchError(found["error"])
    return math.nan if found["value"] is None else float(found["value"])
