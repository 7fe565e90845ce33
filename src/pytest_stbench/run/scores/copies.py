"""Whether a model's predictions are those of a baseline, whatever the model is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.kernels.sketch import alike

if TYPE_CHECKING:
    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.run.cells import Pool
    from pytest_stbench.run.scores.scoring import CellScores
    from pytest_stbench.run.task_run import TaskRun


def same_as(run: TaskRun, contestant: Contestant, pool: Pool) -> tuple[str, ...]:
    """Return the baselines of the ladder whose predictions a model's are, in every cell of the pool.

    Predictions are compared, not scores: a model may reach the score of a baseline by other means. Those of
    a built-in baseline under its own name are not looked at.
    """
    if contestant.baseline is not None:
        return ()
    return tuple(
        record.name
        for record in run.ladder(pool.dataset).baselines
        if all(_same(run.scores(contestant, cell), run.baseline_scores(record, cell)) for cell in pool.cells)
    )


def _same(model: CellScores, baseline: CellScores) -> bool:
    ours, theirs = model.sketches, baseline.sketches
    return bool(ours) and ours.keys() == theirs.keys() and all(alike(ours[key], theirs[key]) for key in ours)
