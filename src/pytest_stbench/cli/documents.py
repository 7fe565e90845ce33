"""Commands that write one document: an index, reference pages, a report, a schema, checksums."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pytest_stbench.cli.files import write_all, write_atomically
from pytest_stbench.cli.options import PATH


@click.command()
@click.argument("package", default="pytest_stbench")
def index(package: str) -> None:
    """Write the index of what PACKAGE declares with the decorators of pytest_stbench.extend.

    Every module of it is imported; the index stands beside its __init__.py and belongs into its wheel.
    """
    from pytest_stbench.errors import StbenchError
    from pytest_stbench.index import declared, path_of, read, stub_of, text_of
    from pytest_stbench.registry import Metric

    path = path_of(package)
    try:
        read(path)
    except StbenchError:
        # What is declared may need an index to be imported: any.
        path.write_text(text_of([]), encoding="utf-8", newline="\n")
    records = declared(package)
    path.write_text(text_of(records), encoding="utf-8", newline="\n")
    if package == "pytest_stbench":
        # `from pytest_stbench.metrics import NAME` holds for every metric.
        stub = path.parent / "metrics" / "__init__.pyi"
        metrics = [record for record in records if isinstance(record, Metric)]
        stub.write_text(stub_of(stub.read_text("utf-8"), metrics), encoding="utf-8", newline="\n")
    click.echo(f"{path}: {len(records)} records")


@click.command()
@click.argument("folder", metavar="DIR", type=PATH)
def reference(folder: Path) -> None:
    """Write the reference pages to DIR, records that other packages add included."""
    from pytest_stbench.report.reference import reference_pages
    from pytest_stbench.run.installed import builtin_registry

    pages = reference_pages(builtin_registry())
    write_all(folder, {name: text.encode() for name, text in pages.items()})
    click.echo(f"wrote {len(pages)} pages to {folder}")


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=PATH)
@click.option("-o", "--output", required=True, type=PATH, metavar="FILE", help="Write to this file.")
@click.option(
    "--all", "every", is_flag=True, help="Show the maps of all kept slides and genes, not of a few of each."
)
def report(runs: tuple[Path, ...], output: Path, *, every: bool) -> None:
    """Write a report of results files: one HTML file that opens offline.

    RUN is a file that `--stbench-save` or `stbench check --format json` wrote. Of several, models are
    ranked together where task, version and data are the same; else they are listed apart. Of a folder the
    newest run of each model is reported, with curves over all runs that lie there.
    """
    from pytest_stbench.report.page.render import encoded
    from pytest_stbench.report.page.report_page import report_page
    from pytest_stbench.report.page.sources import read_sources

    earlier = None
    if any(path.is_dir() for path in runs):
        from pytest_stbench.report.history.beside import reported
        from pytest_stbench.report.history.runs import runs_of

        earlier = runs_of(runs)
        runs = tuple(reported(runs, earlier))
    write_atomically(output, encoded(report_page(read_sources(runs), every=every, runs=earlier)))
    click.echo(f"wrote {output}", err=True)


@click.command()
@click.option("--output", type=PATH, help="Write to this file instead of the terminal.")
def schema(output: Path | None) -> None:
    """Print the JSON Schema of task files, for editors.

    In VS Code, name the file under `yaml.schemas` for `*.stbench.yaml`.
    """
    from pytest_stbench.run.installed import builtin_registry
    from pytest_stbench.spec.schema import json_schema

    text = json.dumps(json_schema(builtin_registry()), indent=2) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    write_atomically(output, text.encode())
    click.echo(f"wrote {output}")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def seal(folder: Path) -> None:
    """Write the sha256 of every file of predictions in FOLDER into its manifest.

    `--stbench-model=predictions:FOLDER` compares each file with it from then on. Seal where the
    files were written, before they are copied.
    """
    from pytest_stbench.models.predictions import MANIFEST, PredictionFolder

    number = PredictionFolder.seal(folder)
    click.echo(f"sealed {number} file{'s' if number > 1 else ''} of predictions in {folder / MANIFEST}")
