"""Jobs on the workers of dask.distributed, from the side of who gives them."""

from __future__ import annotations

import logging
import pickle
import queue
import re
import time
from collections import deque
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pytest_stbench import __version__
from pytest_stbench.cluster import on_worker
from pytest_stbench.cluster.orders import Done, Job, Order
from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_stbench.cluster.telling import Telling

PROTOCOL = 4
"""Of pickle, whatever version of Python a worker has."""
CONNECT_SECONDS = 15
POLL_SECONDS = 1.0
AHEAD = 2
"""Jobs for each thread of a worker, so that none waits for the command."""
EXTRA = "--dask needs dask.distributed: pip install 'pytest-stbench[dask]'"
LOCAL = re.compile(r"local:([1-9]\d*)")
ADDRESS = re.compile(r"\w+://\S+:\d+")


class Call:
    """A call of a function of this package that whoever unpickles it makes.

    ``pickle.loads`` of its bytes is what a scheduler sees, so that only workers need the package.
    """

    def __init__(self, function: Callable[..., Any], *arguments: str) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        return self._call


@contextmanager
def connected(where: str) -> Iterator[Any]:
    """Give a client of the scheduler at `where`, or of as many workers on this machine as ``local:N`` says.

    Raises ``StbenchError`` where nobody answers.
    """
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise StbenchError(EXTRA) from None
    # What it logs of lost workers and schedulers is told in the words of the command.
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    local = LOCAL.fullmatch(where)
    if local:
        with (
            distributed.LocalCluster(
                n_workers=int(local[1]), threads_per_worker=1, dashboard_address=None,
                # The status page, which nobody asked for, would take the port of another scheduler and warn.
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"}, silence_logs=logging.CRITICAL,
            ) as cluster,
            distributed.Client(cluster) as client,
        ):  # fmt: skip
            yield client
        return
    try:
        client = distributed.Client(where, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        why = str(error).partition("\n")[0]
        message = f"--dask {where}: no scheduler of dask answers there ({why})"
        raise StbenchError(f"{message}: start one with `dask scheduler`, or use --dask local:N") from None
    try:
        yield client
    finally:
        with suppress(Exception):
            client.close(timeout=CONNECT_SECONDS)


class Dasked:
    """Gives jobs to workers until each is done.

    Parameters
    ----------
    client
        Of a scheduler.
    order
        What the jobs have in common.
    resources
        What a worker must offer to be given a job in which a model is asked.
    telling
        Told what happens.
    """

    def __init__(
        self, client: Any, order: Order, resources: Mapping[str, float], telling: Telling, where: str
    ) -> None:
        self._client, self._order, self._telling, self._where = client, order, telling, where
        self._resources = dict(resources)
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._waiting: dict[str, tuple[Any, Job, frozenset[str]]] = {}
        self._todo: dict[bool, deque[Job]] = {True: deque(), False: deque()}
        self._sent: dict[str, int] = {}
        self._unfit: dict[str, str] = {}
        self._lost: set[str] = set()
        self._alone: deque[Job] = deque()

    def do(self, jobs: Sequence[Job]) -> None:
        """Do all jobs, and tell of each.

        Raises ``StbenchError`` when no worker is left that can do one, or the scheduler is gone.
        """
        try:
            self._look_at_workers()
            for job in jobs:
                self._todo[self._needs(job)].append(job)
            while self._waiting or any(self._todo.values()) or self._alone:
                self._fill()
                self._one()
        except StbenchError:
            raise
        except Exception:
            if self._client.status == "running":
                raise
            raise self._gone() from None
        finally:
            self._leave()

    def _look_at_workers(self) -> None:
        """Wait for a worker, and say which of them have no package of this version."""
        if not self._client.nthreads():
            self._telling.waiting(f"waiting for the first worker of {self._where}")
        while not self._client.nthreads():
            time.sleep(POLL_SECONDS)
        self._look_at_versions()
        self._look_at_resources()

    def _look_at_versions(self) -> None:
        for worker, found in self._run(Call(on_worker.version)).items():
            if isinstance(found, ImportError):
                self._exclude(worker, f"has no pytest-stbench {__version__} ({found}): install it there")
            elif isinstance(found, str) and found != __version__:
                self._exclude(worker, on_worker.other_version(found, __version__))

    def _run(self, call: Call) -> dict[str, Any]:
        """Return what a call gives on each worker at once, whatever that is doing."""
        payload = pickle.dumps(call, protocol=PROTOCOL)
        found: dict[str, Any] = self._client.run(pickle.loads, payload, on_error="return")
        return found

    def _look_at_resources(self) -> None:
        if not self._resources:
            return
        workers = self._client.scheduler_info(n_workers=-1)["workers"]  # -1: all, where versions tell of few
        offered = [worker.get("resources", {}) for worker in workers.values()]
        if not any(all(one.get(k, 0) >= v for k, v in self._resources.items()) for one in offered):
            wanted = " ".join(f"{name}={number:g}" for name, number in self._resources.items())
            start = f'`dask worker {self._where} --resources "{wanted}"`'
            self._telling.waiting(f"no worker offers {wanted} yet: cells of the model wait for one ({start})")

    def _exclude(self, worker: str, why: str) -> None:
        """Give a worker no further job, and say why, once; raises when no other one is there."""
        known, self._unfit[worker] = worker in self._unfit, why
        if self._fit():
            if not known:
                self._telling.say(f"worker {worker} {why}")
            return
        reasons: dict[str, list[str]] = {}
        for name, reason in self._unfit.items():
            reasons.setdefault(reason, []).append(name)
        told = "".join(f"\n  {', '.join(names)} {reason}" for reason, names in reasons.items())
        raise StbenchError(f"no worker of {self._where} can do what was asked:{told}")

    def _fit(self) -> list[str]:
        return [worker for worker in self._client.nthreads() if worker not in self._unfit]

    def _needs(self, job: Job) -> bool:
        return job.model and bool(self._resources)

    def _fill(self) -> None:
        """Give each worker that can do them a few jobs; workers come and go while others wait."""
        threads = self._client.nthreads()
        fit = frozenset(worker for worker in threads if worker not in self._unfit)
        for key, (_, job, pinned) in list(self._waiting.items()):
            if pinned and not pinned & threads.keys():
                del self._waiting[key]
                self._todo[self._needs(job)].appendleft(job)
        if not self._waiting and not any(self._todo.values()):
            job = self._alone.popleft()
            self._todo[self._needs(job)].append(job)
        most = AHEAD * max(1, sum(threads[worker] for worker in fit))
        for needs, todo in self._todo.items():
            out = sum(self._needs(job) == needs for _, job, _ in self._waiting.values())
            while todo and out < most and fit:
                self._send(todo.popleft(), fit)
                out += 1

    def _send(self, job: Job, fit: frozenset[str]) -> None:
        call = Call(on_worker.run_job, self._order.text(), job.text())
        self._sent[job.text()] = self._sent.get(job.text(), 0) + 1
        pinned = fit if self._unfit else frozenset()
        future = self._client.submit(
            pickle.loads,
            pickle.dumps(call, protocol=PROTOCOL),
            pure=False,
            key=f"stbench {self._order.run} {job.label} {sum(self._sent.values())}",
            priority=-sum(self._sent.values()),
            resources=self._resources if self._needs(job) else None,
            workers=sorted(pinned) or None,
        )
        self._waiting[future.key] = (future, job, pinned)
        future.add_done_callback(self._ended.put)

    def _one(self) -> None:
        """Take in one job that ended, or tell that none did."""
        try:
            future = self._ended.get(timeout=POLL_SECONDS)
        except queue.Empty:
            if self._client.status in ("closing", "closed"):
                raise self._gone() from None
            self._telling.waiting()
            return
        if future.key not in self._waiting:
            return
        _, job, _ = self._waiting.pop(future.key)
        done = self._outcome(future, job)
        if done is None:
            return
        if done.outcome == "unfit":
            if done.worker:
                self._exclude(done.worker, done.message)
            if self._sent[job.text()] <= len(self._unfit) + 1:
                self._todo[self._needs(job)].appendleft(job)
                return
        self._telling.done(job, done)

    def _outcome(self, future: Any, job: Job) -> Done | None:
        """Return how a job ended; None where it is to be done once more.

        Dask gives up what was on a worker each time that one was lost, be it in its queue: alone a job is
        lost by its own doing.
        """
        if future.status == "finished":
            with suppress(OSError, TimeoutError):
                return Done.read(future.result(timeout=CONNECT_SECONDS))
        if future.status != "error":
            raise self._gone()
        error = future.exception(timeout=CONNECT_SECONDS)
        if isinstance(error, import_module("distributed").KilledWorker):
            if job.text() not in self._lost:
                self._lost.add(job.text())
                self._alone.append(job)
                return None
            message = (
                "every worker that did it was lost, also with nothing else to do: out of memory, or ended"
            )
            return Done(outcome="failed", message=f"{job.label}: {message}")
        if isinstance(error, ImportError):
            self._look_at_versions()
            message = f"a worker of {self._where} has no pytest-stbench {__version__} ({error})"
            return Done(outcome="unfit", message=message)
        return Done(outcome="failed", message=f"{job.label}: {type(error).__name__}: {error}")

    def _gone(self) -> StbenchError:
        return StbenchError(
            f"the scheduler at {self._where} is gone: what was done is in {self._order.store}, and the "
            "same command does the rest where a scheduler answers"
        )

    def _leave(self) -> None:
        """End what the workers do for this command, and what they hold in memory for it."""
        with suppress(Exception):  # a scheduler that is gone cannot be told
            if self._client.status == "running":
                self._client.cancel([future for future, _, _ in self._waiting.values()])
                self._run(Call(on_worker.end_run, self._order.run))
