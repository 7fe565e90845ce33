"""A data set proposed from what its reader finds in the vendor's files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.data.catalogue import READERS
from pytest_stbench.data.propose.alternatives import settings_of
from pytest_stbench.data.propose.detect import is_guessed
from pytest_stbench.data.propose.from_h5ad import note_unknown_patients
from pytest_stbench.data.propose.panel import proposed_panel
from pytest_stbench.data.propose.proposal import SPOT_GENES, Proposal, Row
from pytest_stbench.data.propose.sheet_beside import use_sheet
from pytest_stbench.data.propose.stores import scale_in
from pytest_stbench.data.samples import refuse_settings
from pytest_stbench.errors import DataError
from pytest_stbench.index import loaded
from pytest_stbench.registry import Catalogue, load_target
from pytest_stbench.spec.model import DatasetSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_stbench.data.propose.detect import Detected
    from pytest_stbench.splits.table import Sample

_SAYS = {
    "visium": ("Visium", "spot"),
    "xenium": ("Xenium", "cell"),
    "cosmx": ("CosMx", "cell"),
    "merscope": ("MERSCOPE", "cell"),
    "hest": (None, "spot"),
    "spatialdata": (None, "cell"),
}


def says(source: str) -> tuple[str | None, str]:
    """Return technology (None where there are several) and resolution of what a reader reads."""
    return _SAYS.get(source, (None, "cell"))


def said_by(source: str, samples: Sequence[Sample]) -> tuple[str | None, str]:
    """Return technology and resolution that all files say, else what their reader reads."""
    technology, resolution = says(source)
    technologies = {sample.technology for sample in samples}
    resolutions = {sample.resolution for sample in samples} - {None}
    if len(technologies) == 1:
        technology = technologies.pop() or technology
    return technology, (resolutions.pop() or resolution) if len(resolutions) == 1 else resolution


def propose_by_reader(
    found: Detected, root: Path, *, patient_from_name: bool, params: Mapping[str, str] | None = None
) -> Proposal:
    """Return what the reader of the files lists; `params` are settings of the reader that the user gives.

    Raises ``DataError`` where this version has no such reader or it cannot read the files.
    """
    readers = Catalogue("source", READERS)
    if found.source not in readers:
        raise DataError(
            f"found {found.what} ({found.pattern}), for which there is no reader; known are "
            f"{', '.join(readers.names)}: "
            "write the data as h5ad, one file per slide"
        )
    record = readers[found.source]
    dataset: dict[str, Any] = {"source": found.source, "path": found.pattern}
    settings, notes = settings_of(found.source, found.paths, params or {})
    if settings:
        dataset["params"] = settings
    config = DatasetSpec.model_validate({**dataset, "resolution": says(found.source)[1]})
    refuse_settings(config, record)
    samples = tuple(load_target(record.index)(config, (root,), None))
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
    whole = min(map(len, genes)) >= SPOT_GENES
    dataset["panel"] = "whole_transcriptome" if whole else f"panel_{max(map(len, genes))}"
    if not whole:
        proposal.remarks["panel"] = "a name for the gene set and its version; write the real one"
    for key in ("organ", "disease", "preservation"):
        values = {getattr(sample, key) for sample in samples}
        value = values.pop() if len(values) == 1 else None
        if value is None:
            proposal.missing[key] = "what a score may be claimed for"
        else:
            dataset[key] = value
    keys: dict[str, Any] = {}
    if not proposal.patients_known and use_sheet(proposal, found, root, keys):
        dataset["keys"] = keys
    elif not proposal.patients_known:
        proposal.table = True
        dataset["samples"] = "SAMPLES"
        for row in proposal.rows:
            row.patient = None
        note_unknown_patients(proposal, patient_from_name=patient_from_name)
    return proposal
