"""The contract of a model: implement the methods you can, leave out the others.

A model is any object; nothing is inherited or registered. A task whose method the model does not
have is skipped with a reason. The smallest model of expression from H&E::

    class Mine:
        name = "mine"          # with `revision`: predictions are kept on disk and reused
        revision = "2.1.0"     # change it whenever the predictions may change
        config = {"layers": 4}            # optional, JSON-safe
        pretraining = ("HEST",)           # optional: corpora seen in pretraining
        input_class = "image"             # optional: models of different inputs are not ranked together
        unit_names = "as given"           # optional: the data's names of units instead of neutral ones

        def fit(self, train, task): ...                  # optional, once per fold
        def predict_expression(self, slide, genes): ...

For each fold a fresh model is used: give a class or a function without arguments that builds one,
or an object that ``copy.deepcopy`` can copy. Load weights in ``fit`` or ``predict_*``, so that a
run that is blocked or skipped never loads them.

Rows of every output are the units of ``slide.units``, in that order; columns are in the order they
were asked for. Outputs are float32 (float64 is cast) and finite; a data frame or AnnData must carry
those names. Anything else fails the item ``contract`` and is not scored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray
    from pandas import DataFrame

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide

    Matrix: TypeAlias = ArrayLike | DataFrame | AnnData
    Expression: TypeAlias = Matrix | tuple[Matrix, Literal["counts"]]

PREDICTION_METHODS = (
    "predict_expression",
    "predict_signature",
    "predict_labels",
    "predict_proportions",
    "segment",
    "impute",
    "cluster",
    "embed",
)


@runtime_checkable
class HasFit(Protocol):
    """A model that learns from the training slides of a fold."""

    def fit(self, train: Sequence[TrainSlide], task: TaskInfo) -> object:
        """Learn from training slides alone; what is returned is ignored."""
        ...


@runtime_checkable
class PredictsExpression(Protocol):
    """Families ``expression``, ``signatures``, ``niche_signatures``, ``coexpression`` ..."""

    def predict_expression(self, slide: ModelSlide, genes: Sequence[str]) -> Expression:
        """Return (n, g) on the log-normalised scale of the task, or ``(array, "counts")``."""
        ...


@runtime_checkable
class Imputes(Protocol):
    """Family ``imputation``: hidden genes from observed ones, whose counts are ``slide.units.X``."""

    def impute(
        self, slide: ModelSlide, observed_genes: Sequence[str], target_genes: Sequence[str]
    ) -> Expression:
        """Return (n, g) of `target_genes`, as ``predict_expression`` does."""
        ...


@runtime_checkable
class Embeds(Protocol):
    """Family ``embedding``; a model with this alone is probed for expression by PCA and ridge."""

    def embed(self, slide: ModelSlide) -> Matrix:
        """Return (n, d), the same d for all slides."""
        ...


@runtime_checkable
class Clusters(Protocol):
    """Family ``niches`` under ``mode: unsupervised``; without it clusters are made of ``embed``."""

    def cluster(self, slide: ModelSlide, n: int) -> Matrix | Sequence[str]:
        """Return a label per unit, `n` different ones at most, or (units, n) memberships."""
        ...


@runtime_checkable
class PredictsSignatures(Protocol):
    """Signature scores of its own; without it they are derived from the predicted expression."""

    def predict_signature(self, slide: ModelSlide, names: Sequence[str]) -> Matrix:
        """Return (n, s)."""
        ...


@runtime_checkable
class PredictsLabels(Protocol):
    """Families of niches and cell types."""

    def predict_labels(self, slide: ModelSlide, classes: Sequence[str]) -> Matrix | Sequence[str]:
        """Return (n, k) probabilities whose rows sum to 1, or n labels."""
        ...


@runtime_checkable
class PredictsProportions(Protocol):
    """Family ``proportions``: cell types of each spot."""

    def predict_proportions(self, slide: ModelSlide, types: Sequence[str]) -> Matrix:
        """Return (n, k), not negative, rows sum to 1."""
        ...


@runtime_checkable
class Segments(Protocol):
    """Family ``segmentation``."""

    def segment(self, slide: ModelSlide, region: Any) -> NDArray[np.int32]:
        """Return an (H, W) int32 mask: 0 background, 1..N instances."""
        ...


def prediction_methods(model: object) -> frozenset[str]:
    """Return the methods of the contract that `model` (an object or a class) has."""
    return frozenset(name for name in PREDICTION_METHODS if callable(getattr(model, name, None)))


def has_fit(model: object) -> bool:
    """Return whether `model` learns from training slides."""
    return callable(getattr(model, "fit", None))
