"""The fault matrix: what can go wrong, and what must come out."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import files, sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from .place import Place


@dataclass(frozen=True)
class Fault:
    """One row: `trial` returns what was wrong, None where the outcome is right.

    `whole` and `few` are the numbers of trials of the whole matrix and of the tests.
    """

    name: str
    right: str
    trial: Callable[[Place, np.random.Generator], str | None]
    whole: int
    few: int


RERUN = "a rerun has the scores of a run that nothing happened to, and blames nobody"
SESSIONS = (
    Fault("`kill -9` at any access to the store", RERUN, sessions.ended(signal.SIGKILL), 300, 2),
    Fault("SIGTERM at any access to the store", RERUN, sessions.ended(signal.SIGTERM), 150, 1),
    Fault("Ctrl-C at any access to the store", RERUN, sessions.ended(signal.SIGINT), 150, 1),
    Fault("two runs at once on one store", "both have the right scores", sessions.two_at_once, 100, 1),
    Fault("two runs at once, one killed", f"the other has the right scores; {RERUN}",
          sessions.one_of_two_killed, 100, 1),
    Fault("a file of the store is damaged, emptied, cut, removed or exchanged", "the right scores",
          sessions.damaged_store, 300, 2),
    Fault("the disk is full", f"no results file, or the right scores; {RERUN}", sessions.full_disk, 100, 1),
    Fault("a model of the same class, name and revision with another argument", "scores of its own",
          sessions.other_arguments, 100, 1),
    Fault("a model returns or does something wrong in one fold",
          "`contract` of that fold fails, no score of it, all others right", sessions.bad_output, 150, 2),
)  # fmt: skip
SAID = "an error that says where, or a valid file; never a traceback, a crash, or 3 GiB"
FILES = (
    Fault("a task file edited in a hurry", SAID, files.task_file, 2000, 8),
    Fault("a task file with damaged bytes", SAID, files.task_bytes, 1000, 6),
    Fault("a sheet of samples edited in a hurry", SAID, files.samples_sheet, 1000, 6),
    Fault("a file of an AnnData, Xenium, CosMx or MERSCOPE bundle damaged or edited", SAID,
          files.data_file, 1500, 10),
    Fault("a table of labels edited in a hurry", SAID, files.label_table, 1000, 6),
    Fault("a results file edited or damaged", "it is refused, or holds the scores that were written",
          files.results_file, 1000, 6),
    Fault("a file of the store damaged", "absent, or what was kept", files.store_file, 1500, 10),
)  # fmt: skip
