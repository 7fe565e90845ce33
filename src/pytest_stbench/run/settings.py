"""What the command line says about a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.run.machine import Machine

if TYPE_CHECKING:
    from pytest_stbench.results.details import Level

PROGRESS_AFTER = 5.0
AFRESH_PLUGIN = "pytest_stbench.collection.afresh"
IN_PROCESS_PLUGIN = "pytest_stbench.collection.inprocess"
AFRESH = "PYTEST_STBENCH_AFRESH"
"""Tells a fresh process what is asked: file, metric, cell, model, and where the answer goes (JSON)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Where data and results are, and what to do about failures of earlier runs.

    ``run_id`` is the same in all processes of one run. ``afresh`` uses and stores nothing of a
    model under test. ``keep`` says what is kept beside the results, in parts in the folder ``parts``;
    None: nothing. ``keep_models`` is the folder for fitted models.
    ``machine`` is what models are told of where they run.
    """

    data: Path | None = None
    store: Path = Path(".stbench")
    retry: bool = False
    no_skip: bool = False
    compare: Path | None = None
    run_id: str | None = None
    afresh: bool = False
    keep: Level | None = None
    parts: Path = Path()
    keep_models: Path | None = None
    machine: Machine = field(default_factory=Machine)
