"""Ligand-receptor pairs across neighbours."""

from __future__ import annotations

from pytest_stbench.registry import Metric

_HERE = "pytest_stbench.metrics"

RECORDS: tuple[Metric, ...] = (
    Metric(
        id="M28",
        name="lr_auprc",
        summary="Average precision of finding the active ligand-receptor pairs of a slide",
        bounds=(0.0, 1.0),
        better="up",
        fill=None,
        over="slide",
        genes="communication",
        group="communication",
        inputs=("genes", "graph", "libsize", "lr_threshold", "pairs"),
        target=f"{_HERE}.communication:lr_auprc",
        statistic=f"{_HERE}.pair_arms:pair_associations",
        source="10.1371/journal.pone.0118432; 10.1007/s101090100064",
    ),
    Metric(
        id="M29",
        name="lr_spearman",
        summary="Spearman correlation of true and predicted association over ligand-receptor pairs",
        bounds=(-1.0, 1.0),
        better="up",
        fill=0.0,
        over="slide",
        genes="communication",
        group="communication",
        inputs=("genes", "graph", "libsize", "pairs"),
        target=f"{_HERE}.communication:lr_spearman",
        statistic=f"{_HERE}.pair_arms:pair_associations",
        source="10.1007/s101090100064",
    ),
    Metric(
        id="M30",
        name="lr_local",
        summary="Pearson correlation of the true and the predicted map of each active ligand-receptor pair",
        bounds=(-1.0, 1.0),
        better="up",
        fill=0.0,
        over="pair",
        genes="communication",
        group="communication",
        inputs=("genes", "graph", "libsize", "lr_threshold", "pairs"),
        target=f"{_HERE}.communication:lr_local",
        source="10.1038/s41467-023-39608-w",
    ),
    Metric(
        id="M31",
        name="lr_pathway",
        summary="Spearman correlation of true and predicted mean association over pathways",
        bounds=(-1.0, 1.0),
        better="up",
        fill=0.0,
        over="slide",
        genes="communication",
        group="communication",
        inputs=("genes", "graph", "libsize", "pairs", "pathways"),
        target=f"{_HERE}.communication:lr_pathway",
        statistic=f"{_HERE}.pair_arms:pair_associations",
    ),
)
