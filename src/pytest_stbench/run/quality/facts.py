"""What a check may ask for by the name of a parameter: every public attribute of the facts of its scope.

What is costly is made when it is asked for; facts that are functions are made when the check calls them.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.calls.contestants import runnable
from pytest_stbench.calls.failures import Blocked
from pytest_stbench.checks.measured import NothingToScore
from pytest_stbench.checks.subject import is_whole_transcriptome
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.families.predicted_expression import ExpressionTruth
from pytest_stbench.run.cells import patient_of, view_parts
from pytest_stbench.run.scores.scoring import Scorer
from pytest_stbench.spec import TASK_SUFFIX
from pytest_stbench.spec.defaults import (
    asked_settings,
    baselines_of,
    metrics_of,
    preprocess_of,
    primary_of,
    settings_of,
)
from pytest_stbench.splits.table import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_stbench.data.dataset import Dataset
    from pytest_stbench.registry import Catalogue, Family, Metric
    from pytest_stbench.run.cells import Cell, Pool
    from pytest_stbench.run.quality.scored_view import MeasuredSlides
    from pytest_stbench.run.task_run import TaskRun
    from pytest_stbench.spec.model import MetricSpec

LABELLING = frozenset({"predict_labels", "predict_proportions", "embed"})
_FAMILY = re.compile(r"^family:\s*['\"]?([\w-]+)", re.MULTILINE)

SETS = frozenset({"communication", "markers"})
"""Sets of genes of which tissue must show enough: active pairs, candidates for lists."""

Accounts = dict[str, dict[str, dict[str, int]]]
"""Metric -> slide -> reason -> number of scores, the empty reason for those with a value."""


def names_of(facts: object) -> set[str]:
    """Return the names of all facts of a scope, without making them."""
    return {name for name in dir(facts) if not name.startswith("_")}


class DatasetFacts:
    """A view of a data set, and how the task scores it."""

    def __init__(self, run: TaskRun, view: str) -> None:
        name, variant = view_parts(view)
        self._run, self._view, self._name = run, view, name
        self.claim = run.spec.claim
        self.folds = [fold for pool in run.grid.of(name) for fold in pool.folds]
        self.unit_filter = preprocess_of(run.spec, variant).filter
        self.depth_adjusted = any(metric.group == "depth_adjusted" for metric in _metrics(run))
        self.allowed = run.family.resolutions
        self.primary = primary_of(run.spec, run.family)
        self.given = run.family.inputs
        own = asked_settings(run.spec, run.family)
        self.regions = own.regions if own else ""
        self.domains = own.domains_of_expression if own else 0
        self.silver = own is not None and own.silver
        self.raw = lambda: run.views.raw(view)
        self.perfect = lambda: run.truth.perfect(view)

    @property
    def dataset(self) -> Dataset:
        """The view, open."""
        return self._run.views.dataset(self._view)

    @property
    def every_gene(self) -> bool:
        """Whether all genes of a whole transcriptome are asked."""
        _, variant = view_parts(self._view)
        every = preprocess_of(self._run.spec, variant).genes.select == "all"
        return every and is_whole_transcriptome(self.dataset.config.panel, len(self.dataset.genes))

    @property
    def measured(self) -> MeasuredSlides:
        """Its slides as they are scored."""
        return self._run.views.measured(self._view)

    @property
    def task_genes(self) -> tuple[str, ...] | None:
        """The genes that the task file lists; None where they are chosen on training slides."""
        return self._run.listed_genes(self._name)

    @property
    def label_slides(self) -> Sequence[str]:
        """Slides of which there are labels and nothing else."""
        return self.dataset.labels_without_slide

    @property
    def notes(self) -> Mapping[str, Mapping[str, int]]:
        """What reading it came upon, counted: note -> slide -> number."""
        return self.dataset.notes


class SplitFacts:
    """One split of a data set."""

    def __init__(self, run: TaskRun, pool: Pool) -> None:
        self._run = run
        self.dataset = pool.dataset
        self.split = pool.split
        self.grouped = pool.split != "within"
        self.folds = pool.folds
        self.samples = run.grid.samples[pool.dataset]
        self.config = run.spec.datasets[pool.dataset]
        self.genes = preprocess_of(run.spec).genes
        own = asked_settings(run.spec, run.family)
        self.predicted = run.family.method in LABELLING and not (own and own.domains_of_expression)

    @property
    def subject(self) -> Dataset:
        """The data set, open."""
        return self._run.views.dataset(self.dataset)


class SuiteFacts:
    """All data sets of a task; of one that is not on this machine, what is declared."""

    def __init__(self, run: TaskRun) -> None:
        self._run = run
        self.scope = run.spec.scope
        self.suite = {
            name: run.grid.samples[name]
            or (
                Sample(
                    slide=name, site=config.site, technology=config.technology, panel=config.panel,
                    corpus=config.corpus, organ=config.organ,
                ),
            )
            for name, config in run.spec.datasets.items()
        }  # fmt: skip


class TaskFacts(SuiteFacts):
    """A task file, what it asks, and whether its data sets can answer."""

    def __init__(self, run: TaskRun) -> None:
        super().__init__(run)
        spec, family = run.spec, run.family
        self.family = family.name
        self._own = settings_of(spec, family)
        self.trivial, self.simple = family.trivial, family.simple
        self.metrics = {metric.name: metric.group for metric in _metrics(run)}
        self.declared = baselines_of(spec, family)
        self.atlas = run.reference.atlas
        self.tested_patients = {
            patient
            for name in spec.datasets
            for pool in run.grid.of(name)
            for slide in pool.test_slides
            if (patient := patient_of(run.grid, name).get(slide)) is not None
        }
        self.classes = lambda: {name: run.truth.classes(name) for name in spec.datasets}

    @property
    def families(self) -> set[str]:
        """The ids of the families of all task files of its folder."""
        return {self._run.family.id, *families_of_folder(self._run.task.path, self._run.registry.families)}

    @property
    def available(self) -> dict[str, tuple[str, ...]]:
        """The baselines that can run on each data set."""
        run = self._run
        offered = {name: run.views.offered(name) for name in run.spec.datasets}
        return {
            name: tuple(b.name for b in run.registry.baselines if runnable(b, run.family, facts))
            for name, facts in offered.items()
        }

    @property
    def wanted(self) -> frozenset[str]:
        """The sets of genes that the task looks at."""
        wanted: frozenset[str] = frozenset(metric.genes for metric in _metrics(self._run))
        wanted = self._own.gene_sets(wanted) if self._own else wanted
        return wanted | {self._run.spec.preprocess.genes.select} & {"signatures"}

    @property
    def named(self) -> frozenset[str] | None:
        """The signatures that are asked by name, None for all of the package."""
        return self._own.named_signatures if self._own else None

    @property
    def genes(self) -> dict[str, frozenset[str]]:
        """The genes of every data set that can be read; of others, the checks of their own tell."""
        return dict(self._genes())

    def _genes(self) -> Iterator[tuple[str, frozenset[str]]]:
        for name in self._run.spec.datasets:
            with suppress(DataMissing, DataError):
                yield name, frozenset(map(str, self._run.views.dataset(name).genes.tolist()))


class TestedFacts(SuiteFacts):
    """A model under test, and the slides that it is tested on."""

    def __init__(self, run: TaskRun, model: str) -> None:
        super().__init__(run)
        self.model = model
        self.tested = {
            name: {slide for pool in run.grid.of(name) for slide in pool.test_slides}
            for name in run.spec.datasets
        }


class TruthFacts:
    """Asks the folds of a task for what checks want to know of the truth."""

    def __init__(self, run: TaskRun, metrics: Sequence[MetricSpec]) -> None:
        self._run = run
        catalogue = run.registry.metrics
        of_sets = [metric for metric in metrics if catalogue[metric.name].genes in SETS]
        self._scorer = Scorer(of_sets, catalogue)

    def perfect(self, view: str) -> Accounts:
        """Return the account of what true expression scores against itself on the first split of a view.

        Of the metrics of niches and ligand-receptor pairs; of questions that are not answered by
        expression, nothing. Raises ``NothingToScore``.
        """
        found: Accounts = {name: {} for name in self._scorer.names}
        if not found:
            return found
        pool = next(pool for pool in self._run.grid.of(view_parts(view)[0]) if pool.view == view)
        cells: dict[str, Cell] = {}
        for cell in pool.cells:
            cells.setdefault(cell.fold.name, cell)
        for cell in cells.values():
            try:
                truths = self._run.truths_of(cell, self._run.fold(cell))
            except Blocked as error:
                raise NothingToScore(error.detail) from None
            for slide, truth in truths.items():
                if isinstance(truth, ExpressionTruth):
                    # Not measured is nan in truth, and a prediction must be finite.
                    itself = {slide: np.nan_to_num(truth.values)}
                    for name, value in self._scorer.slide(truth, itself).items():
                        found[name][slide] = {"": value.n_valid, **value.undefined}
        return found

    def classes(self, name: str) -> tuple[str, ...]:
        """Return the classes of the first fold of a data set; none where it cannot be made."""
        cell = next((cell for pool in self._run.grid.of(name) for cell in pool.cells), None)
        with suppress(Blocked, DataMissing):
            return self._run.fold(cell).task.classes if cell else ()
        return ()


Facts = DatasetFacts | SplitFacts | SuiteFacts


def families_of_folder(path: Path, families: Catalogue[Family]) -> frozenset[str]:
    """Return the ids of the families of the task files in the folder of `path`; they are not loaded."""
    found = set()
    for file in path.parent.glob(f"*{TASK_SUFFIX}"):
        match = _FAMILY.search(file.read_text(encoding="utf-8", errors="replace"))
        if match and match[1] in families:
            found.add(families[match[1]].id)
    return frozenset(found)


def _metrics(run: TaskRun) -> list[Metric]:
    return [run.registry.metrics[metric.name] for metric in metrics_of(run.spec, run.family)]
