"""The process beside a worker in which jobs are done (``python -m`` of this module).

In a process of its own a cell runs in the main thread, where its timeout is enforced, and a model that ends
the process ends no worker. It reads an order and then jobs from its standard input, a line of JSON each, and
answers each with a line; what models print goes to standard error.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from pytest_stbench.calls.process_end import HonestExits, keep_stderr, leave
from pytest_stbench.cluster.orders import Done, Order

if TYPE_CHECKING:
    from pytest_stbench.cluster.work import Work

IDLE = 300.0
"""Seconds without a job after which the process ends: what it holds in memory serves nobody."""
SIGTERM_SECONDS = 5.0


def main() -> None:
    """Do jobs until the worker closes the pipe, or nothing comes for long."""
    jobs, replies = _pipes()
    keep_stderr()
    HonestExits().start()
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(jobs, lines), daemon=True).start()
    work, unfit = _began(lines.get())
    done = Done(outcome="unfit" if unfit else "done", message=unfit)
    with suppress(queue.Empty):
        while True:
            replies.write(done.text() + "\n")
            replies.flush()
            if work is None or unfit:
                break
            done = work.do(work.jobs.read(lines.get(timeout=IDLE)))
    leave()


def _began(line: str) -> tuple[Work | None, str]:
    """Return what does the jobs of an order, or why this process cannot."""
    try:
        from pytest_stbench.cluster.work import work_of

        work = work_of(Order.read(line))
        return work, work.unfit()
    except Exception as error:  # noqa: BLE001  # a broken installation raises anything, and is the worker's own
        return None, f"cannot run pytest-stbench ({type(error).__name__}: {error})"


def _pipes() -> tuple[TextIO, TextIO]:
    """Return the two ends towards the worker; what models read and print is kept off them."""
    jobs = os.fdopen(os.dup(0), "r", encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdin = os.fdopen(0, "r", encoding="utf-8", closefd=False)
    return jobs, replies


def _listen(jobs: TextIO, lines: queue.SimpleQueue[str]) -> None:
    """Pass on what comes; when the worker is gone, end the process as somebody outside would.

    A signal is noted in the store as no doing of the model, so that another worker may try the cell.
    """
    for line in jobs:
        lines.put(line)
    os.kill(os.getpid(), signal.SIGTERM)
    with suppress(InterruptedError):
        threading.Event().wait(SIGTERM_SECONDS)
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


if __name__ == "__main__":
    main()
