"""What options say of somebody's data, of the checks to run, and of those to waive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_stbench.data.propose.for_check import DataOptions
    from pytest_stbench.registry import Registry
    from pytest_stbench.spec.model import CheckSpec, TaskFile

    Command = TypeVar("Command", bound=Callable[..., Any])

TEXT_KEYS = (
    "technology", "resolution", "panel", "organ", "disease", "preservation", "site", "corpus", "counts",
    "spatial", "absent_gene",
)  # fmt: skip
NUMBER_KEYS = ("um_per_px", "pitch_um")
PARAM = "params."
"""Before the name of one of the reader's own settings."""

PATH = click.Path(path_type=Path)


def data_root_option(explained: str, **how: Any) -> Callable[[Command], Command]:
    """Return the option that names the folder of the data; `how` goes to click."""
    return click.option("--stbench-data", "--data-root", "data_root", help=explained, **{"type": PATH, **how})


OF_DATA = (
    click.option("--samples", type=PATH, help="Table that says who is who: csv, one row per slide."),
    click.option("--patient", help="Column that names the patient."),
    click.option("--slide", help="Column that names the slide."),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help=f"What the files do not say: {', '.join((*TEXT_KEYS, *NUMBER_KEYS))}, or params.NAME, a setting "
        "of the reader, such as params.table of SpatialData stores.",
    ),
    data_root_option("Folder of the data of task files."),
)

SELECTED = "--select names others"
SKIPPED = "left out by --skip"


def of_data(command: Command) -> Command:
    """Give a command the options that say of data what the files do not."""
    for option in reversed(OF_DATA):
        command = option(command)
    return command


def data_options_of(options: Mapping[str, Any]) -> DataOptions:
    """Return what the options say of the data.

    Raises ``UsageError`` for an unknown key, and for a value that a task file may not have there either.
    """
    from pydantic import ValidationError

    from pytest_stbench.data.propose.for_check import DataOptions, config_of
    from pytest_stbench.spec.messages import describe
    from pytest_stbench.spec.model import DatasetSpec

    keys: dict[str, Any] = {}
    for setting in options["settings"]:
        key, _, value = setting.partition("=")
        if value and key.startswith(PARAM) and key != PARAM:
            keys.setdefault("params", {})[key.removeprefix(PARAM)] = value
            continue
        if not value or key not in (*TEXT_KEYS, *NUMBER_KEYS):
            allowed = (*TEXT_KEYS, *NUMBER_KEYS, "params.NAME")
            listed = f"{', '.join(allowed)}{'' if key in allowed else nearest(key, allowed)}"
            raise click.UsageError(f"--set {setting}: expected KEY=VALUE with KEY one of {listed}")
        keys[key] = _number_or_text(value) if key in NUMBER_KEYS else value
    if "um_per_px" in keys:
        keys["scale"] = {"um_per_px": keys.pop("um_per_px")}
    said = DataOptions(
        patient=options["patient"], slide=options["slide"], samples=options["samples"], keys=keys
    )
    try:
        config_of({"source": "h5ad"}, said)
    except ValidationError as error:
        wrong = [
            f"--set {found['loc'][-1]}: {describe(found, DatasetSpec)}"
            for found in error.errors(include_url=False)
        ]
        raise click.UsageError("\n".join(wrong)) from None
    return said


def _number_or_text(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


def left_out(select: Sequence[str], skip: Sequence[str], registry: Registry) -> dict[str, str]:
    """Return the checks that are not to be run, each with the option that says so."""
    names = registry.checks.names
    chosen = _named("--select", [name for value in select for name in value.split(",")], registry)
    skipped = _named("--skip", [name for value in skip for name in value.split(",")], registry)
    unselected = dict.fromkeys([name for name in names if chosen and name not in chosen], SELECTED)
    return {**unselected, **dict.fromkeys(skipped, SKIPPED)}


def waivers(given: Sequence[str], registry: Registry) -> dict[str, CheckSpec]:
    """Return the waivers of ``--waive CHECK=REASON`` by check; a reason is needed, as in a task file."""
    from pytest_stbench.spec.model import CheckSpec

    found = {}
    for text in given:
        check, _, reason = text.partition("=")
        (name,) = _named("--waive", [check], registry)
        if not reason.strip():
            message = f"--waive {text}: a waived check needs a written reason: --waive {name}='why'"
            raise click.UsageError(message)
        found[name] = CheckSpec(waive=True, reason=reason.strip())
    return found


def with_waivers(task: TaskFile, given: Mapping[str, CheckSpec]) -> TaskFile:
    """Return `task` with further waivers; thresholds that it changes stay changed."""
    checks = dict(task.spec.checks)
    for name, waiver in given.items():
        params = checks[name].params if name in checks else {}
        checks[name] = waiver.model_copy(update={"params": params})
    return task.model_copy(update={"spec": task.spec.model_copy(update={"checks": checks})})


def unused(options: Mapping[str, Any], names: Sequence[str], why: str) -> list[str]:
    """Return a note on those of the options `names` that were given and say nothing here."""
    given = [f"--{'set' if name == 'settings' else name}" for name in names if options[name]]
    return [f"{', '.join(given)}: not used, {why}"] if given else []


def _named(option: str, names: Sequence[str], registry: Registry) -> list[str]:
    """Return the checks that `option` names, by name or id. Raises ``UsageError`` for what is none."""
    from pytest_stbench.spec.messages import unknown

    by_id = {record.id: record.name for record in registry.checks}
    found = [by_id.get(name.strip().upper(), name.strip()) for name in names]
    for name in found:
        if name not in registry.checks:
            raise click.UsageError(f"{option}: {unknown('check', name, registry.checks.names)}")
    return found
