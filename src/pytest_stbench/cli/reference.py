"""``stbench reference``: the reference pages of metrics, checks, baselines, families and splits."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_stbench.cli.files import write_all


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def reference(folder: Path) -> None:
    """Write the reference pages to DIR, records that other packages add included."""
    from pytest_stbench.report.reference import reference_pages
    from pytest_stbench.run.installed import builtin_registry

    pages = reference_pages(builtin_registry())
    write_all(folder, {name: text.encode() for name, text in pages.items()})
    click.echo(f"wrote {len(pages)} pages to {folder}")
