"""The run that a later one is compared with: a results file, or a reference that somebody approved."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.results.pooled import pooled_of
from pytest_stbench.results.reference import Reference, is_reference, read_reference
from pytest_stbench.results.schema import bytes_of

if TYPE_CHECKING:
    from pytest_stbench.results.schema import Results


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was measured, how it is called (a reference never without who approved it), and its digest."""

    path: Path
    name: str
    results: Results | Reference
    sha256: str

    @property
    def reason(self) -> str:
        """Why it was approved, from what, and what that failed; empty for a results file."""
        found = self.results
        if not isinstance(found, Reference):
            return ""
        failed = f", with {'; '.join(found.failed)}" if found.failed else ""
        return f"{found.why} (from {found.source}{failed})"


def load_earlier(path: str | Path) -> Earlier:
    """Read the pooled scores of a results file, or a reference.

    Raises
    ------
    ResultsError
        As :func:`~pytest_stbench.results.schema.load`, and where a reference was changed by hand.
    """
    path = Path(path)
    content = bytes_of(path)
    digest = hashlib.sha256(content).hexdigest()
    if not is_reference(content):
        return Earlier(path, path.name, pooled_of(path, content), digest)
    reference = read_reference(path, content)
    name = f"{path.name} (approved by {reference.by} on {reference.date[:10]})"
    return Earlier(path, name, reference, digest)
