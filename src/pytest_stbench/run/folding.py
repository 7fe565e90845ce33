"""Folds made ready: filtered slides of both sides, genes chosen and scales fitted on training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_stbench.data.align import current_symbols
from pytest_stbench.data.gene_lists import read_gene_list
from pytest_stbench.data.inputs import TaskInfo
from pytest_stbench.data.later import Later
from pytest_stbench.data.roots import resolve_one
from pytest_stbench.errors import DataError
from pytest_stbench.families.fold import FoldData
from pytest_stbench.families.question import FamilySettings, Plan, question_of, refuse_unless
from pytest_stbench.models.identity import json_digest
from pytest_stbench.preprocess.blocks import within_masks
from pytest_stbench.preprocess.fitted import fit_preprocess, fit_scale
from pytest_stbench.spec.defaults import IMPUTATION, asked_settings, preprocess_of, settings_of
from pytest_stbench.spec.fingerprint import prediction_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_stbench.data.dataset import Dataset
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.question import Question
    from pytest_stbench.preprocess.fitted import FittedPreprocess
    from pytest_stbench.registry import Family
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.open_dataset import OpenDataset
    from pytest_stbench.run.task_reference import TaskReference
    from pytest_stbench.spec.model import DatasetSpec, PreprocessSpec, TaskSpec
    from pytest_stbench.splits.table import Fold


class Folding:
    """Builds the folds of one task; keeps the latest, since items come sorted by cell.

    `sets` names the sets of genes that the metrics of the task look at.
    """

    def __init__(
        self,
        spec: TaskSpec,
        family: Family,
        opened: OpenDataset,
        sets: frozenset[str] = frozenset(),
        reference: TaskReference | None = None,
    ) -> None:
        self._reference = reference
        self._spec = spec
        self._family = family
        self._sets = sets
        self._question = question_of(family)
        self._opened = opened
        self._key: tuple[str, str, Fold] | None = None
        self._fold: FoldData | None = None

    def fold(self, cell: Cell, dataset: Dataset, roots: Sequence[Path]) -> FoldData:
        """Return the fold of `cell`; for another seed alone nothing is fitted again."""
        key = (cell.dataset, cell.variant, cell.fold)
        if self._fold is None or key != self._key:
            self._fold = None
            self._fold = self._build(cell, dataset, roots)
            self._key = key
        if self._fold.task.seed != cell.seed:
            self._fold = replace(self._fold, task=replace(self._fold.task, seed=cell.seed))
        return self._fold

    def forget(self) -> None:
        """Drop the fold in memory."""
        self._fold = self._key = None

    def choose(
        self,
        train: Sequence[Slide],
        config: DatasetSpec,
        variant: str,
        roots: Sequence[Path],
        sets: frozenset[str] = frozenset(),
    ) -> tuple[Question, Plan, FittedPreprocess]:
        """Return what is asked of the training slides of a data set, and what was fitted on them.

        Raises ``DataError`` when no gene is left.
        """
        preprocess = preprocess_of(self._spec, variant or None)
        question = self._question(self._settings(config, roots))
        plan = question.plan(train)
        refuse_unless(isinstance(plan, Plan), plan, question, "plan", "Plan")
        if plan.candidates is None:
            return question, plan, fit_scale(train, preprocess)
        fitted = fit_preprocess(
            train,
            preprocess,
            candidates=plan.candidates,
            names=listed_genes(preprocess, config, roots),
            chosen=plan.asked,
            sets=sets,
            communication=plan.communication,
            statistics=self._opened.statistics,
        )
        return question, plan, fitted

    def _build(self, cell: Cell, dataset: Dataset, roots: Sequence[Path]) -> FoldData:
        unit_filter = preprocess_of(self._spec, cell.variant or None).filter
        train, test = fold_sides(cell.fold, lambda name: self._opened.filtered(dataset, name, unit_filter))
        question, plan, fitted = self.choose(train, dataset.config, cell.variant, roots, self._sets)
        resolutions = {slide.meta.resolution for slide in test}
        return FoldData(
            task=TaskInfo(
                name=self._spec.name,
                family=self._family.name,
                genes=fitted.genes,
                observed_genes=tuple(str(gene) for gene in dataset.genes[plan.observed]),
                normalise=fitted.normalise,
                target_sum=fitted.target_sum,
                seed=cell.seed,
                resolution=resolutions.pop() if len(resolutions) == 1 else None,
                classes=plan.classes,
                reference=self._reference.given if self._reference else None,
                gene_ids=Later(lambda: dict(dataset.ensembl_ids)),
                device=self._opened.machine.device,
                n_jobs=self._opened.machine.n_jobs,
            ),
            question=question,
            fitted=fitted,
            observed=plan.observed,
            train=train,
            test=test,
            counted={**plan.counted, **fitted.counted},
        )

    def _settings(self, config: DatasetSpec, roots: Sequence[Path]) -> FamilySettings:
        asked = self._asked(config, roots)
        if self._family.wraps is None:
            return asked
        own = settings_of(self._spec, self._family)
        return FamilySettings(own=own, wraps=self._family.wraps, inner=asked)

    def _asked(self, config: DatasetSpec, roots: Sequence[Path]) -> FamilySettings:
        """Return the settings of what models are asked."""
        own = asked_settings(self._spec, self._family)
        imputation = self._spec.block(IMPUTATION)
        settings = FamilySettings(
            own=own,
            imputes=imputation is not None,
            resolve=lambda file: resolve_one(file, roots),
            named=lambda names: _named(names, config),
        )
        if imputation is not None and imputation.observed is not None:
            names = imputation.observed.names or _read(imputation.observed.file, roots)
            return replace(settings, observed=_named(names, config))
        if imputation is not None and imputation.hide is not None:
            return replace(settings, hide_folds=imputation.hide.folds, hide_fold=imputation.hide.fold)
        return settings


def made_from(
    spec: TaskSpec,
    cell: Cell,
    fold: FoldData,
    checksum: str,
    reference: str | None = None,
    files: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Return what a fold is made from, JSON-safe; `checksum` is that of its data set.

    `reference` stands for the atlas that models are given, if there is one, `files` has the digests of what
    settings of families name.
    """
    asked = {
        "asked": list(fold.genes), "observed": list(fold.task.observed_genes),
        "classes": list(fold.task.classes), "further": fold.question.identity(fold),
    }  # fmt: skip
    return {
        "task": prediction_parts(spec, cell.dataset, cell.variant or None),
        "dataset": checksum,
        "train": list(cell.fold.train),
        "test": list(cell.fold.test),
        "blocks": {**cell.fold.params, "seed": cell.fold.seed} if cell.fold.within else None,
        "genes": json_digest(asked),
        **({"reference": reference} if reference else {}),
        **({"files": dict(files)} if files else {}),
    }


