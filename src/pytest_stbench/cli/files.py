"""Writing files so that none is ever left half-written."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` by replacing the file at once. Raises ``StbenchError``."""
    if path.is_dir():
        raise StbenchError(f"{path} is a folder: name a file")
    write_all(path.parent, {path.name: data})


def write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` (relative name to content) below `folder`, which is made if need be.

    All are written beside their place first and moved there only when each is complete. Raises
    ``StbenchError`` where the folder cannot be written to.
    """
    staged: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".stbench-", dir=folder))
        for name, data in files.items():
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            (staged / name).write_bytes(data)
        for name in files:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged / name, target)  # noqa: PTH105  # the one call that is atomic on every system
    except OSError as error:
        raise StbenchError(f"cannot write to {error.filename or folder}: {error.strerror or error}") from None
    finally:
        if staged is not None:
            shutil.rmtree(staged, ignore_errors=True)


@contextmanager
def new_folder(out: Path, *, of: str) -> Iterator[Path]:
    """Give a folder to write to that becomes `out` at the end; on an error nothing is left of it.

    `of` says what else could lie in it. Raises ``StbenchError`` where `out` holds something, or cannot be
    written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StbenchError(f"{out} exists: name a new folder, so that nothing of another {of} stays in it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".stbench-", dir=out.parent))
    except OSError as error:
        raise StbenchError(f"cannot write to {error.filename or out}: {error.strerror or error}") from None
    try:
        yield staged
        try:
            staged.chmod(0o755)
            if out.exists():
                out.rmdir()
            os.replace(staged, out)  # noqa: PTH105  # the one call that is atomic on every system
        except OSError as error:
            raise StbenchError(f"cannot write to {out}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(staged, ignore_errors=True)
