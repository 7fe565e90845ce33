"""Every check on cohorts with one known defect each, and on clean ones."""

from __future__ import annotations

import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .atlases import write_atlas
from .injections import (
    ABLATION,
    COHORTS,
    DESIGN_FAULTS,
    FIRST_SEED,
    FIRST_SPOILT,
    INJECTIONS,
    ON_LATTICES,
    DesignFault,
    Injection,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from pytest_stbench.registry import Registry
    from pytest_stbench.run.quality.data_checks import Judged
    from pytest_stbench.splits.table import Fold

RANK = ("fail", "warn", "skip", "pass")
FALLBACK = {"family": "expression"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One cohort to be judged. ``level`` is ``clean``, ``below``, ``at``, ``above`` or ``design``."""

    defect: str
    level: str
    strength: float
    cohort: str
    seed: int

    @property
    def check(self) -> str:
        """The check that must see the defect; empty for a clean cohort."""
        return self.defect.partition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a case: the gravest status of every check, and why data could not be read, if so."""

    case: Case
    statuses: Mapping[str, str]
    refused: str = ""

    @property
    def detected(self) -> bool:
        """Whether the check of the defect warned or failed."""
        return self.statuses.get(self.case.check) in ("warn", "fail")


def cases(defects: Iterable[str] | None = None) -> list[Case]:
    """Return the clean cohorts, then every defect (or those named) at its strengths."""
    wanted = None if defects is None else set(defects)
    found = [
        Case(defect="", level="clean", strength=0.0, cohort=name, seed=FIRST_SEED + seed)
        for name, cohort in COHORTS.items()
        for seed in range(cohort.seeds)
    ]
    for name, cohort in COHORTS.items():
        lattice = cohort.params.get("resolution", "spot") == "spot"
        for seed in range(FIRST_SPOILT, FIRST_SPOILT + cohort.spoilt):
            levels = [
                (defect, level, strength)
                for defect, injection in INJECTIONS.items()
                if lattice or defect not in ON_LATTICES
                for level, strength in injection.strengths
                if level in cohort.levels
            ]
            if "at" in cohort.levels:  # faults of the task do not depend on the kind of unit
                levels += [(defect, "design", 0.0) for defect in DESIGN_FAULTS]
            found += [
                Case(defect=defect, level=level, strength=strength, cohort=name, seed=seed)
                for defect, level, strength in levels
                if wanted is None or defect in wanted
            ]
    return found


def run_cases(
    wanted: Iterable[Case], *, jobs: int = 1, progress: Callable[[int], object] | None = None
) -> Iterator[Outcome]:
    """Yield the outcome of every case, in their order; `jobs` processes work side by side."""
    wanted = list(wanted)
    if jobs > 1:
        # Started anew: a copy of a process with threads can wait forever, and Python 3.12 warns of it.
        with ProcessPoolExecutor(max_workers=jobs, mp_context=get_context("spawn")) as pool:
            for outcome in pool.map(run_case, wanted, chunksize=4):
                yield outcome
                if progress:
                    progress(1)
        return
    for case in wanted:
        yield run_case(case)
        if progress:
            progress(1)


def run_case(case: Case, names: Collection[str] | None = None) -> Outcome:
    """Judge one cohort by all checks, or by those called `names`."""
    from pytest_stbench.run.installed import builtin_registry

    injection = INJECTIONS.get(case.defect) if case.level != "clean" else None
    fault = DESIGN_FAULTS[case.defect] if case.level == "design" else None
    registry = builtin_registry()
    wanted = frozenset(names or registry.checks.names)
    judged, of_model = _judged(case, injection, fault, registry, wanted)
    found: dict[str, str] = {}
    for record in judged.checks:
        found[record.name] = min(found.get(record.name, "pass"), record.status, key=RANK.index)
    found |= of_model
    return Outcome(case=case, statuses=found, refused="; ".join(judged.unreadable.values()))


def _judged(
    case: Case,
    injection: Injection | None,
    fault: DesignFault | None,
    registry: Registry,
    names: frozenset[str],
) -> tuple[Judged, dict[str, str]]:
    from pytest_stbench.data.samples import load_samples
    from pytest_stbench.run.quality.data_checks import check_data, grid_of_data
    from pytest_stbench.spec.model import TaskFile
    from pytest_stbench.spec.task_model import task_model

    from .model_verdicts import model_verdicts

    cohort = COHORTS[case.cohort]
    params: dict[str, Any] = {**cohort.params, "seed": case.seed}
    task: dict[str, Any] = {**FALLBACK, **cohort.task}
    model = fault.model if fault else cohort.model if case.level == "clean" else ""
    if model and not fault:
        task["preprocess"] = ABLATION
    for change in (injection, fault):
        if change is not None:
            params |= change.params
            task |= change.task
    if task["family"] not in registry.families:
        task["family"] = FALLBACK["family"]
    if injection is not None:
        params["defects"] = {case.defect: case.strength}
    dataset = {"source": "simulated", "params": params, **cohort.dataset}
    design = {"stbench": 1, "name": "matrix", "version": 1, "datasets": {"cohort": dataset}}
    spec = task_model(registry).model_validate({**design, **task})
    made = TaskFile(path=Path("matrix"), spec=spec, lines={})
    samples = load_samples(spec.datasets["cohort"], "cohort", ())
    slides = tuple(sample.slide for sample in samples)
    grid = grid_of_data("cohort", samples, _folds(fault, slides))
    with tempfile.TemporaryDirectory(prefix="stbench-") as store:
        if fault is not None and fault.atlas:
            write_atlas(Path(store) / "atlas.h5ad", spec.datasets["cohort"], samples, fault.atlas)
        judged = check_data(made, grid, (Path(store),), registry, store=Path(store), names=names, whole=True)
        said = fault.pretraining if fault else ()
        of_model = (
            model_verdicts(made, registry, store=Path(store), model=model, pretraining=said, names=names)
            if model
            else {}
        )
        return judged, of_model


def _folds(fault: DesignFault | None, slides: tuple[str, ...]) -> list[Fold] | None:
    from pytest_stbench.splits.table import Fold

    if fault is None or not fault.tested:
        return None
    if fault.tested == "all":
        return [Fold(name="random", train=slides, test=slides)]
    return [Fold(name="halves", train=slides[::2], test=slides[1::2])]
