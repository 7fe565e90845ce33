"""Which files of Space Ranger are a slide: spots, bins of one size, or cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pytest_stbench.data.images.pyramid import files_of
from pytest_stbench.data.readers.files import companion, json_of, slide_paths
from pytest_stbench.data.readers.visium_places import BINS
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_stbench.spec.model import DatasetSpec

BINNED = "binned_outputs"
HD_BINS = ("square_002um", "square_008um", "square_016um")
HD_DEFAULT = "square_016um"
MATRIX, RAW_MATRIX = "filtered_feature_bc_matrix.h5", "raw_feature_bc_matrix.h5"
CELL_MATRIX, CELL_OUTLINES = "filtered_feature_cell_matrix.h5", "cell_segmentations.geojson"
NUCLEI = "nucleus_segmentations.geojson"
POSITIONS = ("tissue_positions.parquet", "tissue_positions.csv", "tissue_positions_list.csv")
SCALES = "scalefactors_json.json"
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
        found = (self.matrix, self.positions, self.scales, self.cells, self.nuclei)
        image = self.image or self.hires
        return (*(file for file in found if file is not None), *(() if image is None else files_of(image)))


def find_outs(config: DatasetSpec, roots: Sequence[Path]) -> dict[str, Outs]:
    """Return the slides that ``config.path`` names. Raises ``DataError`` where a folder is none."""
    there: list[Outs] = []
    for path in slide_paths(config, roots):
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


def others_in(path: Path) -> list[str]:
    """Return what ``params.bin`` could name in the output folder at `path`: sizes of bins, and cells."""
    folder = path / "outs" if (path / "outs").is_dir() else path
    bins = sorted(p.name for p in (folder / BINNED).glob("*") if p.is_dir())
    return [*bins, *([CELLS] if (folder / CELLS).is_dir() else [])]


def _folder_in(path: Path, config: DatasetSpec) -> Path:
    """Return the folder of the spots, of the bins of one size or of the cells."""
    folder = path / "outs" if (path / "outs").is_dir() else path
    there, wanted = others_in(path), config.params.get("bin")
    if not there:
        return folder
    binned = (folder / BINNED).is_dir()
    name = str(wanted or (HD_DEFAULT if binned else CELLS))
    if name not in there:
        raise DataError(
            f"{folder / BINNED if binned else folder}: no bins {name!r}; there are {listing(there)}; set "
            f"`params: {{bin: ...}}` to one of them (spec: {', '.join((*HD_BINS, CELLS))})"
        )
    return folder / CELLS if name == CELLS else folder / BINNED / name


def _outs(path: Path, config: DatasetSpec) -> Outs:
    folder = _folder_in(path, config)
    spatial = folder / "spatial"
    of_cells = companion(folder, f"*{CELL_MATRIX}", f"*{CELL_OUTLINES}") is not None
    if of_cells:
        name, unit_file = CELL_MATRIX, CELL_OUTLINES
        matrix = companion(folder, name, f"*{name}")
        units = companion(folder, unit_file, f"*_{unit_file}")
    else:
        name, unit_file = MATRIX, f"spatial/{POSITIONS[1]}"
        matrix = companion(folder, name, f"*{name}", RAW_MATRIX, f"*{RAW_MATRIX}")
        units = companion(spatial, *POSITIONS)
    scales = companion(spatial, SCALES)
    needed = {name: matrix, unit_file: units, f"spatial/{SCALES}": scales}
    if matrix is None or units is None or scales is None:
        lacking = [what for what, file in needed.items() if file is None]
        raise DataError(
            f"{folder}: not an output folder of Space Ranger: it lacks {' and '.join(lacking)}; `path` names "
            "the folders that hold them"
        )
    bins = not of_cells and (BINS.fullmatch(folder.name) is not None or "bin_size_um" in json_of(scales))
    return Outs(
        slide_id=path.parent.name if path.name == "outs" else path.name,
        run=_run(path),
        kind="cell" if of_cells else "bin" if bins else "spot",
        matrix=matrix,
        scales=scales,
        positions=None if of_cells else units,
        cells=units if of_cells else None,
        nuclei=companion(folder, NUCLEI, f"*_{NUCLEI}") if of_cells else None,
        hires=companion(spatial, "tissue_hires_image.png"),
    )


def _run(path: Path) -> str:
    """Return the name of the folder of the run that an output folder lies in."""
    names = [BINNED, CELLS, "outs"]
    while path.name in names or BINS.fullmatch(path.name):
        path = path.parent
    return path.name
