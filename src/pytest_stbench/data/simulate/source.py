"""The simulated cohort as a source of slides."""

from __future__ import annotations

import hashlib
import json
from copy import copy
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

from pytest_stbench.data.image import Image
from pytest_stbench.data.readers.protocol import RawSlide
from pytest_stbench.data.simulate.cells.expression import CellCounts, CellTranscripts
from pytest_stbench.data.simulate.cells.layout import Ellipses, draw_cells
from pytest_stbench.data.simulate.cells.section import draw_section
from pytest_stbench.data.simulate.cells.types import NAMES
from pytest_stbench.data.simulate.defects.apply import (
    keeps_transcripts,
    params_with_defects,
    spoil_slide,
)
from pytest_stbench.data.simulate.defects.genes import plan_genes
from pytest_stbench.data.simulate.expression import draw_counts, panel_genes, pool
from pytest_stbench.data.simulate.params import BOUNDS, parse_params
from pytest_stbench.data.simulate.render import MPP, render, render_cells
from pytest_stbench.data.simulate.settings import NICHES
from pytest_stbench.data.simulate.table import index_source, leaked_patients, members
from pytest_stbench.data.simulate.tissue import PITCH_UM, draw_tissue
from pytest_stbench.errors import DataError
from pytest_stbench.extend import reader
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.protocol import KeepsCounts
    from pytest_stbench.data.simulate.table import Member
    from pytest_stbench.spec.model import DatasetSpec
    from pytest_stbench.splits.table import Sample

GENERATOR = "simulated/3"
"""Version of the generator: the number changes whenever the same parameters give other data."""


class SimulatedSource:
    """A cohort that is generated slide by slide; each depends on the seed and its own name only."""

    def __init__(self, config: DatasetSpec) -> None:
        self.params = params_with_defects(parse_params(config.params))
        cohort = members(self.params)
        share = self.params.defects.get("patient_leakage")
        leaked = leaked_patients(share, [row.patient for row in cohort]) if share else {}
        self._members: dict[str, Member] = {
            row.slide: replace(row, patient=cohort[0].patient) if row.patient in leaked else row
            for row in cohort
        }
        if "slide_leakage" in self.params.defects:
            self._members[cohort[-1].slide] = cohort[0]
        self._keep: KeepsCounts | None = None
        self._mark = ""

    def keep_counts(self, keep: KeepsCounts) -> None:
        """Have the counts of slides from `keep`: to draw them is most of what a cohort costs."""
        self._keep = keep

    def _kept(self, member: Member, make: Callable[[], csr_matrix]) -> csr_matrix:
        if self._keep is None:
            return make()
        return self._keep(json.dumps([self.fingerprint(), asdict(member)], sort_keys=True), make)

    def genes(self, slide_id: str) -> tuple[str, ...]:
        """Return the symbols the slide measured, sorted but for defects."""
        names = panel_genes(self.params, self.member(slide_id).panel)
        return plan_genes(self.params, slide_id, names).names

    def member(self, slide_id: str) -> Member:
        """Return whose a slide is; unknown slides are a ``DataError``."""
        if slide_id not in self._members:
            slides = list(self._members)
            raise DataError(
                f"simulated data set: there is no slide {slide_id!r}{nearest(slide_id, slides)} "
                f"(slides: {slides[0]} to {slides[-1]})"
            )
        return self._members[slide_id]

    def read(self, slide_id: str) -> RawSlide:
        """Generate one slide, with the defects that are asked for."""
        member = self.member(slide_id)
        clean = self._cells(member) if self.params.resolution == "cell" else self._spots(member)
        place = list(self._members).index(slide_id)
        return spoil_slide(self.params, replace(clean, slide_id=slide_id), place)

    def _spots(self, member: Member) -> RawSlide:
        tissue = draw_tissue(self.params.seed, member.slide, self.params.units)
        lattice = tissue.lattice
        state = tissue.at(lattice.xy_um)
        draw = partial(draw_counts, self.params, member, tissue, state)
        image = None
        if self.params.image:
            # rendered when it is asked for: half of the families never look at it
            image = Image(partial(render, self.params, member, tissue, state), mpp=MPP)
        return RawSlide(
            slide_id=member.slide,
            unit_names=np.array([f"{row}x{column}" for row, column in lattice.array_index], dtype=np.str_),
            genes=np.array(panel_genes(self.params, member.panel), dtype=np.str_),
            counts=self._kept(member, lambda: csr_matrix(draw())),
            xy_um=lattice.xy_um,
            xy_px=lattice.xy_um / MPP if image is not None else None,
            array_index=lattice.array_index,
            image=image,
            labels={"niche": state.niche_names()},
            pitch_um=PITCH_UM,
        )

    def _cells(self, member: Member) -> RawSlide:
        params = self.params
        section = draw_section(params.seed, member.slide, params.units)
        cells = draw_cells(params.seed, member.slide, section)
        genes = panel_genes(params, member.panel)
        counts = self._kept(member, lambda: CellCounts(params, member, section, cells).matrix())
        image = None
        if params.image:
            image = Image(partial(render_cells, params, member, section, cells), mpp=params.mpp)
        return RawSlide(
            slide_id=member.slide,
            unit_names=cells.names,
            genes=np.array(genes, dtype=np.str_),
            counts=counts,
            xy_um=cells.xy_um,
            xy_px=cells.xy_um / params.mpp if image is not None else None,
            image=image,
            labels={
                "niche": np.array(NICHES, dtype=object)[cells.niche],
                "cell_type": np.array(NAMES, dtype=object)[cells.kind],
                "tls": np.where(cells.in_tls, "tls", "other").astype(object),
            },
            measures={"nucleus_area_um2": np.pi * cells.nucleus_um.prod(axis=1)},
            transcripts=CellTranscripts(
                seed=params.seed, slide_id=member.slide, genes=genes, counts=counts, cells=cells
            ),
            segmentations={kind: Ellipses(cells=cells, kind=kind) for kind in ("cell", "nucleus")},
        )

    def offers(self) -> frozenset[str]:
        """Return ``image`` where slides are rendered, ``transcripts`` of cells that are not spoilt."""
        found = {"image"} if self.params.image else set()
        molecules = self.params.resolution == "cell" and keeps_transcripts(self.params)
        return frozenset(found | ({"transcripts"} if molecules else set()))

    def files(self, slide_id: str) -> tuple[Path, ...]:
        """Return no file: simulated slides depend on none."""
        self.member(slide_id)
        return ()

    def fingerprint(self) -> str:
        """Return a digest of the generator, all parameters, the genes, and of what is drawn.

        That is the last slide, which has all defects, with as few units as a slide may have: where
        the generator or a library it calls gives other numbers, the cohort is another one.
        """
        if self._mark:
            return self._mark
        small = copy(self)
        small._keep = None  # what is drawn today, by the libraries of today
        small.params = replace(self.params, units=int(BOUNDS["units"][0]))
        facts = {
            "generator": GENERATOR,
            "params": asdict(self.params),
            "panel": pool(self.params),
            "drawn": drawn(small.read(list(self._members)[-1])),
        }
        self._mark = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return self._mark


