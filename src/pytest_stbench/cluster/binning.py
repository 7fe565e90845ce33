"""Tables of transcripts as jobs: each is counted, and written to its place, by one process."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.checks.wording import count
from pytest_stbench.cluster.giving import MARK
from pytest_stbench.cluster.orders import Done, TableJob
from pytest_stbench.cluster.work import UnfitError, Work
from pytest_stbench.data.binning.files import bin_file
from pytest_stbench.data.checksums import state_of
from pytest_stbench.errors import StbenchError
from pytest_stbench.models.identity import json_digest
from pytest_stbench.spec.model import BinSpec
from pytest_stbench.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.cluster.orders import Order

KIND = "binned"
OF_VENDORS = ("transcripts", "detected_transcripts")
"""What Xenium and MERSCOPE call the table of every run: files of one after the other would have one name."""


class Binning(Work):
    """Counts tables. What an interrupted command has written is left as it is."""

    jobs = TableJob
    place = "folder"
    option = "OUT"

    def __init__(self, order: Order) -> None:
        super().__init__(order)
        self._spec = BinSpec(**order.asked)
        self._store = Store(Path(order.store))

    def _done(self, job: TableJob) -> Done:
        table, out = Path(job.table), Path(job.out)
        if not table.exists():
            raise UnfitError(f"does not find {table}: put the tables on a path that all machines share")
        key = json_digest(
            {
                "table": [job.table, *state_of(table.stat())],
                "out": job.out,
                "bin": self._spec.model_dump(mode="json"),
                "code": self._order.code,
            }
        )
        if out.exists() and self._store.recall(KIND, key, tuple) == state_of(out.stat()):
            return Done(outcome="done", said="there", reused=1)
        try:
            binned = bin_file(table, out, self._spec, staging=Path(self._order.store))
        except StbenchError as error:
            return Done(outcome="failed", message=f"{job.label}: {error}")
        self._store.remember(KIND, key, list(state_of(out.stat())))
        kept, read = binned.notes["transcripts_kept"], binned.notes["transcripts_read"]
        said = f"{count(len(binned.units.ids), 'unit')}, {kept:,} of {read:,} transcripts"
        return Done(outcome="done", said=said, computed=1)


def jobs_of(tables: Sequence[Path], folder: Path) -> list[TableJob]:
    """Return a job for each table.

    Its file in `folder` has its name, or that of its folder where two share it, or all of a vendor have it.

    Raises ``StbenchError`` where their folders share a name too.
    """
    tables = list(dict.fromkeys(map(_placed, tables)))
    names = [table.name.removesuffix(".gz").rpartition(".")[0] or table.name for table in tables]
    of_name = Counter(names)
    names = [
        table.parent.name if of_name[name] > 1 or name in OF_VENDORS else name
        for table, name in zip(tables, names, strict=True)
    ]
    ((name, number),) = Counter(names).most_common(1)
    if number > 1:
        one, other = [str(table) for table, own in zip(tables, names, strict=True) if own == name][:2]
        raise StbenchError(
            f"{one} and {other} would both become {name}.h5ad, which is named by the table, or by its folder "
            "where tables share a name: write one of them to another folder"
        )
    return [
        TableJob(label=name, table=str(table), out=str(folder.absolute() / f"{name}.h5ad"))
        for name, table in zip(names, tables, strict=True)
    ]


def _placed(table: Path) -> Path:
    """Return where a table is: ``..`` is no name of a folder, and one table may be named in two ways."""
    return table.parent.resolve() / table.name if ".." in table.parts else table.absolute()


def finished(store: Path) -> None:
    """Remove what a command kept until all was done, unless another one is at work there."""
    if not any(store.glob(f"{MARK}*")):
        shutil.rmtree(store, ignore_errors=True)
