"""HEST: a folder of HEST-1k, or the folder of one task of HEST-Benchmark.

Of a HEST-1k folder these are read: ``st/ID.h5ad``, ``metadata/ID.json`` and the table of samples
(``HEST_v*.csv``, one row an ``id``); of a benchmark task: ``adata/ID.h5ad``, ``splits/train_K.csv``
and ``splits/test_K.csv`` (column ``sample_id``). Either may have the files of the other. Counts,
names and pixels are those of the h5ad; pixels become um by ``pixel_size_um_estimated`` of the
metadata, else by ``pixel_size_um`` of the table.

A patient is ``DATASET_TITLE:PATIENT``, because names repeat between data sets; samples without a
patient have none. Each split K becomes the column ``hest_fold_K`` of the samples table (train or
test): ``splits: [{fixed: {columns: [hest_fold_0, hest_fold_1]}}]``. The genes of a benchmark task
are a list: ``genes: {select: list, file: TASK/var_50genes.json}``.

The image is the one declared as ``image``. Without it, where every slide has ``patches/ID.h5``
(``img``, ``coords``, ``barcode``), it is put together from these patches when it
is asked for; units without a patch see white.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.labels import class_name
from pytest_stbench.data.readers.files import read_json
from pytest_stbench.data.readers.h5ad import H5adSource, Place, find_places
from pytest_stbench.data.readers.patches import image_of_patches
from pytest_stbench.data.roots import resolve
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.extend import reader
from pytest_stbench.splits.table import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_stbench.data.readers.protocol import RawSlide
    from pytest_stbench.spec.model import DatasetSpec

RULES = "hest/5"
EXPRESSION = ("adata", "st")
PIXEL_UM = (0.05, 10.0)
TECHNOLOGIES = {
    "spatial transcriptomics": "ST",
    "visium": "Visium",
    "visium hd": "Visium HD",
    "xenium": "Xenium",
}
SPOTS = frozenset({"ST", "Visium"})
FIELDS = {
    "organ": "organ",
    "disease": "disease_state",
    "preservation": "preservation_method",
    "accession": "study_link",
}


def index_source(config: DatasetSpec, roots: Sequence[Path], store: Path | None) -> list[Sample]:  # noqa: ARG001  # the signature of an index
    """Return one sample per h5ad file with what metadata and splits say of it."""
    folder = _folder(config, roots)
    facts, folds = _facts(folder), _folds(folder)
    slides = sorted(path.stem for path in (folder / _expression(folder)).glob("*.h5ad"))
    return [_sample(slide, facts.get(slide, {}), folds.get(slide, {})) for slide in slides]


@reader(
    "R08",
    "hest",
    index=index_source,
    settings=(),
    needs_path=True,
    files="`st/*.h5ad` or `adata/*.h5ad`, `metadata/*.json`, `HEST_v*.csv`, `splits/train_*.csv`, "
    "`splits/test_*.csv`, `patches/*.h5` of the folder named by `path`",
    source="https://huggingface.co/datasets/MahmoodLab/hest",
)
def open_source(config: DatasetSpec, samples: Sequence[Sample], roots: Sequence[Path]) -> HestSource:
    """A folder of HEST-1k, or of one task of HEST-Benchmark with its published splits.

    Find the slides `samples`; errors as those of the h5ad reader.

    Raises ``DataError`` where the size of a pixel is not known and no `scale` says it.
    """
    folder = _folder(config, roots)
    kind = _expression(folder)
    inner = config.model_copy(update={"path": f"{config.path}/{kind}/*.h5ad"})
    facts = _facts(folder)
    scales = {sample.slide: _scale(sample.slide, facts.get(sample.slide, {}), config) for sample in samples}
    places = find_places(inner, samples, roots)
    return HestSource(inner, samples, places, scales, _patches(folder, samples, config))


class HestSource(H5adSource):
    """Slides in h5ad files whose pixels are scaled by the metadata, with files of patches by slide."""

    def __init__(
        self,
        config: DatasetSpec,
        samples: Sequence[Sample],
        places: dict[str, Place],
        scales: Mapping[str, float | None],
        patches: Mapping[str, Path],
    ) -> None:
        super().__init__(config, samples, places, scales)
        self._patches = patches

    def read(self, slide_id: str) -> RawSlide:
        """Read one slide, coordinates in um."""
        raw = super().read(slide_id)
        if slide_id not in self._patches:
            return raw
        um_per_px = self._um_per_px(slide_id)
        image, xy_px, without = image_of_patches(
            self._patches[slide_id], raw.unit_names, raw.xy_um, um_per_px
        )
        notes = {**raw.notes, "units_without_patch": without}
        return replace(raw, image=image, xy_px=xy_px, notes=notes)

    def _um_per_px(self, slide_id: str) -> float:
        scale, declared = self._scales[slide_id], self._config.scale
        if scale is not None:
            return scale
        if declared is None or isinstance(declared.um_per_px, str):
            raise DataError(
                f"slide {slide_id}: the corners of its patches are pixels: write `scale: UM_PER_PX`, a number"
            )
        return float(declared.um_per_px)

    def offers(self) -> frozenset[str]:
        """Return what the data set declares, and ``image`` where there are patches."""
        return super().offers() | ({"image"} if self._patches else set())

    def files(self, slide_id: str) -> tuple[Path, ...]:
        """Return the h5ad file, and the image if one is declared, or else the patches."""
        patches = self._patches.get(slide_id)
        return (*super().files(slide_id), *(() if patches is None else (patches,)))

    def fingerprint(self) -> str:
        """Return the reading rules with the size of a pixel of every slide."""
        return f"{RULES} {super().fingerprint()} {sorted(self._scales.items())}"


def _patches(folder: Path, samples: Sequence[Sample], config: DatasetSpec) -> dict[str, Path]:
    """Return the files of patches by slide; none where an image is declared or a slide has none."""
    found = {sample.slide: folder / "patches" / f"{sample.slide}.h5" for sample in samples}
    complete = config.image is None and all(path.is_file() for path in found.values())
    return found if complete else {}


def _folder(config: DatasetSpec, roots: Sequence[Path]) -> Path:
    found = resolve(config.path or "", roots, get=config.get, what="path")
    if len(found) != 1 or not found[0].is_dir():
        raise DataError(
            f"path {config.path!r}: source hest reads one folder, of HEST-1k or of one benchmark task; found "
            f"{listing(found)}"
        )
    return found[0]


def _expression(folder: Path) -> str:
    for name in EXPRESSION:
        if any((folder / name).glob("*.h5ad")):
            return name
    places = " or ".join(f"{name}/" for name in EXPRESSION)
    raise DataError(f"{folder}: no h5ad file in {places}: not a folder of HEST-1k or of a benchmark task")


def _facts(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what the table of samples and the metadata files say, by id; files go first."""
    facts: dict[str, dict[str, Any]] = {}
    for table in sorted(folder.glob("HEST_v*.csv")):
        for row in _rows(table, "id"):
            known = {name: cell for name, cell in row.items() if class_name(cell) is not None}
            facts.setdefault(row["id"], {}).update(known)
    for path in sorted((folder / "metadata").glob("*.json")):
        found = read_json(path)
        if isinstance(found, dict):
            known = {name: value for name, value in found.items() if value not in (None, "")}
            facts.setdefault(path.stem, {}).update(known)
    return facts


