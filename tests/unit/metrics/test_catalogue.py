from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from pytest_stbench import metrics
from pytest_stbench.metrics.catalogue import METRICS
from pytest_stbench.registry import Catalogue, load_target

CORRELATION = ((-1.0, 1.0), "up", 0.0, None)
EXPECTED = {
    "pearson_gene": ("M01", *CORRELATION),
    "spearman_gene": ("M02", *CORRELATION),
    "pearson_spot": ("M03", *CORRELATION),
    "spearman_spot": ("M03", *CORRELATION),
    "pearson_spot_residual": ("M04", *CORRELATION),
    "partial_pearson_gene": ("M05", *CORRELATION),
    "partial_spearman_gene": ("M05", *CORRELATION),
    "signature_specificity": ("M05b", (0.0, 1.0), "up", 0.0, None),
    "rmse": ("M06", (0.0, None), "down", None, None),
    "mae": ("M07", (0.0, None), "down", None, None),
    "r2": ("M08", (None, 1.0), "up", None, -1.0),
    "cosine_gene": ("M09", *CORRELATION),
    "cosine_spot": ("M09", *CORRELATION),
    "jsd_map": ("M10", (0.0, 1.0), "down", 1.0, None),
    "concordance": ("M11", *CORRELATION),
    "morans_i": ("M12", (None, None), "context", 0.0, None),
    "moran_concordance": ("M13", *CORRELATION),
    "map_ssim": ("M14", (-1.0, 1.0), "up", None, None),
    "svg_recovery": ("M15", (0.0, 1.0), "up", 0.0, None),
    "hvg_recovery": ("M16", (0.0, 1.0), "up", 0.0, None),
    "hotspot_auprc": ("M17", (0.0, 1.0), "up", None, None),
    "top_decile_jaccard": ("M17b", (0.0, 1.0), "up", 0.0, None),
    "niche_jaccard": ("M18", (0.0, 1.0), "up", 0.0, None),
    "niche_overlap": ("M19", (0.0, 1.0), "up", 0.0, None),
    "niche_jaccard_normalised": ("M20", (None, None), "up", 0.0, None),
    "novel_recall": ("M20", (0.0, 1.0), "up", 0.0, None),
    "niche_jaccard_reclustered": ("M20", (0.0, 1.0), "up", 0.0, None),
    "niche_rbo": ("M21a", (0.0, 1.0), "up", 0.0, None),
    "niche_logfc_spearman": ("M21b", *CORRELATION),
    "coexpression_ssim": ("M22", (-1.0, 1.0), "up", None, None),
    "partial_coexpression_ssim": ("M22", (-1.0, 1.0), "up", None, None),
    "niche_coexpression_ssim": ("M22", (-1.0, 1.0), "up", None, None),
    "lr_coexpression_ssim": ("M22", (-1.0, 1.0), "up", None, None),
    "coexpression_ssim_normalised": ("M23", (None, None), "up", None, None),
    "partial_coexpression_ssim_normalised": ("M23", (None, None), "up", None, None),
    "coexpression_mantel": ("M24", *CORRELATION),
    "partial_coexpression_mantel": ("M24", *CORRELATION),
    "coexpression_rv": ("M25", *CORRELATION),
    "partial_coexpression_rv": ("M25", *CORRELATION),
    "module_ari": ("M26", (-0.5, 1.0), "up", None, None),
    "coexpression_sign": ("M27", (0.0, 1.0), "up", None, None),
    "ari": ("M32", (-0.5, 1.0), "up", 0.0, None),
    "nmi": ("M33", (0.0, 1.0), "up", 0.0, None),
    "ami": ("M33", (None, 1.0), "up", 0.0, None),
    "patient_variance": ("M34", (0.0, 1.0), "context", None, None),
    "macro_f1": ("M35", (0.0, 1.0), "up", 0.0, None),
    "balanced_accuracy": ("M36", (0.0, 1.0), "up", 0.0, None),
    "kappa": ("M37", *CORRELATION),
    "pas": ("M38", (0.0, 1.0), "down", None, None),
    "chaos": ("M39", (0.0, None), "down", None, None),
    "spatial_coherence": ("M40", (None, 1.0), "context", None, None),
    "silhouette": ("M41", (0.0, 1.0), "up", None, None),
    "knn_purity": ("M42", (0.0, None), "down", None, None),
    "knn_recall": ("M43", (0.0, 1.0), "up", None, None),
    "proportion_jsd": ("M48", (0.0, 1.0), "down", 1.0, None),
    "proportion_kl": ("M48", (0.0, None), "down", None, None),
    "type_spearman": ("M48", *CORRELATION),
    "type_rmse": ("M48", (0.0, 1.0), "down", None, None),
    "type_rmse_present": ("M48", (0.0, 1.0), "down", None, None),
    "presence_auprc": ("M48", (0.0, 1.0), "up", None, None),
    "dominant_type_accuracy": ("M48", (0.0, 1.0), "up", None, None),
    "ece": ("M49", (0.0, 1.0), "down", None, None),
    "brier": ("M49", (0.0, 2.0), "down", None, None),
    "dice": ("M44", (0.0, 1.0), "up", 0.0, None),
    "segmentation_ap": ("M45", (0.0, 1.0), "up", 0.0, None),
    "pq": ("M46", (0.0, 1.0), "up", 0.0, None),
    "aji": ("M47", (0.0, 1.0), "up", 0.0, None),
    "count_error": ("T10", (0.0, None), "down", None, None),
    "doublet_rate": ("T10", (0.0, 1.0), "down", 1.0, None),
    "transcripts_assigned": ("T10", (0.0, 1.0), "context", None, None),
    "lr_auprc": ("M28", (0.0, 1.0), "up", None, None),
    "lr_spearman": ("M29", *CORRELATION),
    "lr_local": ("M30", *CORRELATION),
    "lr_pathway": ("M31", *CORRELATION),
    "calibration_slope": ("M50", (None, None), "context", None, None),
    "auprc": ("T04", (0.0, 1.0), "up", None, None),
    "auroc": ("T04", (0.0, 1.0), "up", None, None),
    "detection_f1": ("T04", (0.0, 1.0), "up", None, None),
    "false_positives_per_mm2": ("T04", (0.0, None), "down", None, None),
    "transfer_score": ("T13", (None, None), "up", None, None),
    "transfer_gap": ("T13", (None, None), "down", None, None),
    "retained_fraction": ("T14", (None, None), "up", 0.0, None),
    "self_consistency": ("T14", (-1.0, 1.0), "up", 0.0, None),
    "robust_share": ("T14", (0.0, 1.0), "up", None, None),
}


