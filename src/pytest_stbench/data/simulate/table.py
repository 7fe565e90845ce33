"""The samples table of a simulated cohort, made from its parameters by the standard library."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_stbench.data.simulate.defects.names import last_share
from pytest_stbench.data.simulate.params import SimulationParams, parse_params
from pytest_stbench.splits.table import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_stbench.spec.model import DatasetSpec

TECHNOLOGY = {"spot": "Visium", "cell": "Xenium"}
SPELLINGS = ("{}", "p-{}", "P {}", "p_{}", "p{}")
"""Other ways to write the first patient; the braces are its number."""

SHARED_CORPUS, SHARED_ACCESSION = "PublicCollection", "SIM000001"
OTHER_RESOLUTION = {"spot": "cell", "cell": "spot"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One slide of a cohort: whose it is, and which panel, site and technology, by number."""

    slide: str
    patient: str
    panel: int
    site: int
    technology: int


def index_source(
    config: DatasetSpec,
    roots: Sequence[Path],  # noqa: ARG001 - named by the reader protocol; no file is looked at
    store: Path | None,  # noqa: ARG001 - likewise
) -> tuple[Sample, ...]:
    """Return the samples of the cohort; see :func:`simulated_samples`."""
    return simulated_samples(config)


def members(params: SimulationParams) -> tuple[Member, ...]:
    """Return the slides of a cohort, ``P01S1`` being the first slide of patient ``P01``.

    All combinations of panel, site and technology come in turn, panels changing fastest, so that
    none of them is confounded with another.
    """
    panels, technologies = max(len(params.panels), 1), max(len(params.technologies), 1)
    return tuple(
        Member(
            slide=f"P{patient + 1:02d}S{number}",
            patient=f"P{patient + 1:02d}",
            panel=patient % panels,
            site=patient // panels % params.sites,
            technology=patient // (panels * params.sites) % technologies,
        )
        for patient in range(params.patients)
        for number in range(1, params.slides_per_patient + 1)
    )


def simulated_samples(config: DatasetSpec) -> tuple[Sample, ...]:
    """Return one row per slide, ``P01S1`` being the first slide of patient ``P01``.

    What the data set's own keys declare (``organ``, ``panel`` ...) goes before what the generator
    says of itself. Raises ``DataError`` for wrong parameters.
    """
    params = parse_params(config.params)
    rows = tuple(
        Sample(
            slide=member.slide,
            patient=member.patient,
            site=config.site or _site(params, member),
            technology=config.technology or _technology(params, member),
            panel=config.panel or _panel(params, member),
            corpus=config.corpus or "simulated",
            organ=config.organ or "breast",
            disease=config.disease or "carcinoma",
            preservation=config.preservation or "FFPE",
            resolution=config.resolution or params.resolution,
        )
        for member in members(params)
    )
    return spoil_samples(rows, params.defects)


def _site(params: SimulationParams, member: Member) -> str:
    return "simulated" if params.sites == 1 else f"site_{member.site + 1}"


def _technology(params: SimulationParams, member: Member) -> str:
    return params.technologies[member.technology] if params.technologies else TECHNOLOGY[params.resolution]


def _panel(params: SimulationParams, member: Member) -> str:
    if not params.panels:
        return f"simulated_{params.genes}"
    return f"simulated_{member.panel + 1}_{params.panels[member.panel]}"


def leaked_patients(share: float, patients: Sequence[str]) -> dict[str, str]:
    """Return the patients who are the first one in truth, and how the table spells each.

    All but the first patient can be; a cohort of one has none.
    """
    others = list(dict.fromkeys(patients))[1:]
    number = patients[0].removeprefix("P")
    chosen = [others[place] for place in last_share(share, len(others))]
    return {
        patient: SPELLINGS[1 + place % (len(SPELLINGS) - 1)].format(number)
        for place, patient in enumerate(chosen)
    }


def spoil_samples(rows: tuple[Sample, ...], defects: Mapping[str, float]) -> tuple[Sample, ...]:
    """Return the samples table with those of `defects` that are in it."""
    found = list(rows)
    for name, spoil in _ROWS.items():
        if name in defects:
            for place in last_share(defects[name], len(found)):
                found[place] = spoil(found[place])
    if "patient_leakage" in defects:
        spelled = leaked_patients(defects["patient_leakage"], [str(row.patient) for row in rows])
        found = [replace(row, patient=spelled.get(str(row.patient), row.patient)) for row in found]
    if "panel_effect" in defects and len({row.panel for row in rows}) == 1:
        patients = list(dict.fromkeys(row.patient for row in rows))
        found = [
            replace(row, panel=f"{row.panel}_v{patients.index(whole.patient) % 2 + 1}")
            for row, whole in zip(found, rows, strict=True)
        ]
    return tuple(found)


def _declared(row: Sample) -> Sample:
    return replace(row, resolution=OTHER_RESOLUTION.get(row.resolution or "", "cell"))


_ROWS: Mapping[str, Callable[[Sample], Sample]] = {
    "metadata_missing": lambda row: replace(row, technology=None, panel=None),
    "metadata_missing.context": lambda row: replace(row, organ=None, disease=None, preservation=None),
    "resolution_mismatch": _declared,
    "shared_corpus": lambda row: replace(row, corpus=SHARED_CORPUS, accession=SHARED_ACCESSION),
    "xisium_geometry": lambda row: replace(row, resolution="xisium"),
    "xisium_geometry.pitch": lambda row: replace(row, resolution="xisium"),
}
