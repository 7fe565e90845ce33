"""The options that say where the jobs of a command are done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_stbench.cli.options import Command


def _where(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    del context, parameter
    if text is not None:
        from pytest_stbench.cluster.dasked import ADDRESS, LOCAL

        if not LOCAL.fullmatch(text) and not ADDRESS.fullmatch(text):
            message = "write local:N for N workers on this machine, or tcp://HOST:PORT of a scheduler"
            raise click.BadParameter(f"{text!r}: {message}")
    return text


def _resources(context: click.Context, parameter: click.Parameter, text: str | None) -> dict[str, float]:
    del context, parameter
    found = {}
    for part in re.split(r"[\s,]+", text.strip()) if text is not None else ():
        wanted = re.fullmatch(r"([^=]+)=(\d+(?:\.\d+)?)", part)
        if wanted is None or not float(wanted[2]):
            message = f"{text!r}: write what a worker must offer as NAME=NUMBER, for example gpu=1"
            raise click.BadParameter(message)
        found[wanted[1]] = float(wanted[2])
    return found


def dask_option(command: Command) -> Command:
    """Give a command the option that names workers."""
    how: dict[str, Any] = {"metavar": "WHERE", "callback": _where}
    return click.option(
        "--dask", "where", help="On workers of dask: local:N, or tcp://HOST:PORT of a scheduler.", **how
    )(command)


def resources_option(explained: str) -> Callable[[Command], Command]:
    """Return the option that says what workers must offer."""
    return click.option("--resources", callback=_resources, metavar="NAME=NUMBER", help=explained)
