"""Records of the task families."""

from __future__ import annotations

from pytest_stbench.registry import Family

FAMILIES: tuple[Family, ...] = (
    Family(
        id="T01",
        name="expression",
        summary="Predict expression from H&E: does morphology carry gene-level signal to a new patient?",
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
        ),
        trivial="train_mean",
        simple=("pca_ridge", "he_colour", "coords"),
        baselines=("oracle_patient_mean", "libsize", "coords", "shuffled"),
        required=("libsize",),
        margin=0.02,
        input_class="image",
        target="pytest_stbench.families.expression:Expression",
    ),
    Family(
        id="T11",
        name="imputation",
        summary="Predict held-out genes from observed genes: panel extension.",
        method="impute",
        primary="spearman_gene",
        metrics=(
            "spearman_gene",
            "pearson_gene",
            "partial_spearman_gene",
            "partial_pearson_gene",
            "rmse",
            "r2",
            "cosine_gene",
            "concordance",
        ),
        trivial="train_mean",
        simple=("gene_gene_ridge",),
        baselines=("libsize", "coords", "smooth", "shuffled"),
        input_class="expression",
        target="pytest_stbench.families.imputation:Imputation",
    ),
)
