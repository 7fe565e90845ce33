"""What models are told of the machine: a device, and how many processors are theirs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def _processors() -> int:
    """Return how many processors this process may use, its share where workers run side by side."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "")
    return max(1, there // int(workers) if workers.isdigit() and int(workers) else there)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """``device`` is a word of the user for it, ``n_jobs`` the number of processors of one model."""

    device: str = "cpu"
    n_jobs: int = field(default_factory=_processors)


def machine_of(devices: str | None, environment: Mapping[str, str]) -> Machine:
    """Return what models of this process are told.

    `devices` are names with commas between them, dealt to the workers of pytest-xdist in turn; None for the
    processor.
    """
    names = [name.strip() for name in (devices or "").split(",") if name.strip()] or ["cpu"]
    worker = environment.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    return Machine(device=names[(int(worker) if worker.isdigit() else 0) % len(names)])
