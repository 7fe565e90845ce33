"""Results of checks, kept in the store: data that did not change are not judged twice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_stbench.checks.result import CheckResult, Finding
from pytest_stbench.data.roots import resolve_one
from pytest_stbench.errors import StbenchError
from pytest_stbench.models.identity import json_digest
from pytest_stbench.run.cells import view_parts
from pytest_stbench.spec.fingerprint import gene_files
from pytest_stbench.store.keys import code_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.registry import Check
    from pytest_stbench.run.cells import Pool
    from pytest_stbench.run.task_run import TaskRun
    from pytest_stbench.store.store import Store

KIND = "checks"
CODE = ("calls", "checks", "metrics", "run", "spec", "store")
SCOPES = ("dataset", "split")
BESIDE = frozenset({"title", "checks", "gates", "xfail", "timeout", "model", "marks"})
"""What a task file says that no check of data looks at; thresholds are part of the key as they hold."""


class CheckMemo:
    """The results of the checks of one task that look at slides."""

    def __init__(self, run: TaskRun, store: Store) -> None:
        self._run = run
        self._store = store
        self._places: dict[tuple[str, str], str] = {}

    def key(self, record: Check, view: str, pool: Pool | None, params: Mapping[str, Any]) -> str | None:
        """Return the key of a result, everything it depends on; None where it is not kept."""
        if record.scope not in SCOPES or record.needs != "slides":
            return None
        place = (view, pool.id if pool else "")
        try:
            if place not in self._places:
                self._places[place] = self._place(view, pool)
            return json_digest(
                {"place": self._places[place], "check": [record.name, record.target], "params": dict(params)}
            )
        except (TypeError, ValueError, OSError, StbenchError):
            # Thresholds that JSON has no form for, or files that cannot be read: the check tells of them.
            return None

    def _place(self, view: str, pool: Pool | None) -> str:
        dataset = self._run.views.dataset(view)
        name = view_parts(view)[0]
        folds = [[other.id, [asdict(fold) for fold in other.folds]] for other in self._run.grid.of(name)]
        return json_digest(
            {
                "task": self._task,
                "view": view,
                "pool": pool.id if pool else None,
                "data": dataset.checksum,
                # Tables of labels of slides that are not in the data set are in no checksum of it.
                "labels": list(dataset.labels_without_slide),
                "samples": [asdict(sample) for sample in self._run.grid.samples[name]],
                "folds": folds,
                "code": code_version(*CODE),
            }
        )

    @cached_property
    def _task(self) -> dict[str, Any]:
        said = self._run.spec.model_dump(mode="json", exclude=set(BESIDE))
        files = {
            path: hashlib.sha256(resolve_one(path, self._run.roots).read_bytes()).hexdigest()
            for path in gene_files(self._run.spec)
        }
        return {"said": said, "files": files}

    def recall(self, key: str) -> CheckResult | None:
        """Return what was kept under `key`, None where nothing was."""
        return self._store.recall(KIND, key, read)

    def keep(self, key: str, result: CheckResult) -> CheckResult:
        """Keep a result; return it as :meth:`recall` will, so that later runs tell the same to the byte."""
        try:
            written = json.loads(json.dumps(asdict(result)))
        except (TypeError, ValueError):
            return result  # details of somebody's check that JSON has no form for
        self._store.remember(KIND, key, written)
        return read(written)


def read(kept: Mapping[str, Any]) -> CheckResult:
    """Return a result from what JSON made of it."""
    findings = tuple(Finding(**_tuples(found)) for found in kept["findings"])
    return CheckResult(**{**_tuples(kept), "findings": findings})


def _tuples(kept: Mapping[str, Any]) -> dict[str, Any]:
    return {**kept, "slides": tuple(kept["slides"]), "genes": tuple(kept["genes"])}
