"""The yardsticks of a data set: trivial, simple, diagnostics and controls, each once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_stbench.calls.contestants import runnable, simple_baseline
from pytest_stbench.registry import SIMPLE
from pytest_stbench.spec.defaults import baselines_of

if TYPE_CHECKING:
    from pytest_stbench.registry import Baseline, Catalogue, Family
    from pytest_stbench.spec.model import TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Baselines that run with every score of a data set.

    ``trivial`` and ``simple`` always run, listed or not; ``missing`` names listed baselines that
    cannot run here, with the reason.
    """

    trivial: Baseline
    simple: Baseline | None
    others: tuple[Baseline, ...]
    missing: tuple[tuple[str, str], ...]

    @property
    def baselines(self) -> tuple[Baseline, ...]:
        """Baselines with predictions of their own (models and diagnostics), trivial first."""
        own = (self.trivial, *((self.simple,) if self.simple else ()), *self.others)
        return tuple(record for record in own if record.kind != "control")

    @property
    def controls(self) -> tuple[Baseline, ...]:
        """Transformations of the predictions of the model under test."""
        return tuple(record for record in self.others if record.kind == "control")


def make_ladder(
    spec: TaskSpec, family: Family, offered: frozenset[str], baselines: Catalogue[Baseline]
) -> Ladder:
    """Return the ladder of one data set from what the task file lists and the data offers."""
    simple = simple_baseline(family, offered, baselines)
    always = {family.trivial, simple.name if simple else "", SIMPLE}
    others: list[Baseline] = []
    missing: list[tuple[str, str]] = []
    for name in baselines_of(spec, family):
        if name in always:
            continue
        record = baselines[name]
        if runnable(record, family, offered):
            others.append(record)
        elif name in spec.baselines:
            lacking = " and ".join(sorted(set(record.needs) - offered)) or f"the family {family.name}"
            missing.append(
                (name, f"the data set offers no {lacking}: remove it from `baselines`, or add what it needs")
            )
    return Ladder(
        trivial=baselines[family.trivial], simple=simple, others=tuple(others), missing=tuple(missing)
    )
