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

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.image import Image
from pytest_stbench.data.readers.counts import as_counts, sum_duplicate_columns
from pytest_stbench.data.readers.imaging.source import companion, places_of
from pytest_stbench.data.readers.imaging.tables import columns_of, text, whole
from pytest_stbench.data.readers.protocol import RawSlide
from pytest_stbench.data.readers.tenx import read_features, read_matrix
from pytest_stbench.data.roots import resolve_one
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.kernels.graph import median_nn_distance
from pytest_stbench.registry import nearest
from pytest_stbench.splits.table import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pytest_stbench.spec.model import DatasetSpec

RULES = "visium/1"
POSITIONS = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")
SPOT_PITCH_UM = 100.0
SPOT_DIAMETER_UM = 55.0
HD_BINS = ("square_002um", "square_008um", "square_016um")
HD_DEFAULT = "square_016um"
PITCH_TOLERANCE = 0.1
"""Relative difference of the two ways to the pixel size above which one of them is wrong."""


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
        features = read_features(self._slides[slide_id].matrix)
        return tuple(dict.fromkeys(features.names[features.is_gene].tolist()))

    def read(self, slide_id: str) -> RawSlide:
        """Read the units under tissue with their counts."""
        outs = self._slides[slide_id]
        matrix = read_matrix(outs.matrix)
        barcodes, index, pixels = _positions(outs.positions)
        place = {name: row for row, name in enumerate(barcodes)}
        known = np.array([name in place for name in matrix.barcodes.tolist()], dtype=bool)
        if not known.any():
            message = (
                f"{outs.positions}: none of its {len(barcodes)} barcodes under tissue is in "
                f"{outs.matrix.name} ({matrix.barcodes[0]} ...): they are of two slides"
            )
            raise DataError(message)
        rows = np.array([place[name] for name in matrix.barcodes[known].tolist()], dtype=np.intp)
        is_gene = matrix.features.is_gene
        kept = np.flatnonzero(is_gene)
        counts, genes, duplicates = sum_duplicate_columns(
            as_counts(matrix.counts[np.flatnonzero(known)][:, kept].tocsr()), matrix.features.names[kept]
        )
        scales = _scales(outs.scales)
        hd = _is_hd(outs)
        um_per_px, pitch = _um_per_px(outs, scales, pixels, index, hd=hd)
        image, xy_px = self._image(outs, scales, pixels[rows], um_per_px)
        return RawSlide(
            slide_id=slide_id,
            unit_names=matrix.barcodes[known],
            genes=genes,
            counts=counts,
            xy_um=pixels[rows] * um_per_px,
            xy_px=xy_px,
            array_index=index[rows],
            image=image,
            pitch_um=pitch,
            notes={
                **duplicates,
                "features_that_are_no_genes": int((~is_gene).sum()),
                "barcodes_not_under_tissue": int((~known).sum()),
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
            shrink = _positive(scales, "tissue_hires_scalef", outs.scales)
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


def _positions(path: Path) -> tuple[list[str], NDArray[np.int64], NDArray[np.float64]]:
    """Return barcodes, array index (row, column) and pixels (x, y) of the units under tissue."""
    there = columns_of(path)
    if path.name == "tissue_positions_list.csv" and "barcode" not in there:
        import pandas as pd

        if len(there) != len(POSITIONS):
            message = f"{path}: {len(there)} columns, expected {len(POSITIONS)} ({', '.join(POSITIONS)})"
            raise DataError(message)
        table = pd.read_csv(path, header=None, names=list(POSITIONS))
    else:
        table = whole(path, POSITIONS)
    inside = table[table["in_tissue"] == 1]
    if not len(inside):
        message = f"{path}: no spot is under tissue (in_tissue 1); run the tissue detection again"
        raise DataError(message)
    return (
        text(inside["barcode"]),
        inside[["array_row", "array_col"]].to_numpy(np.int64),
        inside[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(np.float64),
    )


def _scales(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path}: cannot be read as JSON ({error}); copy the folder anew"
        raise DataError(message) from error
    if not isinstance(found, dict):
        message = f"{path}: holds no mapping; copy the folder anew"
        raise DataError(message)
    return found


def _um_per_px(
    outs: Outs, scales: dict[str, Any], pixels: NDArray[np.float64], index: NDArray[np.int64], *, hd: bool
) -> tuple[float, float]:
    """Return the size of a pixel of the full-resolution image, and the pitch in um.

    Spots: the pitch of 100 um over the distance of neighbours; the spot diameter of the scale
    factors must agree. HD: the file says it.
    """
    if hd:
        scale = _positive(scales, "microns_per_pixel", outs.scales)
        return scale, _positive(scales, "bin_size_um", outs.scales)
    distance = _lattice_pitch(pixels, index)
    if not np.isfinite(distance) or distance <= 0:
        message = (
            f"{outs.positions}: neighbouring spots have no distance in pixels; the coordinates are damaged"
        )
        raise DataError(message)
    scale = SPOT_PITCH_UM / distance
    diameter = scales.get("spot_diameter_fullres")
    if isinstance(diameter, int | float) and diameter > 0:
        # Space Ranger's diameter is that of the fiducial-calibrated spot: 55 um, in version 1 about 65.
        by_spot = (SPOT_DIAMETER_UM / diameter, 65.0 / diameter)
        if min(abs(scale / other - 1) for other in by_spot) > PITCH_TOLERANCE:
            message = (
                f"{outs.scales}: a spot of {diameter:g} pixels is 55 um, so a pixel is {by_spot[0]:.3g} um; "
                f"by the pitch of 100 um in {outs.positions.name} it is {scale:.3g} um: the two files are of "
                "different images"
            )
            raise DataError(message)
    return scale, SPOT_PITCH_UM


def _lattice_pitch(pixels: NDArray[np.float64], index: NDArray[np.int64]) -> float:
    """Return the distance of neighbouring spots in pixels, from indices that differ by two columns."""
    order = np.lexsort((index[:, 1], index[:, 0]))
    steps = np.diff(index[order], axis=0)
    beside = (steps[:, 0] == 0) & (steps[:, 1] == 2)
    if not beside.any():
        return median_nn_distance(pixels)
    return float(np.median(np.linalg.norm(np.diff(pixels[order], axis=0)[beside], axis=1)))


def _positive(scales: dict[str, Any], key: str, path: Path) -> float:
    value = scales.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
        message = f"{path}: {key} is {value!r}, expected a positive number; copy the folder anew"
        raise DataError(message)
    return float(value)
