"""Manifests in the format of ``sha256sum``: whether the data is what was meant."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_stbench.data.checksums import Checksums
from pytest_stbench.data.roots import relative
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_LINE = re.compile(r"([0-9A-Fa-f]{64}) [ *](.+)")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Expected sha256 by path, relative to the manifest's own folder."""

    path: Path
    expected: Mapping[str, str]

    def lists(self, path: Path) -> bool:
        """Return whether `path` stands in the manifest."""
        return self._name(path) != ""

    def verify(self, files: Iterable[Path], checksums: Checksums | None = None) -> None:
        """Compare the content of `files` with the manifest; read in this process, not remembered.

        Raises ``DataError`` for the first file that is not listed or differs.
        """
        names = {path: self._name(path) for path in files}
        read = replace(checksums or Checksums(), anew=True)
        for path, name in names.items():
            if not name:
                raise DataError(
                    f"{path}: not listed in {self.path}; add its line (`sha256sum FILE`), "
                    "or leave out `sha256` if the data has no manifest"
                )
        for path, found in read.of(names).items():
            name = names[path]
            if found != self.expected[name]:
                raise DataError(
                    f"{path}: sha256 differs from {self.path}: expected {self.expected[name]}, "
                    f"found {found}; get the file again, or update the manifest if the change is meant"
                )

    def _name(self, path: Path) -> str:
        # As it is written first: a link inside the folder is listed under its own name.
        for file, home in (
            (path.absolute(), self.path.absolute().parent),
            (path.resolve(), self.path.resolve().parent),
        ):
            if file.is_relative_to(home) and file.relative_to(home).as_posix() in self.expected:
                return file.relative_to(home).as_posix()
        return ""


def load_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises ``DataError`` with file and line for what is not ``sha256sum`` format, for paths that
    are absolute or leave the manifest's folder, and for a path listed with two values.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a sha256 manifest ({error})") from error
    expected: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            raise DataError(
                f"{path}:{number}: not a line of `sha256sum` (64 hex digits, two spaces, path): {line[:80]!r}"
            )
        name = relative(match[2], f"{path}:{number}: path")
        value = match[1].lower()
        if expected.setdefault(name, value) != value:
            raise DataError(f"{path}:{number}: {name} is listed twice with different values")
    return Manifest(path, expected)
