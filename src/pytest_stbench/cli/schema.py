"""``stbench schema``: the JSON Schema of task files."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pytest_stbench.cli.files import write_atomically


@click.command()
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file instead of the terminal.")
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
