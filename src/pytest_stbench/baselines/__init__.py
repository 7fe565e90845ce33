"""The yardsticks: transparent baselines that every score is read against, one file each."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Coords": "coords",
    "GeneGeneRidge": "gene_gene_ridge",
    "HeColour": "he_colour",
    "HestProbe": "hest_probe",
    "Knn": "knn",
    "Libsize": "libsize",
    "OraclePatientMean": "oracle_patient_mean",
    "OtsuWatershed": "otsu_watershed",
    "PcaRidge": "pca_ridge",
    "Smooth": "smooth",
    "TrainMean": "train_mean",
    "VoronoiNuclei": "voronoi_nuclei",
    "shuffled": "controls",
    "shuffled_genes": "controls",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
