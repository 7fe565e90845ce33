"""``stbench index``: write down what a package declares."""

from __future__ import annotations

import click


@click.command()
@click.argument("package", default="pytest_stbench")
def index(package: str) -> None:
    """Write the index of what PACKAGE declares with the decorators of pytest_stbench.extend.

    Every module of it is imported; the index stands beside its __init__.py and belongs into its wheel.
    """
    from pytest_stbench.errors import StbenchError
    from pytest_stbench.index import declared, path_of, read, text_of

    path = path_of(package)
    try:
        read(path)
    except StbenchError:
        # What is declared may need an index to be imported: any.
        path.write_text(text_of([]), encoding="utf-8", newline="\n")
    records = declared(package)
    path.write_text(text_of(records), encoding="utf-8", newline="\n")
    click.echo(f"{path}: {len(records)} records")
