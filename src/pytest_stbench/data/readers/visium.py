"""Visium: the output folders of Space Ranger, spots (versions 1 to 3) and HD bins.

Of a folder ``outs`` these are read: ``filtered_feature_bc_matrix.h5`` (else ``raw_``; names with a
prefix before it are found too), ``spatial/tissue_positions.csv`` (version 2 on, with a header),
``spatial/tissue_positions_list.csv`` (version 1, without) or ``spatial/tissue_positions.parquet``
(HD), ``spatial/scalefactors_json.json`` and, where it is there, ``spatial/tissue_hires_image.png``.
Of Visium HD the folder ``binned_outputs/square_016um`` is taken, or the one that
``params: {bin: square_008um}`` names.

A slide is called like its folder, or like the folder above where that is called ``outs``. Only
spots under tissue and only genes are units and columns; the others are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.image import Image
from pytest_stbench.data.readers.counts import only_genes
from pytest_stbench.data.readers.imaging.source import companion, places_of
from pytest_stbench.data.readers.protocol import RawSlide
from pytest_stbench.data.readers.tenx import read_features, read_matrix
from pytest_stbench.data.readers.tissue import NOTE
from pytest_stbench.data.readers.visium_places import pixel_size, positions_of, positive, scales_of
from pytest_stbench.data.roots import resolve_one
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.registry import nearest
from pytest_stbench.splits.table import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.spec.model import DatasetSpec

RULES = "visium/2"
HD_BINS = ("square_002um", "square_008um", "square_016um")
HD_DEFAULT = "square_016um"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outs:
    """The files of one slide."""

    slide_id: str
    matrix: Path
    positions: Path
    scales: Path
    hires: Path | None
    image: Path | None = None


def open_source(config: DatasetSpec, samples: Sequence[Sample], roots: Sequence[Path]) -> VisiumSource:
    """Find the folders of `samples`.

    Raises
    ------
    DataMissing
        Nothing is there.
    DataError
        A folder that is no output of Space Ranger, a slide without one, a missing image.
    """
    found = _find(config, roots)
    for sample in samples:
        if sample.slide not in found:
            message = (
                f"path {config.path!r}: no folder is slide {sample.slide!r}; there are {listing(found)}"
                f"{nearest(sample.slide, found)}: correct the samples table, or set `slides`"
            )
            raise DataError(message)
    return VisiumSource(config, {s.slide: _with_image(found[s.slide], config, roots) for s in samples})


def index_source(
    config: DatasetSpec,
    roots: Sequence[Path],
    store: Path | None,  # noqa: ARG001 - named by the reader protocol; the names of files are enough
) -> list[Sample]:
    """Return one sample per folder; HD folders are known by their bins."""
    return [
        Sample(
            slide=outs.slide_id,
            technology="Visium HD" if _is_hd(outs) else "Visium",
            resolution="bin" if _is_hd(outs) else "spot",
        )
        for outs in _find(config, roots).values()
    ]


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
        outs = self._slides[slide_id]
        image = outs.image or outs.hires
        return (outs.matrix, outs.positions, outs.scales, *(() if image is None else (image,)))

    def genes(self, slide_id: str) -> tuple[str, ...]:
        """Return the symbols of the genes, each once, in the order of the matrix."""
        return read_features(self._slides[slide_id].matrix).genes

    def read(self, slide_id: str) -> RawSlide:
        """Read the units under tissue with their counts."""
        outs = self._slides[slide_id]
        matrix = read_matrix(outs.matrix)
        barcodes, index, pixels = positions_of(outs.positions)
        place = {name: row for row, name in enumerate(barcodes)}
        known = np.array([name in place for name in matrix.barcodes.tolist()], dtype=bool)
        if not known.any():
            message = (
                f"{outs.positions}: none of its {len(barcodes)} barcodes under tissue is in "
                f"{outs.matrix.name} ({matrix.barcodes[0]} ...): they are of two slides"
            )
            raise DataError(message)
        rows = np.array([place[name] for name in matrix.barcodes[known].tolist()], dtype=np.intp)
        found = only_genes(matrix.counts[np.flatnonzero(known)], matrix.features.names, matrix.features.kinds)
        scales = scales_of(outs.scales)
        hd = _is_hd(outs)
        um_per_px, pitch = pixel_size(outs.positions, outs.scales, scales, pixels, index, hd=hd)
        image, xy_px = self._image(outs, scales, pixels[rows], um_per_px)
        return RawSlide(
            slide_id=slide_id,
            unit_names=matrix.barcodes[known],
            genes=found.genes,
            counts=found.counts,
            xy_um=pixels[rows] * um_per_px,
            xy_px=xy_px,
            array_index=index[rows],
            image=image,
            pitch_um=pitch,
            notes={
                **found.notes,
                NOTE: int((~known).sum()),
                "spots_without_counts": len(barcodes) - int(known.sum()),
            },
        )

    def _image(
        self, outs: Outs, scales: dict[str, Any], pixels: NDArray[np.float64], um_per_px: float
    ) -> tuple[Image | None, NDArray[np.float64] | None]:
        declared = self._config.image
        if declared is not None and outs.image is not None:
            scale = declared.um_per_px
            mpp = float(scale) if isinstance(scale, int | float) else um_per_px
            image, xy_px = Image(outs.image, mpp=mpp, target_mpp=declared.mpp), pixels * (um_per_px / mpp)
        elif outs.hires is not None:
            shrink = positive(scales, "tissue_hires_scalef", outs.scales)
            image, xy_px = Image(outs.hires, mpp=um_per_px / shrink), pixels * shrink
        else:
            return None, None
        image.check()
        return image, xy_px


def _find(config: DatasetSpec, roots: Sequence[Path]) -> dict[str, Outs]:
    found: dict[str, Outs] = {}
    for path in places_of(config, roots):
        if not path.is_dir():
            message = f"{path}: a file; `path` names the output folders of Space Ranger"
            raise DataError(message)
        outs = _outs(path, config)
        if outs.slide_id in found:
            message = (
                f"path {config.path!r}: two folders are slide {outs.slide_id!r}, one is {path}; rename one"
            )
            raise DataError(message)
        found[outs.slide_id] = outs
    return found


def _outs(path: Path, config: DatasetSpec) -> Outs:
    name = path.parent.name if path.name == "outs" else path.name
    folder = path / "outs" if (path / "outs").is_dir() else path
    if (folder / "binned_outputs").is_dir():
        wanted = str(config.params.get("bin", HD_DEFAULT))
        if not (folder / "binned_outputs" / wanted).is_dir():
            there = sorted(p.name for p in (folder / "binned_outputs").iterdir() if p.is_dir())
            message = (
                f"{folder / 'binned_outputs'}: no bins {wanted!r}; there are {listing(there)}; set "
                f"`params: {{bin: ...}}` to one of them (spec: {', '.join(HD_BINS)})"
            )
            raise DataError(message)
        folder = folder / "binned_outputs" / wanted
    spatial = folder / "spatial"
    matrix = companion(
        folder, "filtered_feature_bc_matrix.h5", "*filtered_feature_bc_matrix.h5", "raw_feature_bc_matrix.h5",
        "*raw_feature_bc_matrix.h5",
    )  # fmt: skip
    positions = companion(
        spatial, "tissue_positions.parquet", "tissue_positions.csv", "tissue_positions_list.csv"
    )
    scales = companion(spatial, "scalefactors_json.json")
    lacking = [
        what
        for what, file in (
            ("filtered_feature_bc_matrix.h5", matrix),
            ("spatial/tissue_positions.csv", positions),
            ("spatial/scalefactors_json.json", scales),
        )
        if file is None
    ]
    if matrix is None or positions is None or scales is None:
        message = (
            f"{folder}: not an output folder of Space Ranger: it lacks {' and '.join(lacking)}; `path` names "
            "the folders that hold them"
        )
        raise DataError(message)
    return Outs(
        slide_id=name, matrix=matrix, positions=positions, scales=scales,
        hires=companion(spatial, "tissue_hires_image.png"),
    )  # fmt: skip


def _with_image(outs: Outs, config: DatasetSpec, roots: Sequence[Path]) -> Outs:
    if config.image is None:
        return outs
    from dataclasses import replace
    from glob import escape

    try:
        pattern = config.image.path.replace("{slide}", escape(outs.slide_id))
        return replace(outs, image=resolve_one(pattern, roots, what="image.path"))
    except DataMissing as error:
        message = f"slide {outs.slide_id}: its image is not there: {error}; leave out `image`"
        raise DataError(message) from error


def _is_hd(outs: Outs) -> bool:
    return outs.positions.suffix == ".parquet"
