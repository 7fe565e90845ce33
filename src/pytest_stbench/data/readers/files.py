"""Files of slides in folders: found by patterns, one for each part; declared images, facts in JSON."""

from __future__ import annotations

import json
from glob import escape
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.roots import resolve, resolve_one
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample


def slide_paths(config: DatasetSpec, roots: Sequence[Path]) -> list[Path]:
    """Return what ``config.path`` names.

    Where a pattern matches folders, files beside them (a README, the samples sheet) are no slides.
    """
    matches = resolve(config.path or "", roots, get=config.get, what="path")
    return [match for match in matches if match.is_dir()] or matches


def companion(folder: Path, *patterns: str) -> Path | None:
    """Return the one file of `folder` that matches the first pattern that any file matches.

    Raises ``DataError`` when several do.
    """
    for pattern in patterns:
        matches = sorted(path for path in folder.glob(pattern) if path.is_file())
        if len(matches) > 1:
            raise DataError(
                f"{folder}: {pattern} should be one file, found {listing(p.name for p in matches)}; "
                "keep one bundle a folder"
            )
        if matches:
            return matches[0]
    return None


def refuse_absent(config: DatasetSpec, samples: Iterable[Sample], found: Sequence[str], what: str) -> None:
    """Raise ``DataError`` for the first sample whose slide is not among those `found` in folders (`what`)."""
    for sample in samples:
        if sample.slide not in found:
            raise DataError(
                f"path {config.path!r}: no {what} is slide {sample.slide!r}; there are {listing(found)}"
                f"{nearest(sample.slide, found)}: correct the samples table, or set `slides`"
            )


def of_slide(
    slide: str, pattern: str, roots: Sequence[Path], what: str = "image.path", called: str = "its image"
) -> Path:
    """Return the file that is declared for a slide; raises ``DataError`` where it is not there."""
    try:
        return resolve_one(pattern.replace("{slide}", escape(slide)), roots, what=what)
    except DataMissing as error:
        raise DataError(
            f"slide {slide}: {called} is not there: {error}; restrict `slides` to those with an image, or "
            "leave out `image`"
        ) from error


def read_json(path: Path) -> Any:
    """Return what a file of JSON holds. Raises ``DataError`` where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error}); copy it anew") from error


def json_of(path: Path) -> dict[str, Any]:
    """Return the mapping in a file of JSON. Raises ``DataError`` where there is none."""
    found: Any = read_json(path)
    if not isinstance(found, dict):
        raise DataError(f"{path}: holds no mapping; copy it anew")
    return found
