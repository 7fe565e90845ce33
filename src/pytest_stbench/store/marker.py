"""The right to compute a prediction, and the marker that tells later who ended a process that had it."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.atomic import unsealed, write_sealed
from pytest_stbench.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

TIMEOUT = "timeout"
MOST_UNKNOWN = 2
"""Ends of a process that nobody can be named for, after which a model is not tried again."""
BOOT = Path("/proc/sys/kernel/random/boot_id")
GROUPS = Path("/proc/self/cgroup")
COUNTS = {
    "": "/sys/fs/cgroup{group}/memory.events",
    "memory": "/sys/fs/cgroup/memory{group}/memory.oom_control",
}
"""Where Linux counts the processes of a group that it ended for lack of memory, by the kind of group."""


class ModelEndedProcess(ModelError):  # says what happened; callers print its message
    """A model whose process ended while it ran: by its own doing, or by what nobody can name.

    ``label``, ``phase``, ``when`` (ISO 8601, UTC), ``host`` and ``pid`` say which and where.
    """

    def __init__(self, label: str, left: Mapping[str, Any], cause: str) -> None:
        self.label = label
        self.phase: str | None = left.get("phase")
        self.when: str | None = left.get("time")
        self.host: str | None = left.get("host")
        self.pid: int | None = left.get("pid")
        place = f"process {self.pid} on {self.host}, {self.when}"
        super().__init__(f"{label}: {cause} ({place})")


class StartMarker:
    """A file that lies in the store while a model runs.

    Only the holder of the key's lock may touch it.
    """

    def __init__(self, path: Path, *, label: str, run_id: str) -> None:
        self.path = path
        self._place = f"start {path.stem}"
        self._label = label
        self._run_id = run_id
        self._phase: str | None = None
        self._ended: str | None = None
        self._unknown = 0

    def write(self, phase: str) -> None:
        """Write the marker, or another phase into it. Raises ``OSError``."""
        if phase == self._phase:
            return
        self._phase = phase
        write_sealed(
            self.path,
            self._place,
            {
                "label": self._label,
                "phase": phase,
                "ended": self._ended,
                "unknown": self._unknown,
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "boot": _boot(),
                "memory_kills": memory_kills(),
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
                "run": self._run_id,
            },
            durable=False,  # a machine that loses power is no evidence against a model
        )

    def ended_by(self, how: str) -> None:
        """Note that the process is about to end, by ``os._exit(3)`` or by ``SIGTERM``."""
        if self._phase is not None:
            phase, self._phase, self._ended = self._phase, None, how
            with suppress(OSError):
                self.write(phase)

    def left_by_a_dead_process(self) -> dict[str, Any] | None:
        """Return what the marker says; None when there is none, or it cannot be read: that is no evidence."""
        try:
            held: dict[str, Any] = unsealed(self._place, self.path.read_bytes())
        except (OSError, ValueError):
            return None
        return held

    def refuse(self, left: Mapping[str, Any]) -> None:
        """Raise ``ModelEndedProcess`` where what was left tells against the model, or too often of nobody.

        A process that was ended from outside tells nothing. One of which nobody knows by whom it was ended
        (a crash, memory, ``kill -9``) is tried once more by the next run, never by the same one.
        """
        again = "It is not run again unless --stbench-retry is given"
        ended, phase = str(left.get("ended") or ""), left["phase"]
        if phase == TIMEOUT:
            what = "the model ran past its timeout, could not be interrupted, and its process was ended"
            advice = "raise `timeout` in the task file, or find out what it waits for"
            raise ModelEndedProcess(self._label, left, f"{what}: {advice}. {again}")
        if ended.startswith("os._exit"):
            raise ModelEndedProcess(
                self._label, left, f"the model ended the process by {ended} (phase {phase}). {again}"
            )
        here = left.get("host") == socket.gethostname()
        rebooted = here and left.get("boot") not in (None, _boot())
        if ended or rebooted:
            return
        before, now = left.get("memory_kills"), memory_kills()
        if here and isinstance(before, int) and now is not None and now > before:
            what = f"the system ended the process for lack of memory while the model ran (phase {phase})"
            raise ModelEndedProcess(self._label, left, f"{what}: give it more, or let it use less. {again}")
        known = left.get("unknown")
        self._unknown = (known if isinstance(known, int) else 0) + 1
        which = (
            "a crash in native code, memory running out, or somebody who ended it: the system does not tell"
        )
        if left.get("run") == self._run_id:
            what = f"the process ended while the model ran (phase {phase}): {which}"
            raise ModelEndedProcess(self._label, left, f"{what}. The next run tries it once more")
        if self._unknown >= MOST_UNKNOWN:
            what = f"the process ended {self._unknown} times while the model ran (phase {phase}): {which}"
            raise ModelEndedProcess(self._label, left, f"{what}. {again}")

    def remove(self) -> None:
        """Remove the marker, if there is one."""
        self._phase = None
        with suppress(OSError):
            self.path.unlink()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredPrediction:
    """Predictions of one cell by slide, an array each, and what was noted with them."""

    values: dict[str, NDArray[Any]]
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Claim:
    """The right to compute one key. ``stored`` is a prediction that is there already, or None.

    ``marker`` is None where nothing is computed or the file system has no locks.
    """

    stored: StoredPrediction | None
    marker: StartMarker | None = None

    def phase(self, name: str) -> None:
        """Note what the model does now (``fit``, ``predict`` ...), to be read after its death."""
        if self.marker is not None:
            with suppress(OSError):
                self.marker.write(name)

    def model_is_done(self) -> None:
        """Note that the model did its part: what ends the process from now on is not its doing."""
        if self.marker is not None:
            self.marker.remove()

    def died(self) -> None:
        """Note that the process is about to be ended because the model ran past its timeout."""
        self.phase(TIMEOUT)


def memory_kills() -> int | None:
    """Return how many processes of this control group were ended for lack of memory; None if unknown."""
    for path in _counts():
        with suppress(OSError, ValueError):
            words = path.read_text(encoding="ascii").split()
            return int(words[words.index("oom_kill") + 1])
    return None


def _counts() -> Iterator[Path]:
    """Yield the files that may tell, those of the group as a container sees them last."""
    with suppress(OSError):
        for line in GROUPS.read_text(encoding="utf-8").splitlines():
            _, kind, group = line.split(":", 2)
            if kind in COUNTS:
                yield Path(COUNTS[kind].format(group=group))
                yield Path(COUNTS[kind].format(group=""))


def _boot() -> str | None:
    try:
        return BOOT.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
