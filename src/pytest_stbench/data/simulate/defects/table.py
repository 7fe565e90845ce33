"""Defects of the samples table: missing fields, ids, resolutions and accessions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_stbench.splits.table import Sample

SPELLINGS = ("{}", "p-{}", "P {}", "p_{}", "p{}")
"""Other ways to write the first patient; the braces are its number."""

SHARED_CORPUS, SHARED_ACCESSION = "PublicCollection", "SIM000001"
OTHER_RESOLUTION = {"spot": "cell", "cell": "spot"}


def last_share(share: float, number: int) -> range:
    """Return the places of the last `share` of `number` things, at least one."""
    return range(number - math.ceil(share * number - 1e-9), number)


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
