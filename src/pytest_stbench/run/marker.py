"""The start marker: tells, after the fact, that a model ended its process."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import ModelError
from pytest_stbench.run.archive import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIMEOUT = "timeout"


class ModelEndedProcess(ModelError):  # says what happened; callers print its message
    """A model whose process ended while it ran: a crash, an exit, a kill, or a hopeless timeout.

    ``label``, ``phase``, ``when`` (ISO 8601, UTC), ``host`` and ``pid`` say which and where; None
    where the marker does not tell.
    """

    def __init__(self, label: str, left: Mapping[str, Any], marker: Path) -> None:
        self.label = label
        self.phase: str | None = left.get("phase")
        self.when: str | None = left.get("time")
        self.host: str | None = left.get("host")
        self.pid: int | None = left.get("pid")
        place = f"process {self.pid} on {self.host}, {self.when}" if left else f"marker {marker}"
        if self.phase == TIMEOUT:
            what = "ran past its timeout, could not be interrupted, and its process was ended"
            causes = "raise `timeout` in the task file, or find out what it waits for"
        else:
            what = f"ended the process (phase {self.phase or 'unknown'})"
            causes = (
                "a crash in native code, os._exit(), memory running out, or the job being killed from outside"
            )
        super().__init__(
            f"{label}: the model {what} ({place}); {causes}. "
            "It is not run again unless --stbench-retry is given"
        )


class StartMarker:
    """A file that lies in the store while a model runs.

    Only the holder of the key's lock may touch it.
    """

    def __init__(self, path: Path, *, label: str, run_id: str) -> None:
        self.path = path
        self._label = label
        self._run_id = run_id

    def write(self, phase: str) -> None:
        """Write or replace the marker. Raises ``OSError``."""
        write_json(
            self.path,
            {
                "label": self._label,
                "phase": phase,
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "run": self._run_id,
            },
        )

    def left_by_a_dead_process(self) -> dict[str, Any] | None:
        """Return what the marker says, {} when it cannot be read, None when there is none."""
        try:
            held = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return {}
        return held if isinstance(held, dict) else {}

    def remove(self) -> None:
        """Remove the marker, if there is one."""
        with suppress(OSError):
            self.path.unlink()
