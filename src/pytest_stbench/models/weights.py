"""Weights that lie in a folder of the user's, and what to do where there are none."""

from __future__ import annotations

import hashlib
import inspect
import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.errors import ModelError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER = "STBENCH_WEIGHTS"
"""Environment variable that names the folder."""
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", "")


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of weights, known by its content."""

    path: Path

    @property
    def digest(self) -> str:
        """First digits of the SHA-256 of its content, read once."""
        return _digest(self.path, self.path.stat().st_mtime_ns)

    def __str__(self) -> str:
        return str(self.path)


def local_file(name: str) -> LocalFile | None:
    """Return the file of `name` in the folder of weights: safetensors first, then what torch writes.

    Of a name with slashes the last part counts. Raises ``ModelError`` where the folder is named and is none.
    """
    named = os.environ.get(FOLDER)
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise ModelError(f"{FOLDER}={named} is no folder: name the one that holds your weights, or unset it")
    stem = name.rpartition("/")[2]
    found = (folder / (stem + suffix) for suffix in SUFFIXES)
    return next((LocalFile(path) for path in found if path.is_file()), None)


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Say what to do where weights cannot be had."""
    try:
        yield
    except (KeyboardInterrupt, MemoryError, ModelError):
        raise
    except Exception as error:
        stem = name.rpartition(":")[2].rpartition("/")[2]
        said = str(error).strip().partition("\n")[0][:200]
        raise ModelError(
            f"the weights of {name} could not be loaded ({type(error).__name__}: {said}). Put them as "
            f"{stem}.safetensors (or .pth, a state_dict) in a folder and name it by {FOLDER}=FOLDER; or let "
            "this machine reach the hub, and for a gated model accept its terms there and set HF_TOKEN"
        ) from error


def known_only(package: str, name: str, known: Sequence[str]) -> None:
    """Refuse a model that its package does not have, with the name that is nearest. Raises ``ModelError``."""
    if name not in known:
        raise ModelError(f"{package} has no model {name!r}{nearest(name, known)}")


def refuse_code_of_others(name: str, kind: type) -> None:
    """Refuse what is loaded by a class that runs the code of a hub, or unpickles, as its text says.

    Raises ``ModelError``.
    """
    top = kind.__module__.partition(".")[0]
    own = [one for one in kind.__mro__ if one.__module__.partition(".")[0] == top]
    text = "".join(map(inspect.getsource, own))
    found = next((word for word in ("trust_remote_code=True", "weights_only=False") if word in text), None)
    if found:
        raise ModelError(
            f"{name} is loaded by its package with {found}, which runs code that comes with the weights: "
            "never done here; choose another, or give a model of your own (docs/adapters.md)"
        )


@lru_cache(maxsize=32)
def _digest(path: Path, changed: int) -> str:
    del changed
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
