"""Which files of Space Ranger are a slide: spots, bins of one size, or cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pytest_stbench.data.readers.imaging.source import companion, places_of
from pytest_stbench.data.readers.visium_places import BINS, scales_of
from pytest_stbench.data.roots import resolve_one
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError, DataMissing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_stbench.spec.model import DatasetSpec

BINNED = "binned_outputs"
HD_BINS = ("square_002um", "square_008um", "square_016um")
HD_DEFAULT = "square_016um"
CELLS = "segmented_outputs"
"""Folder of the cells that Space Ranger 4 counts, and what ``params.bin`` calls them."""

Kind = Literal["spot", "bin", "cell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outs:
    """The files of one slide; ``cells`` and ``nuclei`` are outlines, ``positions`` places of spots and bins.

    ``run`` is the folder of the run, by which slides are told apart whose own folders are called alike.
    """

    slide_id: str
    run: str
    kind: Kind
    matrix: Path
    scales: Path
    positions: Path | None = None
    cells: Path | None = None
    nuclei: Path | None = None
    hires: Path | None = None
    image: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Return all files that are read."""
        found = (self.matrix, self.positions, self.scales, self.cells, self.nuclei, self.image or self.hires)
        return tuple(file for file in found if file is not None)


def find_outs(config: DatasetSpec, roots: Sequence[Path]) -> dict[str, Outs]:
    """Return the slides that ``config.path`` names. Raises ``DataError`` where a folder is none."""
    there: list[Outs] = []
    for path in places_of(config, roots):
        if not path.is_dir():
            raise DataError(f"{path}: a file; `path` names the output folders of Space Ranger")
        there.append(_outs(path, config))
    if len({outs.slide_id for outs in there}) < len(there):
        there = [replace(outs, slide_id=outs.run) for outs in there]
    found: dict[str, Outs] = {}
    for outs in there:
        if outs.slide_id in found:
            raise DataError(
                f"path {config.path!r}: two folders are slide {outs.slide_id!r}, one has {outs.matrix}; "
                "rename one"
            )
        found[outs.slide_id] = outs
    return found


def with_image(outs: Outs, config: DatasetSpec, roots: Sequence[Path]) -> Outs:
    """Return the slide with its declared image. Raises ``DataError`` where that is not there."""
    if config.image is None:
        return outs
    from glob import escape

    try:
        pattern = config.image.path.replace("{slide}", escape(outs.slide_id))
        return replace(outs, image=resolve_one(pattern, roots, what="image.path"))
    except DataMissing as error:
        message = f"slide {outs.slide_id}: its image is not there: {error}; leave out `image`"
        raise DataError(message) from error


def others_in(path: Path) -> list[str]:
    """Return what ``params.bin`` could name in the output folder at `path`: sizes of bins, and cells."""
    folder = path / "outs" if (path / "outs").is_dir() else path
    bins = sorted(p.name for p in (folder / BINNED).glob("*") if p.is_dir())
    return [*bins, *([CELLS] if (folder / CELLS).is_dir() else [])]


def _outs(path: Path, config: DatasetSpec) -> Outs:
    folder = path / "outs" if (path / "outs").is_dir() else path
    there, wanted = others_in(path), config.params.get("bin")
    if there:
        binned = (folder / BINNED).is_dir()
        name = str(wanted or (HD_DEFAULT if binned else CELLS))
        if name not in there:
            raise DataError(
                f"{folder / BINNED if binned else folder}: no bins {name!r}; there are {listing(there)}; set "
                f"`params: {{bin: ...}}` to one of them (spec: {', '.join((*HD_BINS, CELLS))})"
            )
        folder = folder / CELLS if name == CELLS else folder / BINNED / name
    slide, run = path.parent.name if path.name == "outs" else path.name, _run(path)
    if companion(folder, "*filtered_feature_cell_matrix.h5", "*cell_segmentations.geojson") is not None:
        return _of_cells(folder, slide, run)
    return _of_squares(folder, slide, run)


def _run(path: Path) -> str:
    """Return the name of the folder of the run that an output folder lies in."""
    names = [BINNED, CELLS, "outs"]
    while path.name in names or BINS.fullmatch(path.name):
        path = path.parent
    return path.name


def _of_squares(folder: Path, slide: str, run: str) -> Outs:
    """Return spots, or bins of one size."""
    spatial = folder / "spatial"
    matrix = companion(
        folder, "filtered_feature_bc_matrix.h5", "*filtered_feature_bc_matrix.h5", "raw_feature_bc_matrix.h5",
        "*raw_feature_bc_matrix.h5",
    )  # fmt: skip
    positions = companion(
        spatial, "tissue_positions.parquet", "tissue_positions.csv", "tissue_positions_list.csv"
    )
    scales = companion(spatial, "scalefactors_json.json")
    _refuse_lacking(
        folder,
        {
            "filtered_feature_bc_matrix.h5": matrix,
            "spatial/tissue_positions.csv": positions,
            "spatial/scalefactors_json.json": scales,
        },
    )
    assert matrix is not None  # it was looked at above
    assert scales is not None
    bins = BINS.fullmatch(folder.name) is not None or "bin_size_um" in scales_of(scales)
    return Outs(
        slide_id=slide, run=run, kind="bin" if bins else "spot", matrix=matrix, positions=positions,
        scales=scales, hires=companion(spatial, "tissue_hires_image.png"),
    )  # fmt: skip


def _of_cells(folder: Path, slide: str, run: str) -> Outs:
    spatial = folder / "spatial"
    matrix = companion(folder, "filtered_feature_cell_matrix.h5", "*filtered_feature_cell_matrix.h5")
    cells = companion(folder, "cell_segmentations.geojson", "*_cell_segmentations.geojson")
    scales = companion(spatial, "scalefactors_json.json")
    _refuse_lacking(
        folder,
        {
            "filtered_feature_cell_matrix.h5": matrix,
            "cell_segmentations.geojson": cells,
            "spatial/scalefactors_json.json": scales,
        },
    )
    assert matrix is not None  # it was looked at above
    assert scales is not None
    return Outs(
        slide_id=slide, run=run, kind="cell", matrix=matrix, cells=cells, scales=scales,
        nuclei=companion(folder, "nucleus_segmentations.geojson", "*_nucleus_segmentations.geojson"),
        hires=companion(spatial, "tissue_hires_image.png"),
    )  # fmt: skip


def _refuse_lacking(folder: Path, needed: dict[str, Path | None]) -> None:
    lacking = [what for what, file in needed.items() if file is None]
    if lacking:
        raise DataError(
            f"{folder}: not an output folder of Space Ranger: it lacks {' and '.join(lacking)}; `path` names "
            "the folders that hold them"
        )
