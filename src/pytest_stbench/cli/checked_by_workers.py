"""``stbench check`` on workers of dask: they fill a store in which the command then finds the results."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_stbench.cluster.checking import jobs_of
from pytest_stbench.cluster.giving import given_out, ordered
from pytest_stbench.cluster.telling import Telling
from pytest_stbench.errors import StbenchError
from pytest_stbench.run.quality.given import given_by

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from pytest_stbench.data.propose.for_check import DataOptions
    from pytest_stbench.registry import Registry


def fill(
    store: Path,
    groups: Sequence[tuple[str, ...]],
    said: DataOptions,
    options: Mapping[str, Any],
    names: Collection[str],
    registry: Registry,
) -> int:
    """Fill `store` with what the checks called `names` find in `groups` of sources; return an exit code.

    What cannot be read is told where it is judged. Raises ``StbenchError`` where no worker can do it.
    """
    claim, data = options["claim"], options["data_root"]
    found = []
    for group in groups:
        with suppress(StbenchError):
            found.append((group, given_by(group, said, claim, data, registry, store)))
    views = sum(len(given.views) for _, given in found)
    jobs = [job for group, given in found for job in jobs_of(group, given, names, registry, views)]
    if not jobs:
        return 0
    samples = said.samples and str(said.samples.absolute())
    asked = {"said": {**asdict(said), "samples": samples}, "claim": claim}
    with ordered("check", asked, store, data) as order:
        telling = Telling(len(jobs), order.store, doing="checking", made="", err=True)
        return given_out(options["where"], order, jobs, telling, {})
