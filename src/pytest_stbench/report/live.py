"""What is at work, on a terminal: one line that is written over and is gone at the end; nothing elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Tell = Callable[[str, float | None, float | None], None]

AFTER = 1.0
"""Seconds after which work is worth a line."""
FRAMES = 8


def is_live(stream: TextIO) -> bool:
    """Return whether lines of `stream` can be written over: a terminal that a person watches."""
    try:
        terminal = os.isatty(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return terminal and not plain_wanted()


def plain_wanted() -> bool:
    """Return whether the environment asks for plain text: NO_COLOR, CI, or a terminal that can do no more."""
    environment = os.environ
    return bool(
        environment.get("NO_COLOR") or environment.get("CI") or environment.get("TERM", "dumb") == "dumb"
    )


@contextmanager
def working(text: str, total: float | None = None, stream: TextIO | None = None) -> Iterator[Tell]:
    """Show `text` while work takes longer than a second, with a bar where its `total` is known.

    Yields a function that is told how the work stands: text, how much is done, and of how much; an empty
    text and None leave what is shown. `stream` is standard error by default.
    """
    stream = sys.stderr if stream is None else stream
    if not is_live(stream):
        yield lambda _text, _done, _total: None
        return
    line = Line(stream, text, total)
    try:
        yield line.tell
    finally:
        line.end()


class Line:
    """A line with a spinner, a text and the time, drawn by a thread after :data:`AFTER` seconds.

    The cursor is never hidden, so that a process that is ended leaves a terminal that works.

    Parameters
    ----------
    stream
        The terminal.
    text
        What is at work.
    total
        Of how much; None where nobody knows.
    before, after
        What is written before the line is first drawn, and made when it is gone.
    """

    def __init__(
        self,
        stream: TextIO,
        text: str,
        total: float | None = None,
        *,
        before: str = "",
        after: Callable[[], str] = str,
    ) -> None:
        self._stream, self._before, self._after = stream, before, after
        self._shown: Any = None
        self._state: dict[str, Any] = {"description": text, "total": total, "completed": 0.0}
        self._lock = threading.Lock()
        self._ended = False
        self._began = time.monotonic()
        self._timer = threading.Timer(AFTER, self._draw)
        self._timer.daemon = True
        self._timer.start()

    def tell(self, text: str = "", done: float | None = None, total: float | None = None) -> None:
        """Take in how the work stands."""
        known = {"description": text or None, "completed": done, "total": total}
        news = {name: value for name, value in known.items() if value is not None}
        self._state |= news
        shown = self._shown
        if shown is not None and not self._ended:
            shown.update(shown.task_ids[0], **news)

    def end(self) -> None:
        """Take the line away."""
        self._timer.cancel()
        with self._lock:
            self._ended = True
            if self._shown is not None:
                self._shown.stop()
                self._write(self._after())

    def _draw(self) -> None:
        with self._lock:
            if self._ended:
                return
            self._write(self._before)
            shown = _progress(self._stream, bar=self._state["total"] is not None)
            shown.add_task(**self._state)
            shown.tasks[0].start_time = self._began
            shown.start()
            self._shown = shown

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _progress(stream: TextIO, *, bar: bool) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    class Visible(Console):
        """A console whose cursor stays."""

        def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002  # rich's own signature
            return False

    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        width = 0
    # Of the last column a terminal may make a line of its own.
    console = Visible(file=stream, force_terminal=True, width=max(width or 80, 20) - 1, highlight=False)
    text = TextColumn(
        "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
    )
    columns = [SpinnerColumn(), text, *([BarColumn(bar_width=16)] if bar else []), TimeElapsedColumn()]
    return Progress(
        *columns, console=console, transient=True, expand=True, refresh_per_second=FRAMES,
        redirect_stdout=False, redirect_stderr=False,
    )  # fmt: skip
