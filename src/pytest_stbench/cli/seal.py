"""``stbench seal``: checksums beside predictions that another machine or tool wrote."""

from __future__ import annotations

from pathlib import Path

import click


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
