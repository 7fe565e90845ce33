"""T02, signatures: programmes that clinics use, and whether they are placed correctly."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import hstack

from pytest_stbench.data.gene_lists import read_gmt
from pytest_stbench.errors import DataError
from pytest_stbench.families.derived import Derived
from pytest_stbench.families.predicted_expression import ExpressionTruth
from pytest_stbench.families.question import Arms, Latest
from pytest_stbench.models.contract import accept_signatures
from pytest_stbench.preprocess.signature_sets import choose_signatures
from pytest_stbench.registry import nearest
from pytest_stbench.resources import gene_sets, housekeeping, signatures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo
    from pytest_stbench.data.slide import Slide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.families.question import Plan, Predicted, Request, Truth
    from pytest_stbench.preprocess.signature_sets import Scorer, SignatureSets
    from pytest_stbench.registry import Metric


PER_GENE = ("train_mean", "hvg_score")
"""What is known of genes and has no meaning for signatures."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What ``predict_signature`` returned, told apart from expression."""

    raw: object


@dataclass(frozen=True, kw_only=True, eq=False)
class SignatureTruth:
    """What one test slide's predicted signature scores are scored against.

    ``expression`` holds the genes the scores are made of; ``sets`` the signatures on these genes.
    """

    expression: ExpressionTruth
    sets: SignatureSets
    _latest: Latest[_Predicted] = field(default_factory=Latest, init=False)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return self.expression.n_units

    def n_columns(self, record: Metric) -> int:
        """Return the number of signatures."""
        del record
        return len(self.sets.names)

    def arms(self, record: Metric, predicted: Predicted) -> tuple[Arms]:
        """Return true and predicted scores, one column a signature.

        A signature with too few members among the genes of the slide counts as not measured.
        """
        (under,) = self.expression.arms(record, predicted)
        prediction = predicted[self.expression.surroundings.slide_id]
        found = self._latest.of(prediction, lambda: self._score(prediction))
        offered = {name: give for name, give in under.offered.items() if name not in PER_GENE}
        offered |= {
            "genes": lambda: np.array(self.sets.names, dtype=np.str_),
            "measured": lambda: self.sets.covered(self.expression.measured),
            "random_scores": lambda: found.random,
        }
        return (Arms(truth=self._true(self.sets.members), prediction=found.scores, offered=offered),)

    @cached_property
    def _true(self) -> Scorer:
        return self.sets.scorer(self.expression.values, self.expression.measured)

    def _score(self, prediction: NDArray[Any]) -> _Predicted:
        g = len(self.expression.genes)
        if prediction.shape[1] > g:
            return _Predicted(scores=prediction[:, g:], random=None)
        scorer = self.sets.scorer(prediction, self.expression.measured)
        return _Predicted(scores=scorer(self.sets.members), random=partial(self._random, scorer))

    def _random(
        self, scorer: Scorer, places: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
        random = self.sets.random_sets(self.expression.surroundings.slide_id)
        sets = [random[place] for place in places]
        drawn = hstack(sets).tocsc()
        owner = np.repeat(places, [one.shape[1] for one in sets])
        return self._true(drawn), scorer(drawn), owner


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Predicted:
    """Predicted scores, (n, s), and what gives those of random sets; None without expression."""

    scores: NDArray[Any]
    random: Any


class SignaturesQuestion(Derived):
    """Score the expression of gene sets, from a model's own scores or from predicted expression.

    A model gets what the parent family hands out: image and coordinates, or counts of the observed
    genes where the task file has a block ``imputation``. It returns scores
    (``predict_signature(slide, names)``), or the expression of the members and of their controls,
    from which the suite computes the scores. Truth and prediction are scored by the same rule.
    """

    def plan(self, train: Sequence[Slide]) -> Plan:
        """Ask for the members and controls of the signatures that can be scored.

        Raises ``DataError`` when there are none, or a name is unknown.
        """
        plan = super().plan(train)
        wanted = self._wanted()
        chosen = choose_signatures(
            train,
            wanted,
            candidates=plan.candidates,
            reserved={gene for genes in signatures().values() for gene in genes} | housekeeping(),
        )
        if not chosen.names:
            raise DataError(
                f"none of the {len(wanted)} signatures can be scored: each needs half of its genes and three "
                f"of them among those that may be asked and that 2 % of the training units show; the best "
                f"is {_best(chosen.not_covered)}"
            )
        asked = chosen.needed
        self._sets = chosen.select(asked)
        counted = {"signatures": len(chosen.names), "signatures_not_covered": len(chosen.not_covered)}
        return replace(
            plan,
            asked=asked,
            # Controls are drawn by their mean alone: most are rare and none has to show biology.
            judged=np.unique(chosen.members.indices).astype(np.intp),
            classes=chosen.names,
            counted={**plan.counted, **{name: count for name, count in counted.items() if count}},
        )

    def _wanted(self) -> Mapping[str, tuple[str, ...]]:
        own = self.settings.own
        mine: dict[str, tuple[str, ...]] = {}
        if own is not None and own.gmt is not None:
            assert self.settings.resolve is not None  # a task file is always read with its folders
            read = read_gmt(self.settings.resolve(own.gmt))
            mine = {name: self.settings.named(genes) for name, genes in read.items()}
        if own is None or own.names is None:
            return mine or signatures()
        known = {**gene_sets(), **mine}
        unknown = next((name for name in own.names if name not in known), None)
        if unknown is not None:
            raise DataError(
                f"there is no signature {unknown!r}{nearest(unknown, known)}: name one of the gmt file or of "
                "the package"
            )
        return {name: known[name] for name in own.names}

    def identity(self, fold: FoldData) -> Any:
        """Return the members of every signature."""
        del fold
        members = self._sets.members
        return {
            name: self._sets.genes[members[:, [place]].indices].tolist()
            for place, name in enumerate(self._sets.names)
        }

    def ask(self, model: Any, given: ModelSlide, request: Request, task: TaskInfo) -> object:
        """Call ``predict_signature(slide, names)``, or what the parent asks where there is none."""
        if callable(getattr(model, "predict_signature", None)):
            return Scored(model.predict_signature(given, list(task.classes)))
        return super().ask(model, given, request, task)

    def accept(self, raw: object, request: Request, fold: FoldData, where: str) -> NDArray[np.float32]:
        """Return checked expression (n, g), or checked scores behind g columns of nan, (n, g + s)."""
        if not isinstance(raw, Scored):
            return super().accept(raw, request, fold, where)
        names, slide = fold.task.classes, request.slide
        scores = accept_signatures(raw.raw, names=names, unit_names=slide.unit_names, where=where)
        unknown = np.full((slide.n_units, len(fold.genes)), np.nan, dtype=np.float32)
        return np.hstack([unknown, scores])

    def truth(self, slide: Slide, fold: FoldData) -> SignatureTruth:  # type: ignore[override]  # scores, not genes
        """Return the true scores of a test slide."""
        return SignatureTruth(expression=super().truth(slide, fold), sets=self._sets)

    def repeats(self, slide: Slide, fold: FoldData, truth: Truth) -> Iterator[tuple[Truth, Predicted]]:
        """Yield the scores of the halves of the slide's counts."""
        assert isinstance(truth, SignatureTruth)  # made above
        for target, predicted in super().repeats(slide, fold, truth.expression):
            assert isinstance(target, ExpressionTruth)  # as what it repeats
            yield replace(truth, expression=target), predicted


def _best(not_covered: Mapping[str, tuple[int, int]]) -> str:
    name, (usable, size) = max(not_covered.items(), key=lambda item: item[1][0] / max(item[1][1], 1))
    return f"{name} with {usable} of {size}"
