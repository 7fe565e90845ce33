"""Scores across technologies and under perturbed inputs."""

from __future__ import annotations

from pytest_stbench.registry import Metric

_HERE = "pytest_stbench.metrics"

RECORDS: tuple[Metric, ...] = (
    Metric(
        id="T13",
        name="transfer_score",
        summary="Score of slides by a model that was trained on another technology",
        bounds=(None, None),
        better="up",
        fill=None,
        needs="transfer",
        over="slide",
        group="transfer",
        inputs=("down",),
        target=f"{_HERE}.transfer:transfer_score",
    ),
    Metric(
        id="T13",
        name="transfer_gap",
        summary="Score of a model trained on the slide's own technology minus that of one trained on another",
        bounds=(None, None),
        better="down",
        fill=None,
        needs="transfer",
        over="slide",
        group="transfer",
        inputs=("down",),
        target=f"{_HERE}.transfer:transfer_gap",
    ),
    Metric(
        id="T14",
        name="retained_fraction",
        summary="Share of the gain over the trivial baseline that is left under each perturbation",
        bounds=(None, None),
        better="up",
        fill=0.0,
        needs="robustness",
        over="perturbation",
        group="robustness",
        inputs=("scores", "trivial", "down"),
        target=f"{_HERE}.robustness:retained_fraction",
    ),
    Metric(
        id="T14",
        name="self_consistency",
        summary="Correlation of each perturbed prediction with the clean one",
        bounds=(-1.0, 1.0),
        better="up",
        fill=0.0,
        needs="robustness",
        over="perturbation",
        group="robustness",
        target=f"{_HERE}.robustness:self_consistency",
    ),
    Metric(
        id="T14",
        name="robust_share",
        summary="Share of the perturbations under which a model keeps what a robust one keeps",
        bounds=(0.0, 1.0),
        better="up",
        fill=None,
        needs="robustness",
        over="perturbation",
        group="robustness",
        inputs=("scores", "trivial", "down", "expected"),
        target=f"{_HERE}.robustness:robust_share",
    ),
)
