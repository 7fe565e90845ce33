"""A data set proposed from what its reader finds in the vendor's files; what is chosen is said."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.catalogue import READERS
from pytest_stbench.data.propose.detect import is_guessed
from pytest_stbench.data.propose.from_h5ad import note_unknown_patients
from pytest_stbench.data.propose.proposal import SPOT_GENES, Proposal, Row, proposed_panel
from pytest_stbench.data.propose.sheet import use_sheet
from pytest_stbench.data.readers.spatialdata.choice import (
    PLACES,
    STAINED,
    annotated,
    choose,
    coloured_images,
    regions_of,
    transcripts_of,
)
from pytest_stbench.data.readers.spatialdata.frame import Frame
from pytest_stbench.data.readers.spatialdata.images import level_of
from pytest_stbench.data.readers.spatialdata.source import opened
from pytest_stbench.data.readers.spatialdata.store import last, open_store
from pytest_stbench.data.readers.spatialdata.table import extent_of
from pytest_stbench.data.readers.visium_outs import CELLS, HD_DEFAULT, others_in
from pytest_stbench.data.samples import refuse_settings
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError
from pytest_stbench.index import loaded
from pytest_stbench.registry import Catalogue, load_target
from pytest_stbench.spec.model import DatasetSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_stbench.data.propose.detect import Detected
    from pytest_stbench.data.readers.spatialdata.store import Store
    from pytest_stbench.registry import Reader
    from pytest_stbench.splits.table import Sample

TABLES = (HD_DEFAULT, "table")
POINTS = ("transcripts",)
APART = 0.1
"""Share of the smaller of two regions up to which they may lie on each other and be of one slide."""


def choices(paths: Sequence[Path], said: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return ``params`` for all stores and notes on what was chosen among several.

    `said` are those that the user gives. Where stores call what is chosen differently, ``*`` stands
    for what differs before it.

    Raises
    ------
    DataError
        A store that cannot be read, or stores that differ in what there is to choose.
    """
    chosen: dict[str, list[str]] = {}
    notes: dict[str, str] = {}
    for path in paths:
        params = dict(said)
        store = open_store(path, params)
        for param, (name, note) in _of_store(store, params).items():
            chosen.setdefault(param, []).append(name)
            notes.setdefault(param, note)
    for param, names in chosen.items():
        if len(names) < len(paths) or _shared(names) is None:
            raise DataError(
                f"the stores differ in what `params.{param}` could be, {listing(dict.fromkeys(names))}: pass "
                f"those of one kind, or --set params.{param}=NAME"
            )
    return {**said, **{param: _shared(names) for param, names in chosen.items()}}, list(notes.values())


def scale_in(path: Path, config: DatasetSpec) -> str:
    """Return what a store says of its unit, as a sentence. Raises ``DataError`` where it says nothing."""
    frame = opened(path, config).frame
    return f"a unit of coordinate system {frame.system!r} is {frame.said.um:.4g} um by {frame.said.where}"


