"""The errors a user can meet, each with a message that says what to do.

Every error of the package derives from :class:`StbenchError`. Its text is complete: what was
found, where, what is allowed and what to do, so that callers print it without a traceback.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class StbenchError(Exception):
    """Base of all errors whose message is meant for the user."""


class StbenchWarning(UserWarning):
    """Base of all warnings of this package; itself what a check or a model's contract remarks."""


class CheckWarning(StbenchWarning):
    """What a check warns of; the summary of a run lists it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a task file or samples table, with its place."""

    file: Path
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: {self.message}"


class TaskFileError(StbenchError):
    """A task file that cannot be used; carries its problems, the text the first 50 of them."""

    SHOWN = 50

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda p: (str(p.file), p.line, p.key))
        lines = [str(problem) for problem in self.problems[: self.SHOWN]]
        more = len(self.problems) - self.SHOWN
        if more > 0:
            lines.append(f"{self.problems[0].file}: {more:,} more mistakes: correct these first")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[type[TaskFileError], tuple[list[Problem]]]:
        """Rebuild from the problems: pickle would pass the message, and a process pool would break."""
        return type(self), (self.problems,)


class DataMissing(StbenchError):
    """Data that is not on this machine; the message says how to get it. Items are skipped."""


class DataError(StbenchError):
    """Data that is there and cannot be used: unreadable file, missing key, wrong checksum."""


class SplitError(StbenchError):
    """A split that cannot be made from the samples at hand."""


class ModelError(StbenchError):
    """A model that cannot be resolved or does not meet its contract."""


class ResultsError(StbenchError):
    """A results file that cannot be read, or runs that must not be compared."""
