"""T01, expression from H&E."""

from __future__ import annotations

from pytest_stbench.extend import family
from pytest_stbench.spec.block import Block


@family(
    "T01",
    method="predict_expression",
    primary="pearson_gene",
    metrics=(
        "pearson_gene",
        "spearman_gene",
        "partial_pearson_gene",
        "pearson_spot",
        "pearson_spot_residual",
        "rmse",
        "r2",
        "concordance",
        "moran_concordance",
        "map_ssim",
        "svg_recovery",
    ),
    trivial="train_mean",
    simple=("pca_ridge", "he_colour", "coords"),
    baselines=("oracle_patient_mean", "libsize", "coords", "shuffled"),
    required=("libsize",),
    margin=0.02,
    input_class="image",
)
class Expression(Block):
    """Predict expression from H&E: does morphology carry gene-level signal to a new patient?"""
