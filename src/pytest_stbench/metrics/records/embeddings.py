"""Neighbours in an embedding: of the same label, of the same patient."""

from __future__ import annotations

from pytest_stbench.registry import Metric

_HERE = "pytest_stbench.metrics"

RECORDS: tuple[Metric, ...] = (
    Metric(
        id="M34",
        name="patient_variance",
        summary="Share of the variance of an embedding that lies between patients",
        bounds=(0.0, 1.0),
        better="context",
        fill=None,
        needs="embedding",
        over="slide",
        group="embedding",
        inputs=("patients",),
        target=f"{_HERE}.embeddings:patient_variance",
    ),
    Metric(
        id="M41",
        name="silhouette",
        summary="Silhouette of the true labels in an embedding, 0.5 without separation",
        bounds=(0.0, 1.0),
        better="up",
        fill=None,
        needs="embedding",
        over="slide",
        group="embedding",
        inputs=("patients", "slide"),
        target=f"{_HERE}.embeddings:silhouette",
        source="10.1016/0377-0427(87)90125-7",
    ),
    Metric(
        id="M42",
        name="knn_purity",
        summary="Neighbours of the same patient over those expected by chance; 1 is fully mixed",
        bounds=(0.0, None),
        better="down",
        fill=None,
        needs="embedding",
        over="slide",
        group="embedding",
        inputs=("patients",),
        target=f"{_HERE}.embeddings:knn_purity",
        source="10.1038/s41592-018-0254-1",
    ),
    Metric(
        id="M43",
        name="knn_recall",
        summary="Macro-recall of labels read off the nearest units of other patients",
        bounds=(0.0, 1.0),
        better="up",
        fill=None,
        needs="embedding",
        over="slide",
        group="embedding",
        inputs=("patients", "patient"),
        target=f"{_HERE}.embeddings:knn_recall",
    ),
)
