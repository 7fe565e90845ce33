"""The simulated cohort as a source of slides."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from pytest_stbench.data.image import Image
from pytest_stbench.data.readers.protocol import RawSlide
from pytest_stbench.data.simulate.expression import draw_counts
from pytest_stbench.data.simulate.lattice import PITCH_UM
from pytest_stbench.data.simulate.params import parse_params
from pytest_stbench.data.simulate.programmes import panel
from pytest_stbench.data.simulate.render import MPP, render
from pytest_stbench.data.simulate.streams import stream_probe
from pytest_stbench.data.simulate.table import simulated_samples
from pytest_stbench.data.simulate.tissue import draw_tissue
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample

GENERATOR = "simulated/1"
"""Version of the generator: the number changes whenever the same parameters give other data."""


class SimulatedSource:
    """A cohort that is generated slide by slide; each depends on the seed and its own name only."""

    def __init__(self, config: DatasetSpec) -> None:
        self.params = parse_params(config.params)
        self._patients = {sample.slide: str(sample.patient) for sample in simulated_samples(config)}
        self._panel = panel(self.params.genes)

    def genes(self, slide_id: str) -> tuple[str, ...]:
        """Return the symbols of the panel, sorted; all slides share them."""
        self.patient(slide_id)
        return tuple(self._panel)

    def patient(self, slide_id: str) -> str:
        """Return the patient whose effects a slide carries; unknown slides are a ``DataError``."""
        if slide_id not in self._patients:
            slides = list(self._patients)
            message = (
                f"simulated data set: there is no slide {slide_id!r}{nearest(slide_id, slides)} "
                f"(slides: {slides[0]} to {slides[-1]})"
            )
            raise DataError(message)
        return self._patients[slide_id]

    def read(self, slide_id: str) -> RawSlide:
        """Generate one slide."""
        patient = self.patient(slide_id)
        tissue = draw_tissue(self.params.seed, slide_id, self.params.units)
        lattice = tissue.lattice
        state = tissue.at(lattice.xy_um)
        counts = draw_counts(self.params, patient, slide_id, tissue, state)
        image = None
        if self.params.image:
            # rendered when it is asked for: half of the families never look at it
            image = Image(partial(render, self.params.seed, patient, slide_id, tissue, state), mpp=MPP)
        return RawSlide(
            slide_id=slide_id,
            unit_names=np.array([f"{row}x{column}" for row, column in lattice.array_index], dtype=np.str_),
            genes=np.array(list(self._panel), dtype=np.str_),
            counts=csr_matrix(counts),
            xy_um=lattice.xy_um,
            xy_px=lattice.xy_um / MPP if image is not None else None,
            array_index=lattice.array_index,
            image=image,
            labels={"niche": state.niche_names()},
            pitch_um=PITCH_UM,
        )

    def offers(self) -> frozenset[str]:
        """Return ``image`` where slides are rendered."""
        return frozenset({"image"} if self.params.image else ())

    def files(self, slide_id: str) -> tuple[Path, ...]:
        """Return no file: simulated slides depend on none."""
        self.patient(slide_id)
        return ()

    def fingerprint(self) -> str:
        """Return a digest of the generator, all parameters, the panel and numpy's distributions."""
        facts = {
            "generator": GENERATOR,
            "params": self.params.as_dict(),
            "panel": self._panel,
            "streams": stream_probe(),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def open_source(
    config: DatasetSpec,
    samples: Sequence[Sample],
    roots: Sequence[Path],  # noqa: ARG001 - named by the reader protocol; nothing is looked for on disk
) -> SimulatedSource:
    """Return the simulated cohort that `config.params` describes.

    Raises ``DataError`` for wrong parameters, or when `samples` names a slide the cohort does not
    have.
    """
    source = SimulatedSource(config)
    for sample in samples:
        source.patient(sample.slide)
    return source
