"""What a well-formed task file may still get wrong: names, parameters, contradictions.

Each rule yields (key path, message). Rules see a spec from which malformed parts were taken out;
``Known.lacks`` tells them where, so that one mistake is not reported twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.spec.rules.common import Known, Mistakes
from pytest_stbench.spec.rules.design import DESIGN_RULES
from pytest_stbench.spec.rules.scores import SCORE_RULES

if TYPE_CHECKING:
    from pytest_stbench.spec.model import TaskSpec

__all__ = ["Known", "find_mistakes"]


def find_mistakes(task: TaskSpec, known: Known) -> Mistakes:
    """Yield (key path, message) of every mistake in `task`."""
    for rule in (*DESIGN_RULES, *SCORE_RULES):
        yield from rule(task, known)
