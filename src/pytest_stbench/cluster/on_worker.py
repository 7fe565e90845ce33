"""What a worker of dask is asked: to hand a job to a process of its own, and to end those of a command."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from importlib import import_module

from pytest_stbench import __version__
from pytest_stbench.cluster.orders import Done, Order, label_of, version_of
from pytest_stbench.data.roots import VARIABLE

WORKER = secrets.token_hex(4)
"""Of this worker; another one that comes in its place is another run to the store."""
TRIM, OF_DASK = "MALLOC_TRIM_THRESHOLD_", "65536"
"""What dask sets, so that workers give memory back at once: arrays then cost half as much again."""
_LOCK = threading.Lock()
_IDLE: dict[str, list[CellProcess]] = {}
_BUSY: dict[str, list[CellProcess]] = {}
_ENDED: set[str] = set()


class CellProcess:
    """A process that does the jobs of one order, one at a time."""

    def __init__(self, order: Order) -> None:
        environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
        if environment.get(TRIM) == OF_DASK:
            del environment[TRIM]
        if order.root:
            environment[VARIABLE] = order.root
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pytest_stbench.cluster.cell_process"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment,
            start_new_session=True,  # Ctrl-C in the terminal of a local cluster is the command's business
        )  # fmt: skip
        self._ready = False
        self._send(replace(order, run=f"{order.run}.{WORKER}").text())

    def ask(self, job: str) -> Done | None:
        """Return how a job, JSON, ended; None when the process ended first."""
        if not self._ready:
            unfit = self._reply()
            if unfit is None:
                message = f"has no process that lives: it ended ({self.ended()}) before it could do anything"
                return Done(outcome="unfit", message=message)
            if unfit.outcome == "unfit":
                return unfit
            self._ready = True
        self._send(job)
        return self._reply()

    @property
    def alive(self) -> bool:
        """Whether the process can be given another job."""
        return self._ready and self._process.poll() is None

    def ended(self) -> str:
        """Return how the process ended."""
        code = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def end(self) -> None:
        """End the process; the store knows that it was no doing of a model."""
        self._process.terminate()
        with suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]  # it was asked for
        # A system keeps whom nobody waits for.
        threading.Thread(target=self.ended, daemon=True).start()

    def _reply(self) -> Done | None:
        assert self._process.stdout is not None  # it was asked for
        try:
            reply = self._process.stdout.readline()
        except ValueError:  # it was ended, and its end closed, since it was asked
            return None
        return Done.read(reply) if reply.endswith("\n") else None

    def _send(self, line: str) -> None:
        with suppress(OSError, ValueError):  # whoever reads the reply sees that it is gone, or was ended
            assert self._process.stdin is not None  # it was asked for
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()


def version() -> str:
    """Return the version of the package here."""
    return __version__


def other_version(here: str, wanted: str) -> str:
    """Return what is said of a worker with another version of the package."""
    return f"has pytest-stbench {here}, and the command was given with {wanted}: install the same there"


def run_job(ordered: str, asked: str) -> str:
    """Do a job in a process of this worker; order, job and what is returned are JSON."""
    address = import_module("distributed").get_worker().address
    if version_of(ordered) != __version__:
        message = other_version(__version__, version_of(ordered))
        return Done(outcome="unfit", message=message, worker=address).text()
    return replace(_done(Order.read(ordered), asked), worker=address).text()


def end_run(run: str) -> None:
    """End all processes of a command: nobody waits for what they do."""
    with _LOCK:
        _ENDED.add(run)
        ended = [*_IDLE.pop(run, ()), *_BUSY.get(run, ())]
    for process in ended:
        process.end()


def _done(order: Order, job: str) -> Done:
    """Return how a job ended, in a second process where the first one ended.

    The second finds in the store by whom the first was ended, and says so, or does the job where it was no
    doing of the model.
    """
    how: list[str] = []
    for _ in range(3):
        process = _taken(order)
        if process is None:
            return Done(outcome="ended")
        done = process.ask(job)
        if done is None:
            # A process closes its pipe a moment before it ends: put back at once it would count as alive.
            how.append(process.ended())
        _put_back(order, process)
        if done is not None:
            return done
    message = f"{label_of(job)}: the process that does it ended {len(how)} times ({', '.join(how)})"
    return Done(outcome="failed", message=f"{message}, from outside or before a model was asked")


def _taken(order: Order) -> CellProcess | None:
    """Return a process of an order that has nothing to do; None when the command was ended."""
    with _LOCK:
        if order.run in _ENDED:
            return None
        idle = _IDLE.setdefault(order.run, [])
        process = idle.pop() if idle else CellProcess(order)
        _BUSY.setdefault(order.run, []).append(process)
        return process


def _put_back(order: Order, process: CellProcess) -> None:
    with _LOCK:
        _BUSY[order.run].remove(process)
        useful = process.alive and order.run not in _ENDED
        if useful:
            _IDLE.setdefault(order.run, []).append(process)
    if not useful:
        process.end()
