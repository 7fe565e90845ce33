"""T09, cell-type proportions of spots."""

from __future__ import annotations

from pydantic import Field

from pytest_stbench.extend import family
from pytest_stbench.families.settings import ON_UNITS, LabelBlock
from pytest_stbench.spec.part import Integer


@family(
    "T09",
    **ON_UNITS,
    method="predict_proportions",
    primary="proportion_jsd",
    metrics=(
        "proportion_jsd",
        "proportion_kl",
        "type_spearman",
        "type_rmse",
        "type_rmse_present",
        "presence_auprc",
        "dominant_type_accuracy",
    ),
    trivial="majority",
    simple=("nnls", "pca_ridge", "he_colour"),
    baselines=("coords",),
    predicts="proportions",
    columns="cell types",
    resolutions=("spot", "xisium"),
)
class Proportions(LabelBlock):
    """Predict which share of the cells of a spot is of each type.

    Spots of fewer than ``min_cells`` cells are left out.
    """

    min_cells: Integer = Field(default=3, ge=1)
