"""Visium: the output folders of Space Ranger, spots (versions 1 to 4), HD bins and cells (version 4).

Of a folder ``outs`` these are read: ``filtered_feature_bc_matrix.h5`` (else ``raw_``; names with a
prefix before it are found too), ``spatial/tissue_positions.csv`` (version 2 on, with a header),
``spatial/tissue_positions_list.csv`` (version 1, without) or ``spatial/tissue_positions.parquet``,
``spatial/scalefactors_json.json`` and, where it is there, ``spatial/tissue_hires_image.png``.
Of Visium HD the folder ``binned_outputs/square_016um`` is taken, or the one that
``params: {bin: square_008um}`` names; ``params: {bin: segmented_outputs}`` takes the cells, which are
also taken where there are no bins: ``filtered_feature_cell_matrix.h5``, ``cell_segmentations.geojson``
and, where it is there, ``nucleus_segmentations.geojson``. Bins are known by their folder or by
``bin_size_um`` of the scale factors, cells by their matrix.

A slide is called like its folder, or like the folder above where that is called ``outs``; where
several are called alike, like the folder of the run. Only spots under tissue and only genes are units
and columns; the others are counted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.image import Image
from pytest_stbench.data.readers.counts import only_genes
from pytest_stbench.data.readers.files import json_of, of_slide, refuse_absent
from pytest_stbench.data.readers.protocol import RawSlide
from pytest_stbench.data.readers.tenx import read_features, read_matrix
from pytest_stbench.data.readers.tissue import NOTE
from pytest_stbench.data.readers.visium_outs import find_outs
from pytest_stbench.data.readers.visium_places import (
    WITHOUT_OUTLINE,
    outlines_of,
    pixel_size,
    placed,
    positions_of,
    positive,
)
from pytest_stbench.errors import DataError
from pytest_stbench.extend import reader
from pytest_stbench.splits.table import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.data.readers.visium_outs import Outs
    from pytest_stbench.spec.model import DatasetSpec

RULES = "visium/3"


def index_source(config: DatasetSpec, roots: Sequence[Path], store: Path | None) -> list[Sample]:  # noqa: ARG001  # the signature of an index
    """Return one sample per folder."""
    return [
        Sample(
            slide=outs.slide_id,
            technology="Visium" if outs.kind == "spot" else "Visium HD",
            resolution=outs.kind,
        )
        for outs in find_outs(config, roots).values()
    ]


@reader(
    "R03",
    "visium",
    index=index_source,
    settings=("bin",),
    needs_path=True,
    files="`filtered_feature_bc_matrix.h5`, `spatial/tissue_positions*.csv` (HD: `.parquet`), "
    "`spatial/scalefactors_json.json`, `spatial/tissue_hires_image.png` of the folders named by `path`; "
    "of `segmented_outputs` `filtered_feature_cell_matrix.h5`, `*_segmentations.geojson`",
    source="https://www.10xgenomics.com/support/software/space-ranger",
)
def open_source(config: DatasetSpec, samples: Sequence[Sample], roots: Sequence[Path]) -> VisiumSource:
    """Output folders of Space Ranger: Visium spots (versions 1 to 4), bins and cells of Visium HD.

    Find the folders of `samples`.

    Raises
    ------
    DataMissing
        Nothing is there.
    DataError
        A folder that is no output of Space Ranger, a slide without one, a missing image.
    """
    found = find_outs(config, roots)
    refuse_absent(config, samples, tuple(found), "folder")
    chosen = {sample.slide: found[sample.slide] for sample in samples}
    if config.image is not None:
        path = config.image.path
        chosen = {s: replace(outs, image=of_slide(s, path, roots)) for s, outs in chosen.items()}
    return VisiumSource(config, chosen)


class VisiumSource:
    """Slides in output folders of Space Ranger."""

    def __init__(self, config: DatasetSpec, slides: dict[str, Outs]) -> None:
        self._config = config
        self._slides = slides

    def fingerprint(self) -> str:
        """Return the version of the reading rules."""
        return RULES

    def offers(self) -> frozenset[str]:
        """Return ``image`` where every slide has one, declared or of Space Ranger."""
        every = all(outs.image is not None or outs.hires is not None for outs in self._slides.values())
        return frozenset({"image"} if every else ())

    def files(self, slide_id: str) -> tuple[Path, ...]:
        """Return the files the slide is read from."""
        return self._slides[slide_id].files

    def genes(self, slide_id: str) -> tuple[str, ...]:
        """Return the symbols of the genes, each once, in the order of the matrix."""
        return read_features(self._slides[slide_id].matrix).genes

    def ensembl_ids(self, slide_id: str) -> dict[str, str]:
        """Return the Ensembl id of each gene."""
        return read_features(self._slides[slide_id].matrix).ensembl_ids

    def read(self, slide_id: str) -> RawSlide:
        """Read the units under tissue, or the cells, with their counts."""
        outs = self._slides[slide_id]
        return self._cells(outs) if outs.positions is None else self._squares(outs, outs.positions)

    def _squares(self, outs: Outs, positions: Path) -> RawSlide:
        matrix = read_matrix(outs.matrix)
        barcodes, index, pixels = positions_of(positions)
        place = {name: row for row, name in enumerate(barcodes)}
        known = np.array([name in place for name in matrix.barcodes.tolist()], dtype=bool)
        if not known.any():
            raise DataError(
                f"{positions}: none of its {len(barcodes)} barcodes under tissue is in "
                f"{outs.matrix.name} ({matrix.barcodes[0]} ...): they are of two slides"
            )
        rows = np.array([place[name] for name in matrix.barcodes[known].tolist()], dtype=np.intp)
        found = only_genes(matrix.counts[np.flatnonzero(known)], matrix.features.names, matrix.features.kinds)
        scales = json_of(outs.scales)
        um_per_px, pitch = pixel_size(outs, scales, pixels, index)
        image, xy_px = self._image(outs, scales, pixels[rows], um_per_px)
        return RawSlide(
            slide_id=outs.slide_id,
            unit_names=matrix.barcodes[known],
            genes=found.genes,
            counts=found.counts,
            xy_um=pixels[rows] * um_per_px,
            xy_px=xy_px,
            array_index=index[rows],
            image=image,
            measures=found.measures,
            pitch_um=pitch,
            notes={
                **found.notes,
                NOTE: int((~known).sum()),
                "spots_without_counts": len(barcodes) - int(known.sum()),
            },
        )

    def _cells(self, outs: Outs) -> RawSlide:
        matrix = read_matrix(outs.matrix)
        found = only_genes(matrix.counts, matrix.features.names, matrix.features.kinds)
        scales = json_of(outs.scales)
        um_per_px = positive(scales, "microns_per_pixel", outs.scales)
        outlines = outlines_of(outs, um_per_px, matrix.barcodes.tolist())
        xy_um, um2, without = placed(outs, outlines["cell"], matrix.barcodes)
        image, xy_px = self._image(outs, scales, xy_um / um_per_px, um_per_px)
        return RawSlide(
            slide_id=outs.slide_id,
            unit_names=matrix.barcodes,
            genes=found.genes,
            counts=found.counts,
            xy_um=xy_um,
            xy_px=xy_px,
            image=image,
            measures={**found.measures, "cell_area_um2": um2},
            segmentations=outlines,
            notes={**found.notes, WITHOUT_OUTLINE: without},
        )

    def _image(
        self, outs: Outs, scales: dict[str, Any], pixels: NDArray[np.float64], um_per_px: float
    ) -> tuple[Image | None, NDArray[np.float64] | None]:
        declared = self._config.image
        if declared is not None and outs.image is not None:
            scale = declared.um_per_px
            own = isinstance(scale, int | float)
            mpp = float(scale) if isinstance(scale, int | float) else um_per_px
            said_by = "image.um_per_px" if own else outs.scales.name
            image = Image.declared(outs.image, declared, mpp, said_by=said_by)
            return image, pixels * (um_per_px / mpp)
        if outs.hires is None:
            return None, None
        shrink = positive(scales, "tissue_hires_scalef", outs.scales)
        image = Image(outs.hires, mpp=um_per_px / shrink)
        image.check()
        return image, pixels * shrink
