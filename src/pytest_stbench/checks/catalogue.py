"""The order in which data-quality checks run, which follows from what each says.

What makes other checks meaningless comes first: metadata, gene names and the matrix itself, then units and
places, then splits, panels, patients and the design of the task. Every check says what it comes ``after``,
where its id does not bring it there. ``Sn`` names an item of the checklist for evaluation and benchmark
design: S1 resolution and Xisium validation, S2 three patients or fewer, S3 several panels and adequate
markers, S4 evaluation independent of panels, S5 preprocessing, S6 batch correction, S7 patient effects, S9
sparsity, S10 library size, S11 shared corpora, S12 baselines and scope. A letter after the number names the
part of a check that has another scope: s of a split, d of a data set, r of the results.
"""

from __future__ import annotations

import heapq
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from pytest_stbench.errors import StbenchError
from pytest_stbench.registry import Catalogue, Check, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable


def running_order(records: Iterable[Check]) -> Catalogue[Check]:
    """Return checks in the order in which they run: each after those that it names, else as given.

    Raises ``StbenchError`` where two have one name, where one comes after a check that is unknown, or where
    checks come after each other in a circle.
    """
    known = Catalogue("check", records)
    for record in known:
        if isinstance(record.after, str):
            package = record.target.partition(".")[0]
            raise StbenchError(
                f"{record.target}: @check: after is {record.after!r}: give a tuple of names, and write the "
                f"index of the package anew (`stbench index {package}`)"
            )
        for name in record.after:
            if name not in known:
                raise StbenchError(
                    f"{record.target}: @check: after names {name!r}, which is no check"
                    f"{nearest(name, known.names)}"
                )
    place = {name: number for number, name in enumerate(known.names)}
    sorter = TopologicalSorter({record.name: record.after for record in known})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " after ".join(reversed(error.args[1]))
        raise StbenchError(
            f"checks come after each other in a circle ({circle}): take one name out of an `after`"
        ) from None
    ordered: list[Check] = []
    ready: list[int] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, place[name])
        first = known.names[heapq.heappop(ready)]
        ordered.append(known[first])
        sorter.done(first)
    return Catalogue("check", ordered)