def _folds(folder: Path) -> dict[str, dict[str, str]]:
    """Return train or test of every slide in every published split."""
    found: dict[str, dict[str, str]] = {}
    for side in ("train", "test"):
        for path in sorted((folder / "splits").glob(f"{side}_*.csv")):
            column = f"hest_fold_{path.stem.removeprefix(f'{side}_')}"
            for row in _rows(path, "sample_id"):
                earlier = found.setdefault(row["sample_id"], {}).setdefault(column, side)
                if earlier != side:
                    message = f"{path}: sample {row['sample_id']} stands in train and in test of one split"
                    raise DataError(message)
    return found


def _rows(path: Path, column: str) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = [{name: cell or "" for name, cell in row.items() if name} for row in reader]
            names = tuple(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as csv ({error})") from error
    if column not in names:
        raise DataError(f"{path}: no column {column!r}; its columns are {listing(names)}")
    return rows


def _sample(slide: str, facts: dict[str, Any], folds: dict[str, str]) -> Sample:
    title, patient = facts.get("dataset_title"), class_name(facts.get("patient"))
    named = str(facts.get("st_technology", ""))
    technology = TECHNOLOGIES.get(named.casefold(), named or None)
    return Sample(
        slide=slide,
        patient=f"{title}:{patient}" if patient and title else None,
        technology=technology,
        resolution="spot" if technology in SPOTS else None,
        corpus="HEST-1k",
        **{field: str(facts[name]) if facts.get(name) else None for field, name in FIELDS.items()},
        extra=folds,
    )


def _scale(slide: str, facts: dict[str, Any], config: DatasetSpec) -> float | None:
    """Return um per pixel; None where the task file declares a `scale` of its own."""
    if config.scale is not None:
        return None
    for name in ("pixel_size_um_estimated", "pixel_size_um"):
        try:
            size = float(facts[name])
        except (KeyError, TypeError, ValueError):
            continue
        if PIXEL_UM[0] <= size <= PIXEL_UM[1]:
            return size
        raise DataError(
            f"slide {slide}: {name} is {size:g} um; {PIXEL_UM[0]} to {PIXEL_UM[1]} are possible: correct the "
            "metadata, or write `scale: UM_PER_PX`"
        )
    raise DataError(
        f"slide {slide}: the size of a pixel is in no metadata/{slide}.json and no HEST_v*.csv of the "
        "folder: copy one of them there, or write `scale: UM_PER_PX`"
    )
