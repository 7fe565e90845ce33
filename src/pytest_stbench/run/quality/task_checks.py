"""Data-quality checks of one task: run once, remembered, and what each failure holds back."""

from __future__ import annotations

import contextlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_stbench.calls.contestants import runnable
from pytest_stbench.calls.failures import Blocked
from pytest_stbench.checks.result import WITHHOLDS, CheckResult
from pytest_stbench.checks.run import params_of, run_check
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.index import loaded
from pytest_stbench.models.identity import AS_GIVEN
from pytest_stbench.run.cells import view_parts
from pytest_stbench.spec.defaults import baselines_of, metrics_of, preprocess_of, primary_of
from pytest_stbench.splits.table import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pytest_stbench.checks.measured import Measured
    from pytest_stbench.data.dataset import Dataset
    from pytest_stbench.registry import Check, Family, Metric, Registry
    from pytest_stbench.run.cells import Cell, Grid, Pool
    from pytest_stbench.run.quality.check_memo import KeptChecks
    from pytest_stbench.run.quality.truth_facts import TruthFacts
    from pytest_stbench.spec.model import TaskSpec


LABELLING = frozenset({"predict_labels", "predict_proportions", "embed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """A model under test and what checks may ask of it, by the name of a parameter."""

    name: str
    facts: Mapping[str, Callable[[], Any]]


class Checking:
    """Runs the checks of one task file.

    `open_dataset` gives a view of a data set by name, `offered` what it offers to baselines, `listed_genes`
    the genes a task file lists (None where they are chosen on training slides), `measured` the slides of a
    view as they are scored, `truth` what is known without a model, `kept` results of earlier runs.
    """

    def __init__(
        self,
        spec: TaskSpec,
        grid: Grid,
        registry: Registry,
        family: Family,
        *,
        open_dataset: Callable[[str], Dataset],
        offered: Callable[[str], frozenset[str]],
        listed_genes: Callable[[str], tuple[str, ...] | None],
        measured: Callable[[str], Measured],
        truth: TruthFacts,
        raw_of: Callable[[str], Dataset | None] = lambda view: None,  # noqa: ARG005  # none by default
        families_beside: Callable[[], frozenset[str]] = frozenset,
        kept: KeptChecks | None = None,
    ) -> None:
        self._spec = spec
        self._grid = grid
        self._registry = registry
        self._family = family
        self._open = open_dataset
        self._offered = offered
        self._listed_genes = listed_genes
        self._measured = measured
        self._raw_of = raw_of
        self._families_beside = families_beside
        self._truth = truth
        self._kept = kept
        self._results: dict[tuple[str, str], CheckResult] = {}
        self._cleared: set[tuple[str, str, str]] = set()

    def run(
        self, record: Check, view: str = "", pool: Pool | None = None, about: About | None = None
    ) -> CheckResult:
        """Return the result of one check on its view of a data set, its split, the task, or a model.

        `about` names the model and gives the facts of it that checks of a model or of results ask for.
        Raises ``DataMissing`` and ``DataError`` where the data set cannot be opened.
        """
        place = about.name if about else pool.id if pool else view
        if (record.name, place) not in self._results:
            withheld = self._withheld(record, pool.dataset if pool else view)
            if withheld is not None:
                self._results[record.name, place] = withheld
                return withheld
            self._results[record.name, place] = self._judge(record, view, pool, about)
        return self._results[record.name, place]

    def _judge(self, record: Check, view: str, pool: Pool | None, about: About | None) -> CheckResult:
        override = self._spec.checks.get(record.name)
        key = self._kept.key(record, view, pool, params_of(record, override)) if self._kept else None
        kept = self._kept.recall(key) if self._kept and key else None
        if kept is not None:
            return run_check(record, lambda **_: kept, {}, override)
        facts = {**self._facts(record, view, pool), **(about.facts if about else {})}
        function = loaded(record)
        accepted = inspect.signature(function).parameters
        arguments = {name: value() for name, value in facts.items() if name in accepted}

        def noting(**given: Any) -> CheckResult:
            result: CheckResult = function(**given)
            return self._kept.keep(key, result) if self._kept and key else result

        return run_check(record, noting, arguments, override)

    def _withheld(self, record: Check, view: str) -> CheckResult | None:
        """Return the skip of a check that another one leaves nothing to judge; None where it is judged."""
        first = next((other for other in self._registry.checks if other.name == record.after), None)
        result = self.run(first, view) if first is not None else None
        if result is None or result.status != "fail" or WITHHOLDS not in result.details:
            return None
        fix = f"correct first what {record.after} names"
        message = f"places of the units are wrong ({record.after} fails), so that nothing can be said: {fix}"
        return CheckResult(status="skip", message=message, fix=fix, slides=result.slides)

    def require_names(self, view: str) -> None:
        """Raise ``Blocked`` unless names and order of units are known to tell nothing of the truth.

        Asked for models that want the names of the data set: under a population claim alone.
        """
        if self._spec.claim != "population":
            return
        record = self._registry.checks["name_leak"]
        result = self.run(record, view)
        if result.status != "pass":
            why = f"a model with `unit_names = {AS_GIVEN!r}` cannot carry a population claim"
            raise Blocked(cause=f"{record.name}[{view}]", detail=f"{why}: {result.message}")

    def require(self, cell: Cell | Pool) -> None:
        """Raise ``Blocked`` for the first check that failed and holds back the cell."""
        place = (cell.dataset, cell.view, cell.split)
        if place in self._cleared:
            return
        for record, view, pool in self._blocking(cell):
            result = self.run(record, view, pool)
            if result.status == "fail":
                where = pool.id if pool else view
                raise Blocked(
                    cause=f"{record.name}[{where}]" if where else record.name, detail=result.message
                )
        self._cleared.add(place)

    def _blocking(self, cell: Cell | Pool) -> Iterable[tuple[Check, str, Pool | None]]:
        for record in self._registry.checks:
            if record.blocks == "nothing":
                continue
            if record.scope == "task":
                yield record, "", None
            elif record.scope == "dataset":
                yield record, cell.view, None
            elif record.scope == "split":
                for pool in self._grid.of(cell.dataset):
                    if pool.split == cell.split and not pool.variant:
                        yield record, cell.dataset, pool

    def _facts(self, record: Check, view: str, pool: Pool | None) -> dict[str, Callable[[], Any]]:
        """Everything a check may ask for by the name of a parameter, made when it is asked for."""
        if record.scope in ("model", "results"):
            return {
                "suite": self.suite,
                "scope": lambda: self._spec.scope,
                "tested": lambda: {
                    name: {slide for pool in self._grid.of(name) for slide in pool.test_slides}
                    for name in self._spec.datasets
                },
            }
        if record.scope == "task":
            return {
                "suite": self.suite,
                "scope": lambda: self._spec.scope,
                "families": lambda: {self._family.id, *self._families_beside()},
                "family": lambda: self._family.name,
                "metrics": lambda: {
                    metric.name: self._registry.metrics[metric.name].group
                    for metric in metrics_of(self._spec, self._family)
                },
                "trivial": lambda: self._family.trivial,
                "simple": lambda: self._family.simple,
                "available": lambda: {name: self._available(name) for name in self._spec.datasets},
                "declared": lambda: baselines_of(self._spec, self._family),
                "wanted": self._wanted,
                "named": self._named,
                "genes": lambda: dict(self._genes()),
                "classes": lambda: lambda: {name: self._truth.classes(name) for name in self._spec.datasets},
            }
        dataset, variant = view_parts(view)
        samples = self._grid.samples[dataset]
        if record.scope == "split" and pool is not None:
            return {
                "folds": lambda: pool.folds,
                "samples": lambda: samples,
                "grouped": lambda: pool.split != "within",
                "dataset": lambda: dataset,
                "subject": lambda: self._open(dataset),
                "split": lambda: pool.split,
                "config": lambda: self._spec.datasets[dataset],
                "genes": lambda: preprocess_of(self._spec).genes,
                "predicted": lambda: self._family.method in LABELLING,
            }
        return {
            "dataset": lambda: self._open(view),
            "claim": lambda: self._spec.claim,
            "folds": lambda: [fold for pool in self._grid.of(dataset) for fold in pool.folds],
            "unit_filter": lambda: preprocess_of(self._spec, variant).filter,
            "task_genes": lambda: self._listed_genes(dataset),
            "measured": lambda: self._measured(view),
            "depth_adjusted": lambda: any(m.group == "depth_adjusted" for m in self._metrics()),
            "allowed": lambda: self._family.resolutions,
            "raw": lambda: lambda: self._raw_of(view),
            "label_slides": lambda: self._open(view).labels_without_slide,
            "notes": lambda: self._open(view).notes,
            "perfect": lambda: lambda: self._truth.perfect(view),
            "primary": lambda: primary_of(self._spec, self._family),
        }

    def suite(self) -> dict[str, tuple[Sample, ...]]:
        """Return the samples of every data set; of one that is not on this machine, what is declared."""
        return {
            name: self._grid.samples[name]
            or (
                Sample(
                    slide=name, site=config.site, technology=config.technology, panel=config.panel,
                    corpus=config.corpus, organ=config.organ,
                ),
            )
            for name, config in self._spec.datasets.items()
        }  # fmt: skip

    def _available(self, dataset: str) -> tuple[str, ...]:
        offered = self._offered(dataset)
        return tuple(b.name for b in self._registry.baselines if runnable(b, self._family, offered))

    def _metrics(self) -> list[Metric]:
        return [self._registry.metrics[metric.name] for metric in metrics_of(self._spec, self._family)]

    def _wanted(self) -> frozenset[str]:
        """Return the sets of genes that the task looks at, and its family, which may need some."""
        pairs = self._spec.communication
        own_pairs = pairs is not None and pairs.pairs != "builtin"
        chosen = {self._family.name} - ({"communication"} if own_pairs else set())
        if self._spec.preprocess.genes.select == "signatures":
            chosen.add("signatures")
        asked = {metric.genes for metric in self._metrics()}
        return frozenset(asked - ({"communication"} if own_pairs else set()) | chosen)

    def _named(self) -> frozenset[str] | None:
        """Return the signatures that are asked by name, None for all of the package.

        Of sets from a file the family counts the members by itself.
        """
        block = self._spec.signatures
        if block is None or (block.names is None and block.gmt is None):
            return None
        return frozenset(block.names or ())

    def _genes(self) -> Iterator[tuple[str, frozenset[str]]]:
        """Yield the genes of every data set that can be read; of others, the checks of their own tell."""
        for name in self._spec.datasets:
            with contextlib.suppress(DataMissing, DataError):
                yield name, frozenset(map(str, self._open(name).genes.tolist()))