def fold_sides(fold: Fold, read: Callable[[str], Slide]) -> tuple[tuple[Slide, ...], tuple[Slide, ...]]:
    """Return the training and the test slides of a fold; `read` gives a filtered slide by its id.

    Raises ``DataError`` when a side has no unit.
    """
    if not fold.within:
        train = [read(name) for name in fold.train]
        test = [read(name) for name in fold.test]
        return _with_units(train, fold, "training"), _with_units(test, fold, "test")
    train, test = [], []
    for slide in (read(name) for name in fold.test):
        in_train, in_test = within_masks(
            slide.xy_um,
            block_um=fold.params["block_um"],
            gap_um=fold.params["gap_um"],
            test_share=fold.params["test_share"],
            seed=fold.seed,
        )
        train.append(slide.select(in_train))
        test.append(slide.select(in_test))
    return _with_units(train, fold, "training"), _with_units(test, fold, "test")


def listed_genes(
    preprocess: PreprocessSpec, config: DatasetSpec, roots: Sequence[Path]
) -> tuple[str, ...] | None:
    """Return the genes a task file lists, named as in the data set `config`.

    None where they are chosen on training slides.
    """
    genes = preprocess.genes
    if genes.select != "list":
        return None
    return _named(genes.names or _read(genes.file, roots), config)


def _named(names: Sequence[str], config: DatasetSpec) -> tuple[str, ...]:
    """Return `names` as the data set has them: a list may be older than the data, or the other way."""
    return tuple(dict.fromkeys(current_symbols(names))) if config.aliases else tuple(names)


def _read(file: str | None, roots: Sequence[Path]) -> tuple[str, ...]:
    if file is None:
        raise DataError("a list of genes needs `names` or `file`")
    return read_gene_list(resolve_one(file, roots))


def _with_units(slides: Sequence[Slide], fold: Fold, side: str) -> tuple[Slide, ...]:
    """Slides that kept units; a side that kept none cannot be used."""
    kept = tuple(slide for slide in slides if slide.n_units)
    if not kept:
        raise DataError(
            f"fold {fold.name}: no unit of the {side} slides passes `preprocess.filter`: lower its thresholds"
        )
    return kept
