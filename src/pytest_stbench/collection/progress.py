"""Signs of life: cells that take long say so on the terminal."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

from pytest_stbench.run.settings import PROGRESS_AFTER

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

MAX_PAUSE = 60.0


class Progress:
    """Tells what is being computed, and for how long, while a cell takes its time.

    Writes only where standard error is a terminal, to a copy of it made while pytest's capture is
    lifted: what the model prints stays captured.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._terminal: int | None = None
        capture = config.pluginmanager.getplugin("capturemanager")
        lifted = capture.global_and_fixture_disabled() if capture is not None else contextlib.nullcontext()
        with lifted, contextlib.suppress(OSError):
            if os.isatty(2):
                self._terminal = os.dup(2)

    @contextlib.contextmanager
    def __call__(self, label: str) -> Iterator[None]:
        """Tell about `label` from the moment it takes longer than a few seconds."""
        if self._terminal is None:
            yield
            return
        done = threading.Event()
        thread = threading.Thread(target=self._tell, args=(self._terminal, label, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _tell(self, terminal: int, label: str, done: threading.Event) -> None:
        start = time.monotonic()
        pause = PROGRESS_AFTER
        while not done.wait(pause):
            pause = min(2 * pause, MAX_PAUSE)
            os.write(terminal, f"\n  stbench: {label}, {time.monotonic() - start:.0f} s ".encode())
