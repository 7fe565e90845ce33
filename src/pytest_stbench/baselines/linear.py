"""What the linear baselines share: training statistics by patient, penalty, prediction by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.baselines.classifier import MAX_GROUPS, Classifier, inner_groups
from pytest_stbench.baselines.slide_sums import dense_blocks, direct_gram, slide_gram
from pytest_stbench.errors import ModelError
from pytest_stbench.kernels.ridge import GroupedGram, RidgeFit, alpha_grid, fit_ridge

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from pytest_stbench.baselines.slide_sums import SparseProduct
    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide


def pick(fitted: Sequence[str], genes: Sequence[str], who: str) -> NDArray[np.intp]:
    """Return the columns of `genes` among the `fitted` ones.

    Raises ``ModelError`` for genes the baseline was not fitted for.
    """
    column_of = {gene: column for column, gene in enumerate(fitted)}
    unknown = [gene for gene in genes if gene not in column_of]
    if unknown:
        raise ModelError(
            f"{who} was fitted for {len(fitted)} genes and asked for {len(unknown)} others, "
            f"such as {unknown[0]}: ask for genes of the task"
        )
    return np.array([column_of[gene] for gene in genes], dtype=np.intp)


class ImputesFromExpression(ABC):
    """A baseline that predicts hidden genes as any others: observed ones are in its features, if at all."""

    @abstractmethod
    def predict_expression(self, slide: ModelSlide, genes: Sequence[str]) -> NDArray[np.float32]:
        """Return predictions (n, g) on the task's scale."""

    def impute(
        self, slide: ModelSlide, observed_genes: Sequence[str], target_genes: Sequence[str]
    ) -> NDArray[np.float32]:
        """Return predictions (n, g) of the hidden genes."""
        del observed_genes
        return self.predict_expression(slide, target_genes)


class LinearBaseline(ImputesFromExpression):
    """Ridge from features of a slide to the targets of the task.

    Features are standardised with the training units where ``standardise`` says so; the
    intercept is not penalised. The penalty is the one of 13 (1e-3 to 1e3 times the mean
    eigenvalue of the Gram matrix) with the least error when training groups are left out in turn
    (:func:`inner_groups`), errors of genes counted relative to their variance. Targets that a
    slide did not measure are fitted on the slides that did; a gene that no training slide
    measured is predicted as 0. In families of labels the same features go into a logistic
    regression, in those of proportions the ridge predicts these, clipped at 0 and scaled to sum 1.
    """

    name: str
    revision = "1"
    n_components: int | None = None
    standardise = True

    def __init__(self) -> None:
        self.genes: tuple[str, ...] = ()
        self.ridge: RidgeFit | None = None
        self._classifier = Classifier(self.features, self.name)

    @property
    def config(self) -> dict[str, Any]:
        """What the results of the baseline depend on."""
        return {"n_components": self.n_components, "standardise": self.standardise, "groups": MAX_GROUPS}

    @abstractmethod
    def features(self, slide: ModelSlide) -> NDArray[np.floating] | csr_matrix | SparseProduct:
        """Return the features of a slide, (n, d), finite; sparse ones are made dense in blocks."""

    def prepare(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:  # most need nothing
        """Learn what the features need, before the first is computed."""

    def recipe(self) -> Hashable:
        """Return what, beside the class and a slide, decides its features; None where nobody can say."""
        return None

    @property
    def lasting(self) -> bool:
        """Whether the features of a slide may be the same in another fold."""
        return True

    def _kept_as(self) -> Hashable:
        # A class of somebody else may make its features of more than the recipe that it inherits knows,
        # by what `features` calls as well.
        own, recipe = type(self).__module__.startswith(f"{__package__}."), self.recipe()
        return (type(self), recipe) if own and recipe is not None else None

    def penalties(self, gram: GroupedGram) -> NDArray[np.float64]:
        """Return the penalties to choose from."""
        return alpha_grid(gram, standardise=self.standardise, n_components=self.n_components)

    def fit(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:
        """Fit on training slides, one in memory at a time."""
        self.genes = task.genes or task.classes
        self.prepare(train, task)
        if any(slide.labels is not None for slide in train):
            self._classifier.fit(train, task)
            return
        gram: GroupedGram | None = None
        for group, slide in zip(inner_groups(train), train, strict=True):
            if slide.proportions is None:
                part = slide_gram(slide, self.genes, self._kept_as(), self.features, lasting=self.lasting)
            else:
                known = np.isfinite(slide.proportions).all(axis=1)
                shares = slide.proportions[known].astype(np.float32)
                part = direct_gram(self.features(slide)[known], shares)
            gram = gram or GroupedGram(part.n_features, part.n_targets)
            gram.add_rows(group, part)
        if gram is None or gram.n == 0:
            raise ModelError(f"{self.name} needs at least one training unit")
        self.ridge = fit_ridge(
            gram, self.penalties(gram), standardise=self.standardise, n_components=self.n_components
        )

    def predict_expression(self, slide: ModelSlide, genes: Sequence[str]) -> NDArray[np.float32]:
        """Return predictions (n, g) on the task's scale."""
        if self.ridge is None:
            raise ModelError(f"{self.name} was asked to predict before it was fitted")
        columns = pick(self.genes, genes, self.name)
        result = np.empty((slide.n_units, len(columns)), np.float32)
        for rows, block in dense_blocks(self.features(slide)):
            result[rows] = self.ridge.predict(block)[:, columns]
        return result

    def predict_labels(self, slide: ModelSlide, classes: Sequence[str]) -> NDArray[np.float32]:
        """Return class probabilities, (n, k)."""
        return self._classifier.predict(slide, classes)

    def predict_proportions(self, slide: ModelSlide, types: Sequence[str]) -> NDArray[np.float32]:
        """Return proportions, (n, k), not negative; rows sum to 1."""
        shares = np.maximum(self.predict_expression(slide, types).astype(np.float64), 0.0)
        total = shares.sum(axis=1, keepdims=True)
        result = np.full(shares.shape, 1.0 / max(shares.shape[1], 1))
        np.divide(shares, total, out=result, where=total > 0)
        return result.astype(np.float32)

    def embed(self, slide: ModelSlide) -> NDArray[np.float32]:
        """Return the features of every unit, (n, d)."""
        return np.concatenate([block for _, block in dense_blocks(self.features(slide))]).astype(np.float32)
