"""One task file while it runs: data, checks, predictions and scores, each made once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_stbench.calls.contestants import Contestant, Ladder, baseline_contestant, make_ladder
from pytest_stbench.calls.failures import Blocked, CellFailed, NotSupported, blocking, first_line
from pytest_stbench.calls.model_calls import built
from pytest_stbench.calls.trying import tried
from pytest_stbench.errors import DataError, ModelError, SplitError
from pytest_stbench.models.predictions import Place
from pytest_stbench.run.cells import view_id
from pytest_stbench.run.details.writer import TaskKeeper
from pytest_stbench.run.folding import Folding, listed_genes, made_from
from pytest_stbench.run.provenance.slide_depth import GeneDepths
from pytest_stbench.run.quality.check_memo import CheckMemo
from pytest_stbench.run.quality.facts import TruthFacts
from pytest_stbench.run.quality.task_checks import TaskChecks
from pytest_stbench.run.scores.ceilings import Ceiling, anchored, ceilings_of
from pytest_stbench.run.scores.score_memo import scores_of, sums_of_genes
from pytest_stbench.run.scores.scoring import CellScores, Scorer
from pytest_stbench.run.scores.slide_variance import SlideVariance
from pytest_stbench.run.task_reference import TaskReference
from pytest_stbench.run.views import Views
from pytest_stbench.spec.defaults import family_of, methods_of, with_defaults
from pytest_stbench.spec.fingerprint import fingerprint
from pytest_stbench.store.keys import cell_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_stbench.calls.computing import Prediction
    from pytest_stbench.calls.predicting import Predictor
    from pytest_stbench.calls.trying import Trial
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Truth
    from pytest_stbench.registry import Baseline, Registry
    from pytest_stbench.run.cells import Cell, Grid, Pool
    from pytest_stbench.run.details.writer import Keeper
    from pytest_stbench.run.open_dataset import OpenDataset
    from pytest_stbench.spec.model import MetricSpec, TaskFile


class TaskRun:
    """Everything the items of one task file share."""

    def __init__(
        self,
        task: TaskFile,
        grid: Grid,
        metrics: Sequence[MetricSpec],
        registry: Registry,
        *,
        roots: tuple[Path, ...],
        opened: OpenDataset,
        predictor: Predictor,
        keeper: Keeper | None = None,
    ) -> None:
        self.task = task
        self.spec = task.spec
        self.grid = grid
        self.registry = registry
        self.family = family_of(task.spec, registry)
        self.roots = roots
        sets = frozenset(registry.metrics[metric.name].genes for metric in metrics)
        self.reference = TaskReference(task.spec, roots, opened.checksums)
        self._folding = Folding(task.spec, self.family, opened, sets, self.reference)
        self.views = Views(self, opened, self._folding)
        self.truth = TruthFacts(self, metrics)
        self.checking = TaskChecks(self, CheckMemo(self, predictor.store))
        self._predictor = predictor
        self.resolutions = GeneDepths(self, predictor.store)
        self._scorer = Scorer(metrics, registry.metrics)
        self._complete: set[str] = set()
        self._baselines: dict[tuple[str, frozenset[str]], Contestant] = {}
        self._ladders: dict[str, Ladder] = {}
        self._ready: set[tuple[str, str]] = set()
        self._ceilings: dict[str, Mapping[str, Mapping[str, Ceiling]]] = {}
        self._fold: FoldData | None = None
        self._truths: tuple[FoldData, dict[str, Truth]] | None = None
        self._scores: dict[tuple[str, str], CellScores] = {}
        self._remarks: dict[tuple[str, str], tuple[str, ...]] = {}
        self.slide_variance = SlideVariance()
        self._keeper = TaskKeeper(keeper, self) if keeper is not None else None

    def ladder(self, name: str) -> Ladder:
        """Return the yardsticks of a data set."""
        if name not in self._ladders:
            offered = self.views.offered(name)
            self._ladders[name] = make_ladder(self.spec, self.family, offered, self.registry.baselines)
        return self._ladders[name]

    def baseline(self, name: str, dataset: str) -> Contestant:
        """Return a built-in baseline as the model under test. Raises ``ModelError``."""
        key = (name, self.views.offered(dataset))
        if key not in self._baselines:
            self._baselines[key] = baseline_contestant(name, self.family, key[1], self.registry.baselines)
        return self._baselines[key]

    def listed_genes(self, name: str) -> tuple[str, ...] | None:
        """Return the genes the task file lists for a data set; None where they are chosen on slides."""
        return listed_genes(self.spec.preprocess, self.spec.datasets[name], self.roots)

    def require_data(self, cell: Cell | Pool) -> None:
        """Open the data and run the checks that can hold back the cell.

        Raises ``DataMissing`` (a skip) and ``Blocked``.
        """
        try:
            self.views.dataset(cell.view)
            _ = self.reference.path
            self.checking.require(cell)
        except DataError as error:
            raise Blocked(cause=f"data[{cell.view}]", detail=str(error)) from None

    def require_method(self, contestant: Contestant) -> None:
        """Raise ``NotSupported`` when the model has no method for the family.

        Raises ``Blocked`` when it cannot be built, or says something impossible of itself.
        """
        wanted = methods_of(self.spec, self.family)
        if contestant.files is not None and contestant.key not in self._complete:
            mark = fingerprint(with_defaults(self.spec, self.registry)).digest
            cells = [cell for pool in self.grid.pools for cell in pool.cells]
            try:
                contestant.files.check(
                    self.spec.name, mark, [(self.place(cell), cell.fold.test) for cell in cells]
                )
            except ModelError as error:
                raise Blocked(cause=f"predictions:{contestant.label}", detail=str(error)) from None
            self._complete.add(contestant.key)
        methods: frozenset[str] = built(
            contestant.label, lambda: contestant.handle.methods, self.spec.timeout
        )
        if not methods.intersection(wanted):
            which = " or ".join(wanted)
            message = f"{contestant.label} has no method {which}, which the family {self.family.name} asks"
            raise NotSupported(message)

    def fold(self, cell: Cell) -> FoldData:
        """Return the fold of a cell. Raises ``Blocked`` when it cannot be made from the data."""
        try:
            fold = self._folding.fold(cell, self.views.dataset(cell.view), self.roots)
        except (DataError, SplitError) as error:
            raise Blocked(cause=f"data[{cell.id}]", detail=str(error)) from None
        if fold is not self._fold:
            # Items come sorted by fold, and what was predicted is scored at once.
            self._predictor.forget()
            self._fold = fold
        return fold

    def prediction(self, contestant: Contestant, cell: Cell) -> Prediction:
        """Return the prediction of a model for a cell. Raises ``CellFailed``."""
        fold = self.fold(cell)
        label = f"{contestant.label} {self.spec.name} {cell.id}"
        if contestant.files is not None:
            return self._predictor.from_files(contestant, fold, self.place(cell), label)
        group, timeout = f"{self.spec.name} {cell.pool}", self.spec.timeout
        return self._predictor.model(contestant, fold, self._key(cell, fold), label, timeout, group=group)

    def tried(self, contestant: Contestant, cell: Cell) -> Trial:
        """Return what a model takes of some units of a cell, and what all cells of its pool will take."""
        alike = sum(len(pool.cells) for pool in self.grid.pools if cell in pool.cells)
        label = f"{contestant.label} {self.spec.name} {cell.id}"
        return tried(contestant, self.fold(cell), label, self.spec.timeout, alike)

    def _key(self, cell: Cell, fold: FoldData) -> Callable[[str], str]:
        parts = self._parts(cell, fold)
        return lambda model: cell_key({**parts, "seed": cell.seed, "model": model})

    def place(self, cell: Cell) -> Place:
        """Return where predictions of a cell stand in a folder of files."""
        view = view_id(cell.dataset, cell.variant)
        seed = cell.seed if cell.seed_in_id else None
        return Place(task=self.spec.name, view=view, split=cell.split, fold=cell.fold.name, seed=seed)

    def _parts(self, cell: Cell, fold: FoldData) -> dict[str, object]:
        data, atlas = self.views.dataset(cell.view).checksum, self.reference.identity
        return made_from(self.spec, cell, fold, data, atlas, self.reference.files)

    def ceilings(self, cell: Cell) -> Mapping[str, Mapping[str, Ceiling]]:
        """Return the ceiling of every metric on the test slides of a cell, whatever its seed."""
        if cell.whole_fold not in self._ceilings:
            fold = self.fold(cell)
            truths, parts = partial(self.truths_of, cell, fold), self._parts(cell, fold)
            found = ceilings_of(self._scorer, self._predictor.store, fold, truths, parts)
            self._ceilings[cell.whole_fold] = found
            if self._keeper is not None:
                self._keeper.ceilings(cell, found)
        return self._ceilings[cell.whole_fold]

    def run_baseline(self, record: Baseline, cell: Cell) -> Prediction:
        """Return the prediction of a baseline of the ladder. Raises ``CellFailed``."""
        if record.kind == "diagnostic":
            fold = self.fold(cell)
            return self._predictor.diagnostic(record, fold, f"{record.name} {cell.id}", self._key(cell, fold))
        return self.prediction(self.baseline(record.name, cell.dataset), cell)

    def scores(self, contestant: Contestant, cell: Cell) -> CellScores:
        """Return the scores of a model on a cell; controls of its prediction are scored with it.

        Raises ``CellFailed``.
        """
        key = (contestant.key, cell.id)
        if key not in self._scores:
            try:
                prediction = self.prediction(contestant, cell)
            except CellFailed as error:
                if self._keeper is not None:
                    self._keeper.unanswered(contestant, cell, first_line(error))
                raise
            self.adopt(contestant, cell, prediction)
        return self._scores[key]

    def adopt(self, contestant: Contestant, cell: Cell, prediction: Prediction) -> None:
        """Score a prediction as that of a contestant, and the controls of it."""
        for record in self.ladder(cell.dataset).controls:
            control = self._predictor.control(record, prediction, record.name)
            who = ("control", f"{record.name}({contestant.label})")
            self._scores[f"{record.name} {contestant.key}", cell.id] = self._score(cell, control, who)
        self._scores[contestant.key, cell.id] = self._score(cell, prediction, ("model", contestant.label))
        self._remarks[contestant.key, cell.id] = prediction.remarks

    def contract(self, contestant: Contestant, cell: Cell) -> tuple[str, ...]:
        """Return the remarks on a model that met its contract. Raises ``CellFailed``.

        The cell is scored at once: its prediction leaves memory with the fold.
        """
        self.scores(contestant, cell)
        return self._remarks[contestant.key, cell.id]

    def baseline_scores(self, record: Baseline, cell: Cell) -> CellScores:
        """Return the scores of a baseline on a cell; the seed of a model does not concern it."""
        key = (f"baseline {record.name}", cell.whole_fold)
        if key not in self._scores:
            prediction = self.run_baseline(record, cell)
            self._scores[key] = self._score(cell, prediction, ("baseline", record.name))
        return self._scores[key]

    def control_scores(self, record: Baseline, contestant: Contestant, cell: Cell) -> CellScores:
        """Return the scores of a transformation of the model's own predictions."""
        self.scores(contestant, cell)
        return self._scores[f"{record.name} {contestant.key}", cell.id]

    def forget(self) -> None:
        """Drop what only items of this task need; scores stay."""
        self._folding.forget()
        self._fold = None
        self._truths = None
        self.views.forget()

    def _score(self, cell: Cell, prediction: Prediction, who: tuple[str, str]) -> CellScores:
        fold, store = self.fold(cell), self._predictor.store
        truths, parts = partial(self.truths_of, cell, fold), {**self._parts(cell, fold), "seed": cell.seed}
        self.slide_variance.note(cell.pool, cell.whole_fold, lambda: sums_of_genes(store, truths, parts))
        keep = None if self._keeper is None else partial(self._keeper.scores, cell, who)
        return scores_of(self._scorer, store, truths, prediction, parts, keep)

    def truths_of(self, cell: Cell, fold: FoldData) -> dict[str, Truth]:
        """Return the truth of each test slide of a fold, with what scores are read against."""
        if self._truths is None or self._truths[0] is not fold:
            truths, parts = {s.meta.slide_id: fold.truth(s) for s in fold.test}, self._parts(cell, fold)
            self._truths = (fold, anchored(self._scorer, self._predictor.store, fold, truths, parts))
        return self._truths[1]

    def ready(self, contestant: Contestant, cell: Cell) -> None:
        """Predict and score a cell for the model and its whole ladder.

        Raises ``Blocked`` with the item that failed: the contract, or the baselines.
        """
        if (key := (contestant.key, cell.id)) in self._ready:
            return
        ladder = self.ladder(cell.dataset)
        self.ready_model(contestant, cell)
        cause = f"baselines[{cell.id}]"
        if ladder.missing:
            raise Blocked(cause=cause, detail=f"{ladder.missing[0][0]}: {ladder.missing[0][1]}")
        for record in ladder.baselines:
            self.ready_baseline(record, cell)
        with blocking(cause):
            self.ceilings(cell)
        if self._keeper is not None:
            self._keeper.maps(contestant, cell, self.truths_of(cell, self.fold(cell)))
        self._ready.add(key)

    def ready_model(self, contestant: Contestant, cell: Cell) -> None:
        """Predict and score a cell for the model alone. Raises ``Blocked`` with the contract that failed."""
        with blocking(f"contract[{contestant.label}, {cell.id}]"):
            self.scores(contestant, cell)

    def ready_baseline(self, record: Baseline, cell: Cell) -> None:
        """Predict and score a cell for one baseline. Raises ``Blocked`` with the item of baselines."""
        with blocking(f"baselines[{cell.id}]"):
            self.baseline_scores(record, cell)
