"""What lies beside: other task files of the folder, other values in the files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.spec import TASK_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_stbench.data.slide import Slide
    from pytest_stbench.registry import Catalogue, Family

_FAMILY = re.compile(r"^family:\s*['\"]?([\w-]+)", re.MULTILINE)
_TOLERANCE = 1e-3
_MAX_FRACTIONAL = 0.01


def families_beside(path: Path, families: Catalogue[Family]) -> frozenset[str]:
    """Return the ids of the families of the task files in the folder of `path`; they are not loaded."""
    found = set()
    for file in path.parent.glob(f"*{TASK_SUFFIX}"):
        match = _FAMILY.search(file.read_text(encoding="utf-8", errors="replace"))
        if match and match[1] in families:
            found.add(families[match[1]].id)
    return frozenset(found)


def holds_counts(slide: Slide) -> bool:
    """Tell whether a slide holds whole numbers that are not negative."""
    values = np.asarray(slide.counts.data, dtype=np.float64)
    values = values[np.isfinite(values)]
    fractional = np.abs(values - np.rint(values)) > _TOLERANCE
    return bool(len(values) and fractional.mean() <= _MAX_FRACTIONAL and (values >= 0).all())
