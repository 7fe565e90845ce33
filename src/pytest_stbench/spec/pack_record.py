"""The file of record of a task pack in a project: what was added, so that a change since is seen.

``NAME.stbench-pack.json`` names the package or folder that the pack comes from, its version, and the sha256
of each of its files. pytest collects the pack's tasks where it meets the file.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import StbenchError
from pytest_stbench.registry import nearest
from pytest_stbench.spec import PACK_SUFFIX
from pytest_stbench.spec.pack import Pack, fingerprint_of, load_pack

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "stbench-pack/1"
GROUP = "pytest_stbench.tasks"
SHOWN = 5
ADVICE = "`stbench tasks add` takes it as it is now, version control has it as it was"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRecord:
    """What was added: ``source`` is the name of a package, or a folder relative to that of the record.

    ``tasks`` maps the name of each task to its file.
    """

    schema: str
    name: str
    version: str
    kind: str
    source: str
    fingerprint: str
    tasks: Mapping[str, str]
    files: Mapping[str, str]

    @property
    def text(self) -> str:
        """The file: JSON in lines."""
        return json.dumps(asdict(self), indent=1) + "\n"


def record_of(pack: Pack, tasks: Mapping[str, str], *, kind: str, source: str) -> PackRecord:
    """Return the record of a pack; `kind` is ``package`` or ``folder``."""
    return PackRecord(
        schema=SCHEMA, name=pack.name, version=pack.version, kind=kind, source=source,
        fingerprint=pack.fingerprint, tasks=dict(tasks), files=dict(pack.files),
    )  # fmt: skip


def read_record(path: Path) -> PackRecord:
    """Read a file of record.

    Raises
    ------
    StbenchError
        Where it is none, or was changed by hand.
    """
    advice = "restore it from version control, or add the pack again with `stbench tasks add`"
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StbenchError(f"{path}: the file of record cannot be read ({error}); {advice}") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise StbenchError(f"{path}: no record of a task pack of the schema {SCHEMA} ({found!r}); {advice}")
    kinds = {name: dict if name in ("tasks", "files") else str for name in PackRecord.__dataclass_fields__}
    wrong = [
        name for name in sorted(kinds.keys() | data.keys()) if not _fits(data.get(name), kinds.get(name))
    ]
    if wrong:
        raise StbenchError(f"{path}: {', '.join(wrong)}: missing, unknown, or of another type; {advice}")
    record = PackRecord(**data)
    named = path.name.removesuffix(PACK_SUFFIX)
    if record.fingerprint != fingerprint_of(record.files) or record.name != named:
        raise StbenchError(
            f"{path}: the record was changed by hand: its fingerprint is not that of its files, or its name "
            f"is not that of the file; {advice}"
        )
    return record


def _fits(value: object, kind: type | None) -> bool:
    if kind is not dict or not isinstance(value, dict):
        return kind is not None and isinstance(value, kind)
    return all(isinstance(item, str) for item in value.values())


def recorded_pack(path: Path, record: PackRecord) -> Pack:
    """Return the pack of a record, as it was when it was added.

    Raises
    ------
    StbenchError
        Where it is not here any more, or has changed since; says what differs.
    """
    pack = found_pack(path, record)
    differing = differences(record, pack)
    if differing:
        raise StbenchError(
            f"{path}: the pack {record.name} is not what was added: {'; '.join(differing)}. {ADVICE}"
        )
    return pack


def found_pack(path: Path, record: PackRecord) -> Pack:
    """Return the pack of a record as it is now. Raises ``StbenchError`` where it is not here."""
    try:
        if record.kind == "package":
            return installed_pack(record.source, record.name)
        return load_pack(Path(os.path.normpath(path.parent / record.source)))
    except StbenchError as error:
        raise StbenchError(
            f"{path}: the pack {record.name} {record.version} cannot be used: {error}"
        ) from None


def differences(record: PackRecord, pack: Pack) -> list[str]:
    """Return what differs between a pack and its record, the version first."""
    lines = []
    if pack.version != record.version:
        lines.append(f"version {pack.version} here, {record.version} when it was added")
    if pack.name != record.name:
        lines.append(f"its name is {pack.name} now")
    both = pack.files.keys() & record.files.keys()
    for what, names in (
        ("changed", [name for name in both if pack.files[name] != record.files[name]]),
        ("new", pack.files.keys() - record.files.keys()),
        ("gone", record.files.keys() - pack.files.keys()),
    ):
        if names:
            first = ", ".join(sorted(names)[:SHOWN])
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            lines.append(f"{what}: {first}{more}")
    return lines


def installed_pack(package: str, name: str | None = None) -> Pack:
    """Return the pack of an installed package.

    Parameters
    ----------
    package
        Name of the distribution, or of the pack.
    name
        Which of its packs, where it has several.

    Raises
    ------
    StbenchError
        Where no such package brings a pack, it brings several, or the pack cannot be used.
    """
    entries = installed()
    found = [
        entry
        for entry in entries
        if _plain(package) in (_plain(entry.name), _plain(_distribution(entry)))
        and name in (None, entry.name)
    ]
    if len(found) > 1:
        names = ", ".join(sorted(entry.name for entry in found))
        raise StbenchError(f"{package} brings several packs: add one of {names} by its name")
    if not found:
        known = sorted({entry.name for entry in entries} | {_distribution(entry) for entry in entries})
        raise StbenchError(
            f"no installed package brings a task pack called {package!r}{nearest(package, known)}, and there "
            f"is no folder of this name; installed packs: {', '.join(known) or 'none'}. A package brings one "
            f"by an entry point of the group {GROUP}"
        )
    (entry,) = found
    pack = load_pack(_folder(entry))
    if pack.name != entry.name:
        raise StbenchError(
            f"{pack.folder}: the pack is called {pack.name}, and {entry.name} in the entry point of the "
            f"package {_distribution(entry)}: both must be the same"
        )
    return pack


def installed() -> list[metadata.EntryPoint]:
    """Return the entry points that bring packs; one found twice on the path counts once."""
    found = {(entry.name, entry.value): entry for entry in metadata.entry_points(group=GROUP)}
    return [found[key] for key in sorted(found)]


def _folder(entry: metadata.EntryPoint) -> Path:
    what = f"the entry point {entry.name} = {entry.value} of {GROUP} names no package with a folder"
    advice = f"mend the package {_distribution(entry)}, or uninstall it"
    try:
        spec = find_spec(entry.value)
    except Exception as error:
        # Of a subpackage those above it are imported, whose code may raise anything.
        raise StbenchError(f"{what} ({type(error).__name__}: {error}): {advice}") from error
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places or not Path(places[0]).is_dir():
        raise StbenchError(f"{what}: {advice}")
    return Path(places[0])


def _distribution(entry: metadata.EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.name


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