def test_records_say_what_the_metric_reference_says():
    found = {r.name: (r.id, r.bounds, r.better, r.fill, r.floor) for r in METRICS}
    assert {name: found.get(name) for name in EXPECTED} == EXPECTED
    ids = [record.id for record in METRICS]
    assert ids == sorted(ids)
    assert Catalogue("metric", METRICS).names == tuple(found)


@pytest.mark.parametrize("record", METRICS, ids=lambda record: record.name)
def test_a_record_fits_its_function(record):
    function = load_target(record.target)
    assert function.__name__ == record.name
    assert getattr(metrics, record.name) is function
    parameters = inspect.signature(function).parameters
    required = {n for n, p in parameters.items() if p.default is p.empty}
    assert required <= {"truth", "prediction", *record.inputs} <= parameters.keys()
    if record.needs == "expression":
        assert required == {"truth", "prediction", *record.inputs}
        assert ("genes" in parameters, "units" in parameters) == (
            record.over != "unit",
            record.over == "unit",
        )
        assert "measured" in parameters
    assert record.params.keys() <= parameters.keys()
    assert all(parameters[name].default == value for name, value in record.params.items())
    assert record.summary
    assert not record.summary.endswith(".")
    assert function.__doc__
    directions = {
        "up": ("higher is better",),
        "down": ("lower is better",),
        "context": ("1 is ideal", "higher is better", "neither direction is better"),
    }[record.better]
    assert any(direction in " ".join(function.__doc__.split()) for direction in directions)


def test_the_package_offers_every_public_name():
    assert set(EXPECTED) <= set(metrics.__all__) == set(dir(metrics))
    for name in metrics.__all__:
        assert getattr(metrics, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'pearson'"):
        metrics.pearson  # noqa: B018 (looking the name up is the test)


def test_the_catalogue_imports_nothing_heavy():
    code = (
        "import sys\n"
        "import pytest_stbench.metrics, pytest_stbench.metrics.catalogue, pytest_stbench.kernels\n"
        "heavy = {'numpy', 'scipy', 'pandas', 'anndata', 'scanpy', 'sklearn', 'numba', 'pytest'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
