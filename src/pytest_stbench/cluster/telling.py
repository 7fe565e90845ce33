"""What a command says of its jobs while it goes on, and at its end."""

from __future__ import annotations

import sys
import textwrap
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from pytest_stbench.report.live import is_live, plain_wanted, working
from pytest_stbench.report.width import CI_WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stbench.cluster.orders import Done, Job
    from pytest_stbench.report.live import Tell

SILENT_SECONDS = 60.0
"""Where there is no line that moves, a sign of life comes after so long."""
SHOWN = 10
"""Different messages of jobs that were not done; the same command tells the next ones."""


class Telling:
    """Tells how many of the jobs are done: a line each, or one that moves on a terminal.

    Parameters
    ----------
    total
        Number of jobs.
    store
        The folder in which it is kept what they make.
    doing, made
        What the line that moves says, and what the last one says of the numbers of jobs; nothing of them
        where it is empty.
    err
        Whether lines go to standard error, since the output is another's.
    """

    def __init__(
        self, total: int, store: str, *, doing: str = "predicting", made: str = "predictions computed",
        err: bool = False,
    ) -> None:  # fmt: skip
        self._total, self._store = total, store
        self._doing, self._made, self._err = doing, made, err
        self._outcomes: Counter[str] = Counter()
        self._numbers = Counter(computed=0, reused=0)
        self._messages: dict[str, None] = {}
        self._remarks: set[str] = set()
        self._tell: Tell | None = None
        self._latest = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show a line that moves during the block, where somebody watches."""
        if not is_live(sys.stderr):
            yield
            return
        with working(self._doing, float(self._total)) as self._tell:
            yield
        self._tell = None

    def done(self, job: Job, done: Done) -> None:
        """Tell that a job is done."""
        self._outcomes[done.outcome] += 1
        self._numbers.update(computed=done.computed, reused=done.reused)
        for remark in done.remarks:
            if remark not in self._remarks:
                self._remarks.add(remark)
                self.say(remark)
        number = self._outcomes.total()
        if done.outcome != "done":
            self._messages[done.message] = None
        if self._tell is not None:
            self._tell(f"{number} of {self._total}: {job.label}", float(number), None)
        if self._tell is None or done.outcome != "done":
            self._line(number, job, done)

    def waiting(self, why: str = "") -> None:
        """Tell, from time to time, that the command waits."""
        if self._tell is None and (why or time.monotonic() - self._latest > SILENT_SECONDS):
            number = self._outcomes.total()
            self.say(why or f"{number} of {self._total} jobs ({number / self._total:.0%}), the others go on")

    def say(self, text: str) -> None:
        """Write a line, or more where it is long."""
        self._latest = time.monotonic()
        for line in text.splitlines():
            narrow = textwrap.wrap(line, CI_WIDTH, drop_whitespace=False) if plain_wanted() else [line]
            for part in narrow or [""]:
                click.echo(part, err=self._err)

    def end(self) -> int:
        """Tell what came of it all; return the exit code."""
        failed = self._total - self._outcomes["done"] - self._outcomes["skipped"]
        for message in [*self._messages][:SHOWN]:
            self.say(f"\n{message}")
        if len(self._messages) > SHOWN:
            self.say(f"\n{len(self._messages) - SHOWN} more messages: the lines above begin with them")
        kinds = {kind: number for kind, number in sorted(self._outcomes.items()) if kind != "done"}
        others = "".join(f", {number} {kind}" for kind, number in kinds.items())
        numbers = f"; {self._numbers['computed']} {self._made}, {self._numbers['reused']} reused"
        told = f"{self._outcomes['done']} of {self._total} jobs done{others}{numbers if self._made else ''}"
        self.say(f"{told}: {self._store}")
        return 1 if failed else 0

    def interrupted(self) -> None:
        """Tell what stays of a command that was interrupted."""
        done = f"{self._outcomes['done']} of {self._total} jobs are done"
        self.say(f"interrupted: {done} and kept in {self._store}; the same command does the others")

    def _line(self, number: int, job: Job, done: Done) -> None:
        width = len(str(self._total))
        where = f" on {done.worker}" if done.worker else ""
        what = done.said
        if done.outcome != "done":
            first = done.message.partition("\n")[0].removeprefix(job.label)
            what = f"{done.outcome}: {first.lstrip(' :')}"
        text = f"[{number:{width}}/{self._total}] {job.label}: {what}"
        tail = f", {done.seconds:.1f} s{where}"
        room = CI_WIDTH - len(tail)
        click.echo((text if len(text) <= room else f"{text[: room - 3]}...") + tail, err=self._err)
        self._latest = time.monotonic()
