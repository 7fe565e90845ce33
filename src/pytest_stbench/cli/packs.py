"""What ``stbench tasks`` says of task packs, and what it adds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.checks.wording import count
from pytest_stbench.errors import StbenchError, TaskFileError
from pytest_stbench.report.width import flush_left
from pytest_stbench.resources import tasks_dir
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec import PACK_SUFFIX, TASK_SUFFIX
from pytest_stbench.spec.pack import DIGITS, Pack, load_pack
from pytest_stbench.spec.pack_record import (
    PackRecord,
    differences,
    found_pack,
    installed,
    installed_pack,
    read_record,
    record_of,
)
from pytest_stbench.spec.validate import load_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stbench.spec.model import TaskFile

HEADER = ("PACK", "VERSION", "TASKS", "FINGERPRINT", "FROM", "STATE")


def added(given: str, folder: Path) -> tuple[Path, PackRecord, list[str]]:
    """Return where the record of a pack is written, the record, and what is said of it.

    Raises
    ------
    StbenchError
        Where there is no such pack, it cannot be used, or a task of it has the name of another one.
    """
    place = Path(given)
    if folder.exists() and not folder.is_dir():
        raise StbenchError(f"{folder} is a file: name a folder with --to")
    if place.is_dir():
        pack, kind = load_pack(place), "folder"
        inside = place.resolve()
        if folder.resolve() == inside or folder.resolve() in inside.parents:
            raise StbenchError(
                f"{place} lies in {folder}, where pytest collects its tasks already: move it out, or name "
                "another folder with --to"
            )
        source = Path(os.path.relpath(inside, folder.resolve())).as_posix()
    elif place.is_file() or os.sep in given:
        raise StbenchError(f"{given} is no folder: name a folder with a pack, or an installed package")
    else:
        pack, kind = installed_pack(given), "package"
        source = _package_of(pack.name)
    tasks = _tasks(pack)
    path = folder / f"{pack.name}{PACK_SUFFIX}"
    _require_own_names(pack, tasks, path)
    record = record_of(pack, tasks, kind=kind, source=source)
    return path, record, _said(path, record, pack)


def _package_of(name: str) -> str:
    entry = next(entry for entry in installed() if entry.name == name)
    return entry.dist.name if entry.dist else name


def _tasks(pack: Pack) -> dict[str, str]:
    """Return the name of each task of a pack with its file. Raises ``StbenchError``."""
    registry = builtin_registry()
    found: dict[str, str] = {}
    problems = []
    for path in pack.tasks:
        try:
            task = load_task(path, registry)
        except TaskFileError as error:
            problems += error.problems
            continue
        _require_own_files(pack, task)
        name = task.spec.name
        file = path.relative_to(pack.folder).as_posix()
        if name in found:
            raise StbenchError(f"{pack.folder}: {found[name]} and {file} are both called {name}: rename one")
        found[name] = file
    if problems:
        raise TaskFileError(problems)
    return found


def _require_own_files(pack: Pack, task: TaskFile) -> None:
    """Raise ``StbenchError`` where a key stands in a file whose change the fingerprint does not see."""
    known = {_placed(pack.folder / name) for name in pack.files}
    for file, _ in task.lines.values():
        path = _placed(file)
        if path not in known and not path.is_relative_to(_placed(tasks_dir())):
            raise StbenchError(
                f"{task.path} extends {file}, which is no file of the pack {pack.name}: nobody would see "
                f"it change. Move it into {pack.folder}, under no hidden name and no link to a folder"
            )


def _placed(path: Path) -> Path:
    """Return where a path lies by its name: links are files of the pack, where they stand."""
    return Path(os.path.normpath(Path.cwd() / path))


def _require_own_names(pack: Pack, tasks: dict[str, str], path: Path) -> None:
    """Raise ``StbenchError`` where another pack or a task file of the project has the name of a task."""
    taken: dict[str, str] = {}
    for other in sorted(path.parent.glob(f"*{PACK_SUFFIX}")):
        if other != path:
            record = read_record(other)
            taken |= dict.fromkeys(record.tasks, f"the pack {record.name} ({other})")
    registry = builtin_registry()
    for other in sorted(path.parent.rglob(f"*{TASK_SUFFIX}")) if path.parent.is_dir() else ():
        try:
            taken[load_task(other, registry).spec.name] = str(other)
        except StbenchError:
            continue  # what it is called is not known before its mistakes are mended
    shared = [f"{name} (in {taken[name]})" for name in tasks if name in taken]
    if shared:
        raise StbenchError(
            f"the pack {pack.name} has {count(len(shared), 'task')} of a name that is taken: "
            f"{', '.join(shared)}. A name stands for one task in results: add the pack to another folder "
            "with --to, and run that apart"
        )


def _said(path: Path, record: PackRecord, pack: Pack) -> list[str]:
    mark = f"fingerprint {record.fingerprint[:DIGITS]}"
    lines = [f"{path}: {record.name} {record.version}, {count(len(record.tasks), 'task')}, {mark}"]
    if pack.manifest.licence:
        lines.append(f"licence: {pack.manifest.licence}")
    if path.is_file():
        try:
            before = read_record(path)
        except StbenchError:
            return [*lines, "it takes the place of a record that could not be read"]
        found = differences(before, pack)
        lines.append(
            "it was " + ("there already, as it is" if not found else f"another one: {'; '.join(found)}")
        )
    return [*lines, *(f"  {name}" for name in record.tasks)]


def pack_lines(folder: Path) -> Iterator[str]:
    """Yield the table of packs: those added below a folder, then those installed and not added."""
    rows: list[tuple[str, ...]] = []
    here = set()
    for path in (*sorted(folder.glob(f"*{PACK_SUFFIX}")), *sorted(folder.glob(f"*/*{PACK_SUFFIX}"))):
        try:
            record = read_record(path)
        except StbenchError as error:
            rows.append((path.name.removesuffix(PACK_SUFFIX), "?", "?", "?", "?", _first(error)))
            continue
        here.add(record.name)
        rows.append(
            (
                record.name, record.version, str(len(record.tasks)), record.fingerprint[:DIGITS],
                f"{record.kind} {record.source}", f"{path.as_posix()}: {_state(path, record)}",
            )
        )  # fmt: skip
    rows += [_installed_row(entry.name) for entry in installed() if entry.name not in here]
    if rows:
        yield ""
        yield from flush_left([HEADER, *rows])


def _installed_row(name: str) -> tuple[str, ...]:
    package = f"package {_package_of(name)}"
    try:
        pack = installed_pack(name)
    except StbenchError as error:
        return name, "?", "?", "?", package, _first(error)
    state = f"installed, not added: `stbench tasks add {name}`"
    return name, pack.version, str(len(pack.tasks)), pack.fingerprint[:DIGITS], package, state


def _state(path: Path, record: PackRecord) -> str:
    """Return whether a pack is as it was added."""
    try:
        found = differences(record, found_pack(path, record))
    except StbenchError as error:
        return _first(error)
    return f"changed since: {'; '.join(found)}" if found else "as it was added"


def _first(error: StbenchError) -> str:
    return str(error).splitlines()[0]
