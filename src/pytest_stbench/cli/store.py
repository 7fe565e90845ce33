"""``stbench store``: what kept predictions cost, and making room."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import click

from pytest_stbench.report.width import flush_left

HEADER = ("MODEL", "TASK", "FILES", "SIZE", "COMPUTED IN", "LAST USED")
UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def byte_number(text: str) -> int:
    """Return the bytes that ``500MB``, ``2.5 GB`` or ``1T`` says. Raises ``click.BadParameter``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", text.strip().upper())
    if found is None:
        raise click.BadParameter(f"{text!r} is no size; write for example 500MB, 20GB or 1TB")
    return int(float(found[1]) * UNITS[found[2]])


def _bytes(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    del context, parameter
    return None if text is None else byte_number(text)


@click.group()
def store() -> None:
    """Say what the store holds, or remove what was not used for long."""


_folder = click.option(
    "--stbench-store", "root", type=click.Path(file_okay=False, path_type=Path), default=Path(".stbench"),
    show_default=True, help="The folder of the store.",
)  # fmt: skip


@store.command(name="list")
@_folder
def list_store(root: Path) -> None:
    """List what each model costs for each task: files, bytes, seconds it took, last use."""
    from pytest_stbench.data.wording import byte_size
    from pytest_stbench.store.housekeeping import costs, disk_share

    _require(root)
    found = costs(root)
    total = sum(cost.size for cost in found.values())
    rows = [HEADER]
    for (model, task), cost in sorted(found.items(), key=lambda item: -item[1].size):
        seconds = f"{cost.seconds:,.0f} s" if cost.seconds else ""
        day = datetime.fromtimestamp(cost.used, UTC).date().isoformat()
        rows.append((model, task, f"{cost.files:,}", byte_size(cost.size), seconds, day))
    click.echo("\n".join(flush_left(rows)))
    click.echo(f"{root}: {byte_size(total)}; its disk is {disk_share(root):.0%} full")


@store.command()
@_folder
@click.option("--keep-days", type=click.FloatRange(min=0), help="Remove what was not used for N days.")
@click.option(
    "--max-size", metavar="SIZE", callback=_bytes, help="Remove the longest unused until SIZE is left (20GB)."
)
def prune(root: Path, keep_days: float | None, max_size: int | None) -> None:
    """Remove what was not used for long; what a running session holds stays.

    Whatever goes is computed again when it is next needed.
    """
    from pytest_stbench.data.wording import byte_size
    from pytest_stbench.errors import StbenchError
    from pytest_stbench.store import housekeeping

    if keep_days is None and max_size is None:
        raise StbenchError("say what may go: --keep-days N, --max-size SIZE, or both")
    _require(root)
    done = housekeeping.prune(root, keep_days=keep_days, max_size=max_size)
    click.echo(
        f"removed {done.removed:,} files ({byte_size(done.freed)}); {byte_size(done.left)} left in {root}"
    )
    if done.in_use:
        click.echo(f"{done.in_use:,} files stay: a running session holds them")
    if done.failed:
        raise StbenchError(f"{len(done.failed)} files cannot be removed: {done.failed[0]}")


def _require(root: Path) -> None:
    from pytest_stbench.errors import StbenchError
    from pytest_stbench.store.store import is_store

    if not is_store(root):
        raise StbenchError(f"{root}: no store of stbench; name its folder (--stbench-store)")
