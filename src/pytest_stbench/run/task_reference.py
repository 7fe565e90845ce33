"""The reference atlas of one task: where it lies, its checksum, and what models are given of it."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_stbench.data.later import Later
from pytest_stbench.data.reference import Reference, find_atlas, read_atlas
from pytest_stbench.data.roots import resolve_one

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_stbench.data.checksums import Checksums
    from pytest_stbench.data.reference import Atlas
    from pytest_stbench.spec.model import TaskSpec


class TaskReference:
    """The atlas that a task file names; of a task without one everything is None."""

    def __init__(self, spec: TaskSpec, roots: Sequence[Path], checksums: Checksums) -> None:
        self._spec = spec.reference
        self._aliases = all(dataset.aliases for dataset in spec.datasets.values())
        self._roots = tuple(roots)
        self._checksums = checksums
        self._named = [path for block in spec.blocks.values() for _, path in block.files()]

    @cached_property
    def files(self) -> dict[str, str]:
        """The sha256 of each file that settings of families name. Raises ``DataError``."""
        return {
            path: hashlib.sha256(resolve_one(path, self._roots).read_bytes()).hexdigest()
            for path in self._named
        }

    @cached_property
    def path(self) -> Path | None:
        """Its file. Raises ``DataMissing`` where it is not on this machine."""
        return None if self._spec is None else find_atlas(self._spec, self._roots)

    @cached_property
    def checksum(self) -> str | None:
        """The sha256 of its file."""
        return None if self.path is None else self._checksums.of([self.path])[self.path]

    @property
    def identity(self) -> str | None:
        """What, with the settings of the task file, decides the cells that models are given."""
        # Of several data sets each may say how symbols are read, and the atlas follows all of them.
        return None if self.checksum is None else f"{self.checksum} {self._aliases}"

    @property
    def sources(self) -> tuple[str, ...]:
        """What a model has seen that was given it: name or accession of the atlas, and its file."""
        if self._spec is None:
            return ()
        return (*([self._spec.corpus] if self._spec.corpus else []), f"sha256:{self.checksum}")

    def atlas(self) -> Atlas | None:
        """Return what was read of it, at the first call. Raises ``DataMissing`` and ``DataError``."""
        if self._spec is None or self.path is None:
            return None
        return read_atlas(self._spec, self.path, aliases=self._aliases)

    @cached_property
    def given(self) -> Reference | None:
        """What models get as ``task.reference``."""
        return None if self._spec is None else Reference(Later(self._made))

    def _made(self) -> object:
        found = self.atlas()
        assert found is not None  # `given` looked
        return found.given()
