"""The values of one metric on one slide, with a reason for each that is undefined."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

DATA_REASONS = (
    "gt_constant", "gt_nan", "empty_truth", "gene_missing", "too_few_units", "too_few_genes",
    "too_few_pairs", "empty_niche", "empty_signature", "no_positive", "no_negative",
    "collinear_with_libsize", "no_headroom", "single_cluster", "not_covered",
)  # fmt: skip
MODEL_REASONS = ("pred_constant", "pred_collinear_with_libsize", "empty_pred", "contract")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """One value per gene, unit or pair of a slide.

    ``values`` is nan exactly where ``reasons`` is not the empty string; ``labels`` names what
    each value belongs to. ``flags`` are remarks that leave the value as it is; ``extras`` are
    further arrays of the same length. Never shortened: what is undefined stays, with its reason.
    ``effects`` (n, draws) says by how much each random draw behind the values moves them, their mean 0;
    None where nothing is drawn. ``members`` are the lists that each value compares, true and predicted, best
    first; None where no lists are compared.
    """

    values: NDArray[np.float64]
    reasons: NDArray[np.str_]
    labels: NDArray[np.str_]
    flags: tuple[str, ...] = ()
    extras: Mapping[str, Any] = field(default_factory=dict)
    effects: NDArray[np.float64] | None = None
    members: Sequence[tuple[NDArray[np.str_], NDArray[np.str_]]] | None = None

    def __post_init__(self) -> None:
        undefined = self.reasons != ""
        if not (len(self.values) == len(self.reasons) == len(self.labels)):
            raise ValueError("values, reasons and labels must have the same length")
        if not np.array_equal(np.isnan(self.values), undefined):
            raise ValueError("every undefined value needs a reason, and only those")
