"""The ``stbench`` command: what is done beside running pytest."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from pytest_stbench import __version__
from pytest_stbench.errors import StbenchError, StbenchWarning
from pytest_stbench.registry import load_target, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXIT_ERROR = 2

# Commands are imported when they are called or listed, so that `stbench --version` is fast.
COMMANDS: Mapping[str, str] = {
    "approve": "pytest_stbench.cli.compare:approve",
    "bin": "pytest_stbench.cli.bin:bin_table",
    "check": "pytest_stbench.cli.check:check",
    "compare": "pytest_stbench.cli.compare:compare",
    "data": "pytest_stbench.cli.data:data",
    "describe": "pytest_stbench.cli.describe:describe",
    "export-inputs": "pytest_stbench.cli.export_inputs:export_inputs",
    "figures": "pytest_stbench.cli.figures:figures",
    "index": "pytest_stbench.cli.documents:index",
    "leaderboard": "pytest_stbench.cli.compare:leaderboard",
    "new": "pytest_stbench.cli.new:new",
    "predict": "pytest_stbench.cli.predict:predict",
    "reference": "pytest_stbench.cli.documents:reference",
    "report": "pytest_stbench.cli.documents:report",
    "schema": "pytest_stbench.cli.documents:schema",
    "seal": "pytest_stbench.cli.documents:seal",
    "selftest": "pytest_stbench.cli.selftest:selftest",
    "show": "pytest_stbench.cli.compare:show",
    "store": "pytest_stbench.cli.store:store",
    "tasks": "pytest_stbench.cli.tasks:tasks",
    "validate": "pytest_stbench.cli.tasks:validate",
}


class UserError(click.ClickException):
    """An error of the package, shown as its text alone."""

    exit_code = EXIT_ERROR

    def show(self, file: Any = None) -> None:
        """Print the message, without a prefix that would break ``file:line: key``."""
        click.echo(self.message, file=file, err=file is None)


class LazyGroup(click.Group):
    """A group whose commands are imported by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # the signature is click's
        """Return the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command called `cmd_name`; fail with the nearest match where there is none."""
        if cmd_name not in COMMANDS:
            match = nearest(cmd_name, COMMANDS)
            ctx.fail(f"there is no command {cmd_name!r}{match}; allowed: {', '.join(COMMANDS)}")
        command: click.Command = load_target(COMMANDS[cmd_name])
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors of the package end it with their text and exit code 2."""
        try:
            with _plain_warnings():
                return super().invoke(ctx)
        except StbenchError as error:
            raise UserError(str(error)) from None


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Let warnings of the package be their text alone: where in its code they arose helps nobody."""
    real = warnings.formatwarning

    def told(message: Warning | str, category: type[Warning], *where: Any, **line: Any) -> str:
        ours = issubclass(category, StbenchWarning)
        return f"warning: {message}\n" if ours else real(message, category, *where, **line)

    warnings.formatwarning = told
    try:
        yield
    finally:
        warnings.formatwarning = real


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="pytest-stbench", prog_name="stbench")
def main() -> None:
    """Benchmarks of spatial-transcriptomics models as pytest suites."""
