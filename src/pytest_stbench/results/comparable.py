"""Whether two runs may be compared, and which of their scores belong together."""

from __future__ import annotations

import hashlib
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import ResultsError
from pytest_stbench.spec.numbers import moves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_stbench.results.provenance import DatasetRecord, LockRecord, TaskRecord
    from pytest_stbench.results.record import ScoreRecord
    from pytest_stbench.results.reference import FoldReference, Reference
    from pytest_stbench.results.schema import Results

THERE = "in the stored run"


def why_not_comparable(
    task: TaskRecord,
    datasets: Iterable[DatasetRecord],
    stored: Results | Reference,
    lock: Iterable[LockRecord] = (),
    *,
    there: str = THERE,
) -> list[str]:
    """Return every reason not to compare a run with a stored one; empty when they compare.

    Parameters
    ----------
    task
        The task of the current run.
    datasets
        Its data sets; those of other tasks are passed over.
    stored
        The stored run.
    lock
        The folds of the current run; a fold is judged when both runs hold it.
    there
        How the stored run is called.

    Returns
    -------
    list of str
        One line a difference: numbers that moved between builds, version, family and parts of the fingerprint
        (``preprocess.normalise``), checksums, patients of slides, slides and genes of folds.
    """
    before = next((other for other in stored.tasks if other.key == task.key), None)
    if before is None:
        known = ", ".join(sorted(other.name for other in stored.tasks)) or "none"
        return [f"the stored run has no task {task.name} (tasks there: {known})"]
    reasons = task_differences(task, before, there=there)
    known_datasets = {dataset.key: dataset for dataset in stored.datasets}
    for dataset in datasets:
        if dataset.task != task.name:
            continue
        if dataset.key not in known_datasets:
            reasons.append(f"data set {dataset.name}: not {there}")
            continue
        differences = dataset_differences(dataset, known_datasets[dataset.key], there=there)
        reasons += [f"data set {dataset.name}: {line}" for line in differences]
    known_folds = {fold.key: fold for fold in stored.lock}
    for fold in lock:
        if fold.task == task.name and fold.key in known_folds:
            name = "-".join(part for part in (fold.dataset, fold.variant, fold.split, fold.fold) if part)
            differences = _fold_differences(fold, known_folds[fold.key], there)
            reasons += [f"fold {name}: {line}" for line in differences]
    return reasons


def task_differences(current: TaskRecord, stored: TaskRecord, *, there: str = THERE) -> list[str]:
    """Return what differs between two records of one task: moved numbers first, then parts by name."""
    families = (current.family, current.wraps)
    lines = moves(current.numbers, stored.numbers, families, there=there)
    lines += [
        f"{name} {here!r} here, {before!r} {there}"
        for name, here, before in (
            ("version", current.version, stored.version),
            ("family", current.family, stored.family),
        )
        if here != before
    ]

    def part(name: str, here: str | None, before: str | None) -> str:
        # The digests would tell nobody anything.
        if before is None:
            return f"{name} is set here and not {there}"
        return f"{name} is set {there} and not here" if here is None else f"{name} differs from that {there}"

    lines += _mapping_differences(current.fingerprint_parts, stored.fingerprint_parts, part)
    if not lines and current.fingerprint != stored.fingerprint:
        lines.append(
            f"fingerprint {current.fingerprint} here, {stored.fingerprint} {there}, with equal parts: "
            "another version of pytest-stbench or of a file the task names"
        )
    return lines


def dataset_differences(current: DatasetRecord, stored: DatasetRecord, *, there: str = THERE) -> list[str]:
    """Return what differs between two records of one data set: checksum, patients of slides."""

    def patient(slide: str, here: str | None, before: str | None) -> str:
        ours, theirs = ("absent" if who is None else _short(who) for who in (here, before))
        return f"patient of slide {slide}: {ours} here, {theirs} {there}"

    lines = _mapping_differences(current.patients, stored.patients, patient)
    if current.checksum != stored.checksum:
        lines.insert(0, f"checksum {current.checksum} here, {stored.checksum} {there}")
    return lines


class Counterparts:
    """Which score of a stored run each score of another one is to be compared with."""

    def __init__(self, stored: Results | Reference) -> None:
        self._by_place: dict[tuple[Any, ...], dict[str, ScoreRecord]] = {}
        self._models: dict[str, set[str]] = {}
        for score in stored.scores:
            self._by_place.setdefault(_place(score), {})[score.model] = score
            self._models.setdefault(score.role, set()).add(score.model)

    def of(self, score: ScoreRecord) -> ScoreRecord | None:
        """Return the counterpart of `score`.

        It is that of the model of the same name, else of the only model under test in the stored run
        (a release may carry a new name); None when this metric was not measured there.

        Raises
        ------
        ResultsError
            When the stored run holds several models and none has the name.
        """
        found = self._by_place.get(_place(score), {})
        if score.model in found:
            return found[score.model]
        models = self._models.get(score.role, set())
        if score.model in models:
            return None
        if len(models) > 1:
            names = ", ".join(sorted(models))
            raise ResultsError(
                f"the stored run has no model {score.model} but several others ({names}): "
                "compare with a file that holds one model, or give the model the name it has there"
            )
        return next(iter(found.values()), None)


_place = attrgetter("task", "dataset", "variant", "split", "fold", "seed", "role", "metric")


def _mapping_differences(
    current: Mapping[str, str], stored: Mapping[str, str], said: Callable[[str, str | None, str | None], str]
) -> list[str]:
    """Return what is `said` of each name whose values differ: here and there, None where one has none."""
    names = sorted(current.keys() | stored.keys())
    values = ((name, current.get(name), stored.get(name)) for name in names)
    return [said(name, here, before) for name, here, before in values if here != before]


def gene_set(genes: Iterable[str]) -> str:
    """Return a digest of a set of genes."""
    text = "\n".join(sorted(set(genes)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _fold_differences(current: LockRecord, stored: LockRecord | FoldReference, there: str) -> list[str]:
    kinds = [
        ("training slides", current.train, stored.train),
        ("test slides", current.test, stored.test),
    ]
    genes = []
    if not isinstance(stored.genes, str):
        kinds.append(("genes", current.genes, stored.genes))
    elif gene_set(current.genes) != stored.genes:
        known = getattr(stored, "n_genes", "some")
        genes = [f"genes: {len(set(current.genes))} here, another set of {known} {there}"]
    return [
        *(
            f"{kind}: {_set_difference(here, before, there)}"
            for kind, here, before in kinds
            if set(here) != set(before)
        ),
        *genes,
    ]


def _set_difference(current: Sequence[str], stored: Sequence[str], there: str) -> str:
    parts = []
    for label, names in (
        ("only here", sorted(set(current) - set(stored))),
        (f"only {there}", sorted(set(stored) - set(current))),
    ):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            parts.append(f"{label} {', '.join(names[:5])}{more}")
    return ", ".join(parts)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
