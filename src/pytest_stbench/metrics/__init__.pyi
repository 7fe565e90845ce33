from .aggregate import (
    Headline as Headline,
    SlideValue as SlideValue,
    headline as headline,
    patient_values as patient_values,
    slide_value as slide_value,
)
from .assignment import (
    Molecules as Molecules,
    doublet_rate as doublet_rate,
    transcripts_assigned as transcripts_assigned,
)
from .autocorrelation import moran_concordance as moran_concordance, morans_i as morans_i
from .calibration import brier as brier, calibration_slope as calibration_slope, ece as ece
from .clusters import ami as ami, ari as ari, nmi as nmi
from .coexpression import (
    coexpression_ssim as coexpression_ssim,
    coexpression_ssim_normalised as coexpression_ssim_normalised,
)
from .coexpression_arms import GeneCorrelations as GeneCorrelations, gene_correlations as gene_correlations
from .coexpression_modules import module_ari as module_ari
from .coexpression_partial import (
    partial_coexpression_mantel as partial_coexpression_mantel,
    partial_coexpression_rv as partial_coexpression_rv,
    partial_coexpression_ssim as partial_coexpression_ssim,
    partial_coexpression_ssim_normalised as partial_coexpression_ssim_normalised,
)
from .coexpression_reference import (
    coexpression_ceiling as coexpression_ceiling,
    coexpression_floor as coexpression_floor,
)
from .coexpression_structure import (
    coexpression_mantel as coexpression_mantel,
    coexpression_rv as coexpression_rv,
    coexpression_sign as coexpression_sign,
)
from .coexpression_subsets import (
    lr_coexpression_ssim as lr_coexpression_ssim,
    niche_coexpression_ssim as niche_coexpression_ssim,
)
from .coherence import chaos as chaos, pas as pas, spatial_coherence as spatial_coherence
from .communication import lr_auprc as lr_auprc, lr_local as lr_local, lr_spearman as lr_spearman
from .communication_pathways import lr_pathway as lr_pathway
from .composition import (
    dominant_type_accuracy as dominant_type_accuracy,
    presence_auprc as presence_auprc,
    type_rmse as type_rmse,
    type_rmse_present as type_rmse_present,
    type_spearman as type_spearman,
)
from .correlation import (
    pearson_gene as pearson_gene,
    pearson_spot as pearson_spot,
    pearson_spot_residual as pearson_spot_residual,
    spearman_gene as spearman_gene,
    spearman_spot as spearman_spot,
)
from .detection import (
    auprc as auprc,
    auroc as auroc,
    detection_f1 as detection_f1,
    false_positives_per_mm2 as false_positives_per_mm2,
)
from .embedding_neighbours import knn_purity as knn_purity, knn_recall as knn_recall
from .embeddings import patient_variance as patient_variance, silhouette as silhouette
from .error import mae as mae, r2 as r2, rmse as rmse
from .gene_statistics import GeneStatistic as GeneStatistic
from .hotspots import hotspot_auprc as hotspot_auprc
from .labels import balanced_accuracy as balanced_accuracy, kappa as kappa, macro_f1 as macro_f1
from .maps import jsd_map as jsd_map, map_ssim as map_ssim
from .masks import without_border as without_border
from .niche_rankings import niche_logfc_spearman as niche_logfc_spearman, niche_rbo as niche_rbo
from .niche_recluster import niche_jaccard_reclustered as niche_jaccard_reclustered
from .niche_signatures import (
    niche_jaccard as niche_jaccard,
    niche_jaccard_normalised as niche_jaccard_normalised,
    niche_overlap as niche_overlap,
    novel_recall as novel_recall,
)
from .partial import (
    partial_pearson_gene as partial_pearson_gene,
    partial_spearman_gene as partial_spearman_gene,
)
from .proportions import proportion_jsd as proportion_jsd, proportion_kl as proportion_kl
from .recovery import hvg_recovery as hvg_recovery, svg_recovery as svg_recovery
from .robustness import (
    retained_fraction as retained_fraction,
    robust_share as robust_share,
    self_consistency as self_consistency,
)
from .scores import Scores as Scores
from .segmentation import (
    aji as aji,
    count_error as count_error,
    dice as dice,
    pq as pq,
    segmentation_ap as segmentation_ap,
)
from .signatures import (
    patient_mean_spearman as patient_mean_spearman,
    signature_specificity as signature_specificity,
    top_decile_jaccard as top_decile_jaccard,
)
from .similarity import concordance as concordance, cosine_gene as cosine_gene, cosine_spot as cosine_spot
from .transfer import transfer_gap as transfer_gap, transfer_score as transfer_score
