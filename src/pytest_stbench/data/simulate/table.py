"""The samples table of a simulated cohort, made from its parameters by the standard library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_stbench.data.simulate.params import parse_params
from pytest_stbench.splits.table import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_stbench.spec.model import DatasetSpec


def index_source(
    config: DatasetSpec,
    roots: Sequence[Path],  # noqa: ARG001 - named by the reader protocol; no file is looked at
    store: Path | None,  # noqa: ARG001 - likewise
) -> tuple[Sample, ...]:
    """Return the samples of the cohort; see :func:`simulated_samples`."""
    return simulated_samples(config)


def simulated_samples(config: DatasetSpec) -> tuple[Sample, ...]:
    """Return one row per slide, ``P01S1`` being the first slide of patient ``P01``.

    What the data set's own keys declare (``organ``, ``panel`` ...) goes before what the generator
    says of itself. Raises ``DataError`` for wrong parameters.
    """
    params = parse_params(config.params)
    slides = [
        (f"P{patient:02d}", f"P{patient:02d}S{number}")
        for patient in range(1, params.patients + 1)
        for number in range(1, params.slides_per_patient + 1)
    ]
    return tuple(
        Sample(
            slide=slide,
            patient=patient,
            site=config.site or "simulated",
            technology=config.technology or "Visium",
            panel=config.panel or f"simulated_{params.genes}",
            corpus=config.corpus or "simulated",
            organ=config.organ or "breast",
            disease=config.disease or "carcinoma",
            preservation=config.preservation or "FFPE",
            resolution=config.resolution or "spot",
        )
        for patient, slide in slides
    )