@reader("R02", "simulated", index=index_source)
def open_source(
    config: DatasetSpec,
    samples: Sequence[Sample],
    roots: Sequence[Path],  # noqa: ARG001 - named by the reader protocol; nothing is looked for on disk
) -> SimulatedSource:
    """A seeded tumour cohort of several patients with known truth; `params` sets it up.

    Raises ``DataError`` for wrong parameters, or when `samples` names a slide the cohort does not
    have.
    """
    source = SimulatedSource(config)
    for sample in samples:
        source.member(sample.slide)
    return source


DECIMALS = 4
"""Decimals of numbers that are not whole: coarser than their last digits, which differ between machines."""


def drawn(slide: RawSlide) -> str:
    """Return a digest of counts, places, names, labels, measures, transcripts and image of a slide."""
    counts = slide.counts.tocsr().sorted_indices()
    parts: list[NDArray[Any]] = [counts.indptr, counts.indices, counts.data, slide.xy_um]
    parts += [slide.genes, slide.unit_names, *_by_name(slide.labels), *_by_name(slide.measures)]
    if slide.transcripts is not None:
        for batch in slide.transcripts.batches():
            parts += [batch.x_um, batch.y_um, batch.feature]
    if slide.image is not None:
        parts.append(slide.image.pixels())
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"\n{part.shape}".encode() + _as_bytes(part))
    return digest.hexdigest()


def _by_name(columns: Any) -> list[NDArray[Any]]:
    return [values for name in sorted(columns) for values in (np.array([name]), columns[name])]


def _as_bytes(values: NDArray[Any]) -> bytes:
    """Return bytes that are equal for equal values, whatever their type and the order of bytes."""
    if values.dtype.kind in "OUT":
        return "\0".join(map(str, values.ravel().tolist())).encode()
    if values.dtype.kind in "iub":
        return values.astype("<i8").tobytes()
    whole = np.round(np.nan_to_num(values.astype("<f8"), nan=-1e30, posinf=1e30, neginf=-2e30), DECIMALS)
    data: bytes = (whole + 0.0).tobytes()
    return data
