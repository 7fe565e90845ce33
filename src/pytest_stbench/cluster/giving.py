"""A command's jobs given out: to this process, or to the workers of dask.distributed."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench import __version__
from pytest_stbench.cluster.orders import Order
from pytest_stbench.cluster.work import work_called, work_of
from pytest_stbench.data.roots import VARIABLE
from pytest_stbench.errors import StbenchError
from pytest_stbench.store.keys import code_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_stbench.cluster.orders import Job
    from pytest_stbench.cluster.telling import Telling

EXIT_INTERRUPTED = 130
MARK = ".at-work-"


@contextmanager
def ordered(work: str, asked: Mapping[str, Any], store: Path, data: Path | None = None) -> Iterator[Order]:
    """Give what all jobs of a command have in common; a mark lies in its store meanwhile.

    Raises ``StbenchError`` where the store cannot be written.
    """
    kind, store, root = work_called(work), store.absolute(), os.environ.get(VARIABLE)
    try:
        store.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=store, prefix=MARK) as mark:
            yield Order(
                work=work, asked=asked, store=str(store), mark=mark.name, run=secrets.token_hex(8),
                version=__version__, code=code_version(*kind.code),
                data=str(data.absolute()) if data else None,
                root=str(Path(root).expanduser().absolute()) if root else None,
            )  # fmt: skip
    except OSError as error:
        message = f"cannot write to the {kind.place} {store} ({error.strerror or error})"
        raise StbenchError(f"{message}: name another folder ({kind.option})") from None


def given_out(
    where: str | None, order: Order, jobs: Sequence[Job], telling: Telling, resources: Mapping[str, float]
) -> int:
    """Do all jobs of an order, at `where` or in this process, and return the exit code of the command.

    Raises ``StbenchError`` where nobody can do them.
    """
    try:
        with telling.shown():
            if where is None:
                _here(order, jobs, telling)
            else:
                _on_workers(where, order, jobs, resources, telling)
    except KeyboardInterrupt:
        telling.interrupted()
        return EXIT_INTERRUPTED
    return telling.end()


def _here(order: Order, jobs: Sequence[Job], telling: Telling) -> None:
    from pytest_stbench.calls.process_end import HonestExits, keep_stderr

    work = work_of(order)
    why = work.unfit()
    if why:
        raise StbenchError(f"this process {why}")
    keep_stderr()
    exits = HonestExits()
    exits.start()
    try:
        for job in jobs:
            done = work.do(job)
            if done.outcome == "unfit":
                raise StbenchError(f"this process {done.message}")
            telling.done(job, done)
    finally:
        exits.stop()


def _on_workers(
    where: str, order: Order, jobs: Sequence[Job], resources: Mapping[str, float], telling: Telling
) -> None:
    from pytest_stbench.cluster.dasked import Dasked, connected

    with connected(where) as client:
        Dasked(client, order, resources, telling, where).do(jobs)