def _of_store(store: Store, params: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return what is chosen for each parameter that leaves a choice, with a note; `params` gets it."""
    found: dict[str, tuple[str, str]] = {}

    def take(param: str, names: Sequence[str], name: str, what: str) -> None:
        params[param] = name
        advice = f"--set params.{param}=NAME takes another"
        found[param] = (name, f"{len(names)} {what} ({listing(names)}): {name} is taken; {advice}")

    tables = [last(table) for table in store.elements("tables")]
    if "table" not in params and len(tables) > 1:
        take("table", tables, _first_of(TABLES, _placed_tables(store) or tables), "tables")
    table = store.only("table", "tables")
    regions = () if table is None else annotated(store, table)
    if "region" not in params and len(regions) > 1 and table is not None:
        all_of_them = _lie_apart(store, table)
        what = "regions of one slide" if all_of_them else "regions that lie on each other, each a slide"
        take("region", regions, "*" if all_of_them else regions[0], what)
    placed = () if table is None else regions_of(store, table)
    points, settled = transcripts_of(store, placed)
    if "points" not in params and not settled:
        names = [last(name) for name in points]
        take("points", names, _first_of(POINTS, names), "points")
    if "image" not in params:
        frame = Frame(store, choose(store).anchors)
        images = coloured_images(store, frame)
        if len(images) > 1:
            names = [last(image) for image in images]
            take("image", names, last(_finest(store, frame, images)), "images of r, g and b")
    return found


def _first_of(wanted: Sequence[str], names: Sequence[str]) -> str:
    return next((name for name in wanted if name in names), names[0])


def _placed_tables(store: Store) -> list[str]:
    """Return the tables whose elements are in the store."""
    there = {last(element) for element in store.elements(*PLACES)}
    return [last(t) for t in store.elements("tables") if set(annotated(store, t)) & there]


def _lie_apart(store: Store, table: str) -> bool:
    """Tell whether the regions of a table lie beside each other in one coordinate system."""
    if store.reader in STAINED:
        return True  # the fields of view of one slide
    wanted = {**store.params, "region": "*"}
    everything = open_store(store.path, wanted)
    frame = Frame(everything, regions_of(everything, table))
    try:
        boxes = [extent_of(everything, frame, region) for region in regions_of(everything, table)]
    except DataError:
        return False
    return all(_overlap(one, other) <= APART for one, other in combinations(boxes, 2))


def _overlap(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """Return the share of the smaller box (x0, y0, x1, y1) that the other covers."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    area = min(np.prod(one[2:] - one[:2]), np.prod(other[2:] - other[:2]))
    return float(np.prod(np.clip(high - low, 0, None)) / area) if area > 0 else 0.0


def _finest(store: Store, frame: Frame, images: Sequence[str]) -> str:
    def size(image: str) -> float:
        matrix = frame.raw(image) @ level_of(store, image)[1]
        return float(abs(np.linalg.det(matrix[:2, :2])))

    return min(images, key=size)


def _shared(names: Sequence[str]) -> str | None:
    """Return what stands for all of `names`: the name, or ``*`` and what they end with."""
    first = names[0]
    if len(set(names)) == 1:
        return first
    ends = [first[place:] for place, letter in enumerate(first) if letter == "_"]
    pattern = next((f"*{end}" for end in ends if all(name.endswith(end) for name in names)), None)
    return pattern if pattern and all(fnmatchcase(name, pattern) for name in names) else None


def params_of(
    source: str, paths: Sequence[Path], said: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return ``params`` of a reader for all `paths`, and notes on what was chosen among several.

    `said` are those that the user gives. Raises ``DataError`` as
    :func:`~pytest_stbench.data.propose.from_reader.choices` does.
    """
    if source == "spatialdata":
        return choices(paths, said)
    there = {tuple(others_in(path)) for path in paths} if source == "visium" and "bin" not in said else set()
    several = next((names for names in sorted(there) if len(names) > 1), ())
    taken = HD_DEFAULT if HD_DEFAULT in several else CELLS
    if not several:
        return dict(said), []
    note = (
        f"{len(several)} forms of each slide ({listing(several)}): {taken} is taken; --set params.bin=NAME "
        "takes another"
    )
    return dict(said), [note]


_USUAL = {
    "visium": ("Visium", "spot"),
    "xenium": ("Xenium", "cell"),
    "cosmx": ("CosMx", "cell"),
    "merscope": ("MERSCOPE", "cell"),
    "hest": (None, "spot"),
    "spatialdata": (None, "cell"),
}


def usual_of(source: str) -> tuple[str | None, str]:
    """Return technology (None where there are several) and resolution of what a reader reads."""
    return _USUAL.get(source, (None, "cell"))


def said_by(source: str, samples: Sequence[Sample]) -> tuple[str | None, str]:
    """Return technology and resolution that all files say, else what their reader reads."""
    technology, resolution = usual_of(source)
    technologies = {sample.technology for sample in samples}
    resolutions = {sample.resolution for sample in samples} - {None}
    if len(technologies) == 1:
        technology = technologies.pop() or technology
    return technology, (resolutions.pop() or resolution) if len(resolutions) == 1 else resolution


def list_files(
    found: Detected,
    root: Path,
    params: Mapping[str, Any],
    config_of: Callable[[dict[str, Any]], DatasetSpec] = DatasetSpec.model_validate,
) -> tuple[Reader, dict[str, Any], DatasetSpec, tuple[Sample, ...], list[str]]:
    """Return the reader of the files, the keys of their data set, its config, its slides, and notes.

    `params` are settings of the reader that the user gives, `config_of` makes the config of keys; notes say
    what was chosen among several. Raises ``DataError`` where this version has no such reader or it cannot
    read the files.
    """
    readers = Catalogue("source", READERS)
    if found.source not in readers:
        raise DataError(
            f"found {found.what} ({found.pattern}), for which there is no reader; known are "
            f"{', '.join(readers.names)}: write the data as h5ad, one file per slide"
        )
    record = readers[found.source]
    dataset: dict[str, Any] = {"source": found.source, "path": found.pattern}
    settings, notes = params_of(found.source, found.paths, params)
    if settings:
        dataset["params"] = settings
    config = config_of({**dataset, "resolution": usual_of(found.source)[1]})
    refuse_settings(config, record)
    return record, dataset, config, tuple(load_target(record.index)(config, (root,), None)), notes


def propose_by_reader(
    found: Detected, root: Path, *, patient_from_name: bool, params: Mapping[str, str] | None = None
) -> Proposal:
    """Return what the reader of the files lists; parameters and errors as :func:`list_files`."""
    record, dataset, config, samples, notes = list_files(found, root, params or {})
    source = loaded(record)(config, samples, (root,))
    technology, resolution = said_by(found.source, samples)
    genes = [set(source.genes(sample.slide)) for sample in samples]
    shared = set.intersection(*genes)
    proposal = Proposal(
        what=found.what,
        dataset=dataset,
        rows=[Row(slide=sample.slide, patient=sample.patient) for sample in samples],
        n_genes=len(shared),
        observed=proposed_panel(shared) if min(map(len, genes)) >= SPOT_GENES else (),
        image="image" in source.offers(),
        resolution=resolution,
        notes=notes,
    )
    if technology is None:
        proposal.missing["technology"] = "ST, Visium, Xenium, CosMx, MERSCOPE ...; a check fails without it"
    else:
        dataset["technology"] = technology
        if is_guessed(found):
            proposal.remarks["technology"] = "a guess: the tables do not say it; write the real one"
    if found.source == "spatialdata":
        try:
            proposal.notes += dict.fromkeys(scale_in(path, config) for path in found.paths)
        except DataError:
            proposal.missing["scale"] = (
                "um per unit of the coordinate system, which nothing in the store tells (where it is pixels, "
                "um per pixel of the image that they are counted in)"
            )
    dataset["resolution"] = resolution
    proposal.name_panel(max(map(len, genes)), whole=min(map(len, genes)) >= SPOT_GENES)
    for key in ("organ", "disease", "preservation"):
        values = {getattr(sample, key) for sample in samples}
        value = values.pop() if len(values) == 1 else None
        if value is None:
            proposal.missing[key] = "what a score may be claimed for"
        else:
            dataset[key] = value
    if not proposal.patients_known:
        _find_patients(proposal, found, root, patient_from_name=patient_from_name)
    return proposal


def _find_patients(proposal: Proposal, found: Detected, root: Path, *, patient_from_name: bool) -> None:
    keys: dict[str, Any] = {}
    if use_sheet(proposal, found, root, keys):
        proposal.dataset["keys"] = keys
        return
    proposal.table = True
    proposal.dataset["samples"] = "SAMPLES"
    for row in proposal.rows:
        row.patient = None
    note_unknown_patients(proposal, patient_from_name=patient_from_name)
