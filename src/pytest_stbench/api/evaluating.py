"""A model held to a task, from Python: the items of ``pytest TASKFILE``, run in this process."""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench.api.run_results import RunResults, kept_nowhere
from pytest_stbench.errors import ResultsError, StbenchError
from pytest_stbench.registry import nearest
from pytest_stbench.spec import TASK_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from pytest_stbench.results.details import Level


def evaluate(
    task: str | PathLike[str],
    model: Any,
    *,
    data: str | PathLike[str] | None = None,
    store: str | PathLike[str] = ".stbench",
    keep: Level = "scores",
    gates: Sequence[str] = (),
) -> RunResults:
    """Score a model, or several, on a task; as ``pytest TASK --stbench-model=MODEL`` does.

    Parameters
    ----------
    task
        A task file, or the name of a shipped one (``stbench tasks list``), such as ``smoke-imputation``.
    model
        A model: an object, or a class or function that makes one (docs/models.md); or text as
        ``--stbench-model`` takes it, such as ``ridge`` or ``import:PACKAGE.MODULE:ATTRIBUTE``. Of several
        a list, or a mapping of names to models. An object is called by its ``name``, or by its class.
    data
        Folder that paths in the task file are relative to; default as of pytest.
    store
        Folder of computed predictions, reused by later runs.
    keep
        What is kept for ``save``: ``scores``, ``maps`` or ``all``.
    gates
        Further gates, such as ``spearman_gene.min=0.2``.

    Returns
    -------
    RunResults
        Scores, verdicts and checks. An item that fails raises nothing: see ``failures``.

    Raises
    ------
    StbenchError
        When the task file cannot be used, or there is no such task, and for wrong options.
    """
    path = _task_path(task)
    models, names = _models(model)
    folder = Path(tempfile.mkdtemp(prefix="stbench-"))
    options = [
        f"--stbench-store={Path(store).resolve()}", f"--stbench-keep={keep}",
        *(f"--stbench-gate={gate}" for gate in gates),
        *([] if data is None else [f"--stbench-data={Path(data).resolve()}"]),
    ]  # fmt: skip
    called = f"pytest_stbench.evaluate({str(task)!r}, {', '.join([*models, *names])})"
    try:
        found = _run(path, models, names, options, folder, keep, called)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(found, shutil.rmtree, folder, ignore_errors=True)
    return found


def _run(
    path: Path, models: Mapping[str, Any], names: Sequence[str], options: Sequence[str], folder: Path,
    keep: Level, called: str,
) -> RunResults:  # fmt: skip
    """Run a task file; what is kept stands in `folder`, parts and all, for as long as the results do."""
    from pytest_stbench.collection.inprocess import run_task
    from pytest_stbench.results.details import KeptRecord, Staged, stage
    from pytest_stbench.results.schema import load, save
    from pytest_stbench.run.details.writer import not_kept

    file, parts = folder / "results.json", folder / "parts"
    ran = run_task(path, models, names, [*options, f"--stbench-save={file}"], parts)
    if not file.exists():
        raise StbenchError(kept_nowhere(ran.text))
    results = load(file)
    if results.run is not None:
        results = replace(results, run=replace(results.run, command=called))

    def saving(target: Path) -> None:
        def kept(known: KeptRecord | None) -> Staged:
            try:
                return stage(target, parts, keep, known)
            except OSError as error:
                raise ResultsError(not_kept(target, error)) from None

        save(target, replace(results, kept=None), kept)

    return RunResults(results, place=file, text=ran.text, failures=ran.failures, saving=saving)


def _task_path(task: str | PathLike[str]) -> Path:
    from pytest_stbench.resources import tasks_dir

    path = Path(task)
    if path.is_file():
        return path.resolve()
    shipped = {found.name.removesuffix(TASK_SUFFIX): found for found in tasks_dir().rglob(f"*{TASK_SUFFIX}")}
    if str(task) in shipped:
        return shipped[str(task)]
    raise StbenchError(
        f"{task}: there is no such task file, and no shipped task of that name{nearest(str(task), shipped)}; "
        f"name a file (*{TASK_SUFFIX}) or one of {', '.join(sorted(shipped))}"
    )


def _models(given: Any) -> tuple[dict[str, Any], list[str]]:
    """Return models that are objects by their names, and those that are named."""
    if isinstance(given, dict):
        several = list(given.items())
    elif isinstance(given, list | tuple):
        several = [(_name_of(model), model) for model in given]
    else:
        several = [(_name_of(given), given)]
    models: dict[str, Any] = {}
    names: list[str] = []
    for name, model in several:
        if isinstance(model, str) and not isinstance(given, dict):
            names.append(model)
            continue
        key = re.sub(r"\W", "_", str(name))
        key = key if key.isidentifier() else f"model_{key}"
        if key in models:
            raise StbenchError(f"two models are called {key!r}: give a mapping of names to models")
        models[key] = model
    if not models and not names:
        raise StbenchError("no model was given: name a baseline such as 'ridge', or give an object")
    return models, names


def _name_of(model: Any) -> str:
    own = getattr(model, "name", None)
    return own if isinstance(own, str) and own else getattr(model, "__name__", type(model).__name__)
