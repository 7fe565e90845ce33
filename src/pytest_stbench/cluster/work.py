"""Jobs done in this process, whatever they are: what a process must have for them, and what they say."""

from __future__ import annotations

import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_stbench import __version__
from pytest_stbench.cluster.orders import Done, Job
from pytest_stbench.errors import StbenchError, StbenchWarning
from pytest_stbench.registry import load_target
from pytest_stbench.store.keys import code_version
from pytest_stbench.store.store import StoreWarning

if TYPE_CHECKING:
    from pytest_stbench.cluster.orders import Order

WORKS = {
    "predict": "pytest_stbench.cluster.predicting:Predicting",
    "check": "pytest_stbench.cluster.checking:Checking",
    "bin": "pytest_stbench.cluster.binning:Binning",
}
ELSEWHERE = ": the run goes on"
"""What warnings of a store say after what is wrong with it."""


class UnfitError(StbenchError):
    """Nothing that is ordered can be done in this process; the message goes on after "this worker"."""


class Work:
    """Does the jobs of one order; what they have in common stays in memory.

    ``jobs`` are what it is given, ``code`` the rooms whose code decides where the store keeps what it makes
    (none: those that shape predictions); ``place`` is what messages call the folder of the store, and
    ``option`` where it is given.
    """

    jobs: ClassVar[type[Job]] = Job
    code: ClassVar[tuple[str, ...]] = ()
    place: ClassVar[str] = "store"
    option: ClassVar[str] = "--stbench-store"

    def __init__(self, order: Order) -> None:
        self._order = order
        self._heard: list[type[Warning]] = []
        self._full = ""
        self._disk = f"{order.store} keeps nothing"

    def unfit(self) -> str:
        """Return why this process can do no job of the order; empty where it can."""
        try:
            self._look_at_code()
            self._look_at_store()
            self._look()
        except UnfitError as error:
            return str(error)
        return ""

    def do(self, job: Any) -> Done:
        """Do one job, of the class ``jobs``, and keep what was made."""
        if self._full:
            return Done(outcome="unfit", message=self._full)
        start = time.perf_counter()
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always", StbenchWarning)
            try:
                done = self._done(job)
            except UnfitError as error:
                done = Done(outcome="unfit", message=str(error))
        self._heard = [one.category for one in heard]
        ours = [str(one.message) for one in heard if issubclass(one.category, StbenchWarning)]
        for one in heard:
            if not issubclass(one.category, StbenchWarning):
                warnings.showwarning(one.message, one.category, one.filename, one.lineno)
        for one in heard:  # said once by a process, be it of a small thing
            if issubclass(one.category, StoreWarning):
                self._disk = str(one.message).partition(ELSEWHERE)[0]
        if not self._kept():
            self._full = f"computes in vain: {self._disk}"
            done = replace(done, outcome="unfit", message=self._full)
        remarks = tuple(dict.fromkeys([*ours, *done.remarks]))
        return replace(done, seconds=time.perf_counter() - start, remarks=remarks)

    def _look(self) -> None:
        """Raise ``UnfitError`` where something else is wanting that the jobs need."""

    def _done(self, job: Any) -> Done:
        """Do one job."""
        raise NotImplementedError

    def _kept(self) -> bool:
        """Return whether the store has what the latest job made."""
        return True

    def _look_at_code(self) -> None:
        if code_version(*self.code) != self._order.code:
            raise UnfitError(
                f"has other code of pytest-stbench {__version__} (or of packages that add records to it) "
                "than the machine where the command was given, so nobody would use what it makes: "
                "install the same there"
            )

    def _look_at_store(self) -> None:
        root = Path(self._order.store)
        if not Path(self._order.mark).exists():
            raise UnfitError(
                f"does not have the {self.place} of the command at {root}: give {self.option} a folder on a "
                "path that all machines share"
            )
        try:
            with tempfile.TemporaryFile(dir=root) as probe:
                probe.write(b"x")
        except OSError as error:
            raise UnfitError(f"cannot write to the {self.place} {root} ({error.strerror or error})") from None


def work_of(order: Order) -> Work:
    """Return what does the jobs of an order."""
    work: Work = work_called(order.work)(order)
    return work


def work_called(name: str) -> Any:
    """Return the class of a kind of work."""
    return load_target(WORKS[name])
