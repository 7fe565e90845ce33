"""Metrics: plain functions on arrays, truth first, prediction second.

Every metric returns :class:`Scores`, one value per gene or unit of a slide with a reason for
each that is undefined; :func:`slide_value`, :func:`patient_values` and :func:`headline` average
them. Names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_stbench.metrics.aggregate import (
        Headline,
        SlideValue,
        headline,
        patient_values,
        slide_value,
    )
    from pytest_stbench.metrics.assignment import Molecules, doublet_rate, transcripts_assigned
    from pytest_stbench.metrics.autocorrelation import moran_concordance, morans_i
    from pytest_stbench.metrics.calibration import brier, calibration_slope, ece
    from pytest_stbench.metrics.coexpression import (
        coexpression_ssim,
        coexpression_ssim_normalised,
        lr_coexpression_ssim,
        niche_coexpression_ssim,
    )
    from pytest_stbench.metrics.coexpression_arms import GeneCorrelations, gene_correlations
    from pytest_stbench.metrics.coexpression_partial import (
        partial_coexpression_mantel,
        partial_coexpression_rv,
        partial_coexpression_ssim,
        partial_coexpression_ssim_normalised,
    )
    from pytest_stbench.metrics.coexpression_reference import coexpression_ceiling, coexpression_floor
    from pytest_stbench.metrics.coexpression_structure import (
        coexpression_mantel,
        coexpression_rv,
        coexpression_sign,
        module_ari,
    )
    from pytest_stbench.metrics.coherence import chaos, pas, spatial_coherence
    from pytest_stbench.metrics.communication import lr_auprc, lr_local, lr_pathway, lr_spearman
    from pytest_stbench.metrics.composition import (
        dominant_type_accuracy,
        presence_auprc,
        type_rmse,
        type_rmse_present,
        type_spearman,
    )
    from pytest_stbench.metrics.correlation import (
        pearson_gene,
        pearson_spot,
        pearson_spot_residual,
        spearman_gene,
        spearman_spot,
    )
    from pytest_stbench.metrics.detection import auprc, auroc, detection_f1, false_positives_per_mm2
    from pytest_stbench.metrics.embeddings import knn_purity, knn_recall, patient_variance, silhouette
    from pytest_stbench.metrics.error import mae, r2, rmse
    from pytest_stbench.metrics.gene_statistics import GeneStatistic
    from pytest_stbench.metrics.hotspots import hotspot_auprc
    from pytest_stbench.metrics.labels import ami, ari, balanced_accuracy, kappa, macro_f1, nmi
    from pytest_stbench.metrics.maps import map_ssim
    from pytest_stbench.metrics.masks import without_border
    from pytest_stbench.metrics.niche_recluster import niche_jaccard_reclustered
    from pytest_stbench.metrics.niche_signatures import (
        niche_jaccard,
        niche_jaccard_normalised,
        niche_logfc_spearman,
        niche_overlap,
        niche_rbo,
        novel_recall,
    )
    from pytest_stbench.metrics.partial import partial_pearson_gene, partial_spearman_gene
    from pytest_stbench.metrics.proportions import proportion_jsd, proportion_kl
    from pytest_stbench.metrics.recovery import hvg_recovery, svg_recovery
    from pytest_stbench.metrics.scores import Scores
    from pytest_stbench.metrics.segmentation import aji, count_error, dice, pq, segmentation_ap
    from pytest_stbench.metrics.signatures import (
        patient_mean_spearman,
        signature_specificity,
        top_decile_jaccard,
    )
    from pytest_stbench.metrics.similarity import concordance, cosine_gene, cosine_spot, jsd_map

_HOMES = {
    "autocorrelation": ("moran_concordance", "morans_i"),
    "assignment": ("Molecules", "doublet_rate", "transcripts_assigned"),
    "calibration": ("brier", "calibration_slope", "ece"),
    "coherence": ("chaos", "pas", "spatial_coherence"),
    "coexpression": (
        "coexpression_ssim", "coexpression_ssim_normalised", "lr_coexpression_ssim",
        "niche_coexpression_ssim",
    ),
    "coexpression_arms": ("GeneCorrelations", "gene_correlations"),
    "coexpression_partial": (
        "partial_coexpression_mantel", "partial_coexpression_rv", "partial_coexpression_ssim",
        "partial_coexpression_ssim_normalised",
    ),
    "coexpression_reference": ("coexpression_ceiling", "coexpression_floor"),
    "coexpression_structure": ("coexpression_mantel", "coexpression_rv", "coexpression_sign", "module_ari"),
    "communication": ("lr_auprc", "lr_local", "lr_pathway", "lr_spearman"),
    "composition": (
        "dominant_type_accuracy", "presence_auprc", "type_rmse", "type_rmse_present", "type_spearman",
    ),
    "detection": ("auprc", "auroc", "detection_f1", "false_positives_per_mm2"),
    "embeddings": ("knn_purity", "knn_recall", "patient_variance", "silhouette"),
    "gene_statistics": ("GeneStatistic",),
    "hotspots": ("hotspot_auprc",),
    "labels": ("ami", "ari", "balanced_accuracy", "kappa", "macro_f1", "nmi"),
    "maps": ("map_ssim",),
    "masks": ("without_border",),
    "niche_recluster": ("niche_jaccard_reclustered",),
    "niche_signatures": (
        "niche_jaccard", "niche_jaccard_normalised", "niche_logfc_spearman", "niche_overlap", "niche_rbo",
        "novel_recall",
    ),
    "proportions": ("proportion_jsd", "proportion_kl"),
    "aggregate": ("Headline", "SlideValue", "headline", "patient_values", "slide_value"),
    "correlation": (
        "pearson_gene", "pearson_spot", "pearson_spot_residual", "spearman_gene", "spearman_spot",
    ),
    "error": ("mae", "r2", "rmse"),
    "partial": ("partial_pearson_gene", "partial_spearman_gene"),
    "robustness": ("retained_fraction", "robust_share", "self_consistency"),
    "recovery": ("hvg_recovery", "svg_recovery"),
    "scores": ("Scores",),
    "segmentation": ("aji", "count_error", "dice", "pq", "segmentation_ap"),
    "signatures": ("patient_mean_spearman", "signature_specificity", "top_decile_jaccard"),
    "similarity": ("concordance", "cosine_gene", "cosine_spot", "jsd_map"),
    "transfer": ("transfer_gap", "transfer_score"),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "GeneCorrelations",
    "GeneStatistic",
    "Headline",
    "Molecules",
    "Scores",
    "SlideValue",
    "aji",
    "ami",
    "ari",
    "auprc",
    "auroc",
    "balanced_accuracy",
    "brier",
    "calibration_slope",
    "chaos",
    "coexpression_ceiling",
    "coexpression_floor",
    "coexpression_mantel",
    "coexpression_rv",
    "coexpression_sign",
    "coexpression_ssim",
    "coexpression_ssim_normalised",
    "concordance",
    "cosine_gene",
    "cosine_spot",
    "count_error",
    "detection_f1",
    "dice",
    "dominant_type_accuracy",
    "doublet_rate",
    "ece",
    "false_positives_per_mm2",
    "gene_correlations",
    "headline",
    "hotspot_auprc",
    "hvg_recovery",
    "jsd_map",
    "kappa",
    "knn_purity",
    "knn_recall",
    "lr_auprc",
    "lr_coexpression_ssim",
    "lr_local",
    "lr_pathway",
    "lr_spearman",
    "macro_f1",
    "mae",
    "map_ssim",
    "module_ari",
    "moran_concordance",
    "morans_i",
    "niche_coexpression_ssim",
    "niche_jaccard",
    "niche_jaccard_normalised",
    "niche_jaccard_reclustered",
    "niche_logfc_spearman",
    "niche_overlap",
    "niche_rbo",
    "nmi",
    "novel_recall",
    "partial_coexpression_mantel",
    "partial_coexpression_rv",
    "partial_coexpression_ssim",
    "partial_coexpression_ssim_normalised",
    "partial_pearson_gene",
    "partial_spearman_gene",
    "pas",
    "patient_mean_spearman",
    "patient_values",
    "patient_variance",
    "pearson_gene",
    "pearson_spot",
    "pearson_spot_residual",
    "pq",
    "presence_auprc",
    "proportion_jsd",
    "proportion_kl",
    "r2",
    "retained_fraction",
    "rmse",
    "robust_share",
    "segmentation_ap",
    "self_consistency",
    "signature_specificity",
    "silhouette",
    "slide_value",
    "spatial_coherence",
    "spearman_gene",
    "spearman_spot",
    "svg_recovery",
    "top_decile_jaccard",
    "transcripts_assigned",
    "transfer_gap",
    "transfer_score",
    "type_rmse",
    "type_rmse_present",
    "type_spearman",
    "without_border",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
