"""When numbers move: which change of this package made which scores other ones, and why.

A task file, a data set and a model have versions of their own. What lies between them, the
arithmetic of the package, has the one here: it is written into every results file and into the key
of everything that is stored, so that a number of one version is never taken for one of another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A change after which equal data, task and model give other numbers.

    ``version`` is that of the numbers from the change on. ``what`` says which numbers moved,
    ``why`` for what reason, each in a few words. ``families`` names the families of the tasks they
    belong to, those that a wrapping family wraps included; empty for all.
    """

    version: int
    what: str
    why: str
    families: frozenset[str] = frozenset()

    def touches(self, families: Iterable[str | None]) -> bool:
        """Return whether a task of (and around) `families` has numbers that moved."""
        return not self.families or not self.families.isdisjoint(families)


MOVES: Sequence[Move] = (
    Move(
        version=2,
        what="everything that is drawn: simulated data, intervals, ceilings, controls, random references",
        why="it is drawn from streams that no version of numpy changes",
    ),
    Move(
        version=3,
        what="ceilings, what is read between floor and ceiling, thresholds of pairs, T and S of segmentation",
        why="draws go on until they suffice, thresholds are those of all matched pairs, S is the better one",
        families=frozenset(
            {
                "coexpression",
                "communication",
                "expression",
                "imputation",
                "niche_signatures",
                "proportions",
                "segmentation",
                "signatures",
            }
        ),
    ),
    Move(
        version=4,
        what="ceilings of scores read to their ceiling, specificity of signatures, silhouettes of samples",
        why="such a ceiling is 1, and random gene sets and samples are drawn for each slide, with an error",
        families=frozenset({"coexpression", "embedding", "niche_signatures", "signatures"}),
    ),
    Move(
        version=5,
        what="values scaled to a median library size, genes chosen by them, genes that `hide` hides",
        why="the median is taken in steps, and all folds hide the same genes: they share sums of slides",
    ),
)
"""All changes, oldest first. A new one is added here, and nothing else has to know."""

NUMBERS = MOVES[-1].version
"""The version of the numbers of this build. Those of before the first change are version 1."""


def moves(
    current: int,
    stored: int,
    families: Iterable[str | None],
    *,
    there: str,
    known: Sequence[Move] = MOVES,
) -> list[str]:
    """Return, one line each, what moved between the numbers of two builds and a task has.

    Parameters
    ----------
    current, stored
        Versions of the numbers here and there.
    families
        Family of the task, and the one it wraps.
    there
        What has the other numbers, such as ``in the stored run``.
    known
        The changes, oldest first.

    Returns
    -------
    list of str
        Empty where no number of such a task moved.
    """
    named = tuple(families)
    between = [move for move in known if stored < move.version <= current and move.touches(named)]
    versions = f"numbers of version {current} here, {stored} {there}"
    if stored > current:
        line = f"{versions}: a later version of pytest-stbench wrote that, compare with it or a later one"
    elif between:
        listed = "; ".join(f"{move.what} ({move.why})" for move in between)
        line = (
            f"{versions}. What moved: {listed}. Score the earlier model again with this version of "
            "pytest-stbench and compare with that file; CHANGELOG.md has before and after"
        )
    else:
        return []
    return [line]
