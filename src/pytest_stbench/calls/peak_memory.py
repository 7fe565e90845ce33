"""Peak memory of a block, by looking often: approximate, and said to be."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

INTERVAL_SECONDS = 0.02
STATM = Path("/proc/self/statm")
BYTES_PER_MB = 1e6


class PeakMemory:
    """Resident memory of this process while the block ran, at its highest.

    ``peak_mb`` (10^6 bytes; set when the block ends) is the largest of samples some 20 ms apart,
    so shorter peaks are missed, and it counts everything in the process, not the block alone.
    Where memory cannot be sampled it is the highest of the whole process, if that rose during the
    block, and None otherwise; None where the system tells nothing.
    """

    def __init__(self) -> None:
        self.peak_mb: float | None = None
        self._peak = 0
        self._done = threading.Event()
        self._sampler: threading.Thread | None = None
        self._before: int | None = None

    def __enter__(self) -> Self:
        now = resident_bytes()
        if now is None:
            self._before = highest_bytes()
            return self
        self._peak = now
        self._done.clear()
        self._sampler = threading.Thread(target=self._sample, name="stbench-memory", daemon=True)
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sampler is not None:
            self._done.set()
            self._sampler.join()
            self._sampler = None
            self._look()
            self.peak_mb = self._peak / BYTES_PER_MB
            return
        after = highest_bytes()
        if after is not None and self._before is not None and after > self._before:
            self.peak_mb = after / BYTES_PER_MB

    def _sample(self) -> None:
        while not self._done.wait(INTERVAL_SECONDS):
            self._look()

    def _look(self) -> None:
        self._peak = max(self._peak, resident_bytes() or 0)


def resident_bytes() -> int | None:
    """Return the resident memory of this process now; None where ``/proc`` does not tell."""
    try:
        return int(STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def highest_bytes() -> int | None:
    """Return the highest resident memory this process ever had; None where it is not known."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024
