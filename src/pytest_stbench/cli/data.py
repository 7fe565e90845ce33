"""``stbench data``: public data sets by name; nothing is downloaded unless asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pytest_stbench.cli.options import PATH, data_root_option
from pytest_stbench.report.live import working
from pytest_stbench.report.width import flush_left

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_stbench.spec.dataset_entry import DatasetEntry

HEADER = ("NAME", "TECHNOLOGY", "ORGAN", "INDICATION", "SLIDES", "PATIENTS", "CHECKSUMS", "ON THIS MACHINE")


@click.group()
def data() -> None:
    """List, fetch and verify public data sets.

    A task file uses one by `source: catalog` and `path: NAME`.
    """


@data.command(name="list")
@click.option("--organ", metavar="NAME", help="Only data sets of this organ.")
@click.option("--technology", metavar="NAME", help="Only data sets of this technology.")
def list_data(organ: str | None, technology: str | None) -> None:
    """List the data sets of the catalog; reads nothing from the network.

    `?` is a number of patients that nobody knows; checksums are those of a data set that somebody fetched.
    """
    from pytest_stbench.data.catalog.entries import cache_dir, chosen, entries, read_lock

    lock = read_lock(cache_dir())
    found = chosen(chosen(entries(), "organ", organ), "technology", technology)
    rows = [HEADER]
    rows += [
        (
            entry.name,
            entry.technology,
            _short(entry.organ),
            _short(entry.indication),
            str(entry.slides),
            "?" if entry.patients is None else str(entry.patients),
            _checksums(entry),
            _state(entry, lock.get(entry.name, {})),
        )
        for entry in found
    ]
    click.echo("\n".join(flush_left(rows)))


@data.command()
@click.argument("name")
def show(name: str) -> None:
    """Show licence, citation, files and state of a data set."""
    from pytest_stbench.data.catalog.entries import cache_dir, entry_called, find_data, read_lock
    from pytest_stbench.spec.catalog_entries import how_to_get

    entry = entry_called(name)
    lock = read_lock(cache_dir()).get(name, {})
    counts = f"{entry.slides} slides, {entry.patients or 'number unknown of'} patients"
    facts = {
        "title": entry.title,
        "homepage": entry.homepage,
        "study": entry.accession,
        "licence": entry.licence,
        "citation": entry.citation,
        "doi": entry.doi,
        "holds": f"{entry.technology}, {entry.organ}, {entry.indication}; {counts}",
        "known from": entry.known_from,
        "reader": f"source {entry.dataset.source}, path {entry.dataset.path}",
        "layout": entry.layout,
        "checksums": _checksums(entry),
        "on this machine": _state(entry, lock),
        "folder": find_data(entry),
        "to get it": how_to_get(entry),
    }
    click.echo(name)
    for key, value in facts.items():
        if value is not None:
            click.echo(f"  {key}: {value}")
    for file in entry.files:
        size = "size unknown" if file.size is None else f"{file.size:,} bytes"
        click.echo(f"  file {file.path}: {file.url or 'no address'} ({size}, unpack: {file.unpack})")
        click.echo(f"    sha256: {file.sha256 or 'none: nobody has recorded these bytes yet'}")


@data.command()
@click.argument("name")
@click.option("--to", "folder", type=PATH, help="Put NAME below this folder.")
def fetch(name: str, folder: Path | None) -> None:
    """Download a data set; a transfer that was cut off goes on where it stopped."""
    from pytest_stbench.data.catalog.entries import cache_dir, entry_called
    from pytest_stbench.data.catalog.fetch import fetch as fetch_entry
    from pytest_stbench.data.catalog.verify import verify as verify_entry

    entry = entry_called(name)
    click.echo(f"{name}: licence {entry.licence}; please cite: {entry.citation}", err=True)
    with working(name) as tell:

        def seen(file: str, done: int, total: int | None) -> None:
            size = f" of {total / 1e6:,.1f}" if total else ""
            tell(f"{file}: {done / 1e6:,.1f}{size} MB", done, total)

        target = fetch_entry(entry, folder or cache_dir(), seen)
    click.echo(f"fetched {target}")
    if folder is not None:
        click.echo(f"use it with --stbench-data={folder}")
    if entry.verified is not None:
        verify_entry(entry, target)
        click.echo("all checksums are those of the catalog")
    else:
        option = "" if folder is None else f" --stbench-data {folder}"
        click.echo(
            "the catalog has no checksums of this data: look at what came, then "
            f"`stbench data verify {name}{option}` puts it into use"
        )


@data.command()
@click.argument("name")
@data_root_option("The folder that holds NAME; default: $STBENCH_DATA, then the cache.")
def verify(name: str, data_root: Path | None) -> None:
    """Compare the files of a data set with their checksums; record them where there are none."""
    from datetime import UTC, datetime

    from pytest_stbench.data.catalog.entries import LOCK_NAME, cache_dir, entry_called, find_data
    from pytest_stbench.data.catalog.verify import contribution, verify as verify_entry
    from pytest_stbench.errors import DataMissing
    from pytest_stbench.spec.catalog_entries import how_to_get

    entry = entry_called(name)
    folder = find_data(entry, data_root)
    if folder is None:
        raise DataMissing(f"{name} is not on this machine; {how_to_get(entry)}")
    found = verify_entry(entry, folder)
    done = "recorded" if found.new else "compared"
    click.echo(f"{folder}: {done} {found.n_files} files; see {cache_dir() / LOCK_NAME}")
    if entry.verified is not None or not entry.files:
        return
    if all(file.url in found.seen for file in entry.files):
        day = datetime.now(UTC).date().isoformat()
        click.echo(
            f"\nYou are among the first to see these bytes. To contribute the checksums, put this into "
            f"tasks/catalog/{name}.stbench-data.yaml and open a pull request:\n"
        )
        click.echo(contribution(entry, found.seen, day))
    else:
        click.echo("the files were put there by hand: their checksums are kept on this machine only")


def _checksums(entry: DatasetEntry) -> str:
    return "never fetched" if entry.verified is None else f"verified {entry.verified}"


def _short(names: str) -> str:
    first, *others = names.split(", ")
    return f"{first} and {len(others)} more" if len(others) > 1 else names


def _state(entry: DatasetEntry, known: dict[str, Any]) -> str:
    """Return whether the data is here and may be used."""
    from pytest_stbench.data.catalog.entries import find_data
    from pytest_stbench.spec.dataset_entry import MANIFEST

    folder = find_data(entry)
    if folder is None:
        return "no" if entry.fetchable else "no, get it by hand"
    if not (folder / MANIFEST).is_file():
        return "fetched, not verified: left out"
    return f"verified {known['verified']}" if known.get("verified") else "yes, with a manifest"
