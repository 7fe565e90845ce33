"""The parameters of the simulated cohort (``params:`` of a data set with ``source: simulated``)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.simulate.defects.names import DEFECTS, NOT_IN_DATA
from pytest_stbench.data.simulate.programmes import available_genes
from pytest_stbench.data.simulate.settings import SETTINGS
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_GENES = 50
PANEL_SIZES = (280, 322, 380, 343, 260, 377)
"""Sizes of published targeted panels (breast, colon, immuno-oncology, lung, skin, multi-tissue)."""

RESOLUTIONS = ("spot", "cell")
CELL_DEFAULTS: Mapping[str, Any] = {"units": 3000, "depth": 150.0, "mpp": 0.5}
"""What stands in for the defaults of spots where units are cells."""

BOUNDS: Mapping[str, tuple[float, float]] = {
    "patients": (1, 999),
    "slides_per_patient": (1, 99),
    "units": (20, 5000),
    "seed": (0, 2**63 - 1),
    "depth": (50, 1e6),
    "patient_effect": (0, 3),
    "sites": (1, 99),
    "site_effect": (0, 3),
    "panel_effect": (0, 3),
    "technology_effect": (0, 3),
    "mpp": (2, 2),
}
CELL_BOUNDS: Mapping[str, tuple[float, float]] = {
    **BOUNDS,
    "units": (20, 5_000_000),
    "depth": (5, 1e5),
    "mpp": (0.1, 4),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationParams:
    """Parameters of one simulated cohort, valid once made by :func:`parse_params`.

    Attributes
    ----------
    setting : str
        What expression depends on: a name in :data:`~.settings.SETTINGS`.
    resolution : str
        ``spot``: a Visium lattice; ``cell``: cells with types, outlines and transcripts.
    patients, slides_per_patient : int
        Size of the cohort; every slide is a block of its own, so its niches lie elsewhere.
    units : int
        Spots of each slide (pitch 100 um), or about how many cells (3000 where nothing is said).
    genes : int
        Genes of the panel, taken evenly from the programmes; of no effect with `panels`.
    panels : tuple of int
        Sizes of the targeted panels, dealt to the patients in turn; none: all measure `genes`.
    sites : int
        Number of sites, dealt to the patients in turn.
    technologies : tuple of str
        Names of the technologies, dealt to the patients in turn.
    site_effect, panel_effect, technology_effect : float
        Standard deviation of a gene's log yield over sites, panels and technologies, where there
        are several.
    seed : int
        Fixes every number of the cohort.
    depth : float
        Median of the expected count per unit (150 for cells where nothing is said).
    patient_effect : float
        Standard deviation of a gene's log rate over patients.
    image : bool
        Whether slides have an H&E-like image.
    mpp : float
        Micrometres per pixel of the image: 2 for spots, 0.5 for cells where nothing is said.
    defects : dict of str to float
        What is wrong with the data, by the check that must see it: see
        :data:`~.defects.names.DEFECTS`.
    """

    setting: str = "default"
    resolution: str = "spot"
    patients: int = 6
    slides_per_patient: int = 1
    units: int = 180
    genes: int = 300
    panels: tuple[int, ...] = ()
    sites: int = 1
    technologies: tuple[str, ...] = ()
    site_effect: float = 0.15
    panel_effect: float = 0.15
    technology_effect: float = 0.3
    seed: int = 0
    depth: float = 1500.0
    patient_effect: float = 0.15
    image: bool = True
    mpp: float = 2.0
    defects: Mapping[str, float] = field(default_factory=dict)


def parse_params(params: Mapping[str, Any]) -> SimulationParams:
    """Return the validated parameters; what is absent has its default.

    ``panels`` may be a number (the sizes are then those of published panels) or a list of sizes.

    Raises
    ------
    DataError
        With every mistake of `params` at once: unknown keys (nearest match), wrong types, values
        out of range, each with what is allowed.
    """
    base = SimulationParams()
    known = {entry.name: getattr(base, entry.name) for entry in fields(SimulationParams)}
    bounds = CELL_BOUNDS if params.get("resolution") == "cell" else BOUNDS
    problems = []
    for key, value in params.items():
        if key in known:
            problem = _problem(key, value, known[key], bounds)
        else:
            problem = f"unknown parameter{nearest(str(key), known)} (allowed: {', '.join(known)})"
        if problem:
            problems.append(f"params.{key}: {problem}")
    if problems:
        _refuse(problems)
    values = dict(params)
    if isinstance(values.get("panels"), int):
        values["panels"] = tuple(PANEL_SIZES[i % len(PANEL_SIZES)] for i in range(values["panels"]))
    for key in ("panels", "technologies"):
        values[key] = tuple(values.get(key, ()))
    if values.get("resolution") == "cell":
        values = {**CELL_DEFAULTS, **values}
    values |= {key: float(value) for key, value in values.items() if isinstance(known[key], float)}
    parsed = SimulationParams(**values)
    groups = max(len(parsed.panels), 1) * parsed.sites * max(len(parsed.technologies), 1)
    if groups > parsed.patients:
        found = f"params.patients: found {parsed.patients}, needs {groups} or more"
        _refuse([f"{found}, one for every combination of panel, site and technology"])
    if idle := _idle_defects(parsed):
        _refuse(idle)
    return parsed


def _idle_defects(params: SimulationParams) -> list[str]:
    """Return the defects that could change nothing in this cohort, with what each of them needs."""
    patients = (params.patients > 1, "is between patients and needs patients: 2 or more")
    slides = (params.patients * params.slides_per_patient > 1, "is between slides and needs two or more")
    needs = {
        "xisium_geometry": (params.resolution == "spot", "spoils a lattice and needs resolution: spot"),
        "image_registration": (params.image, "spoils the image and needs image: true"),
        "patient_leakage": patients,
        "panel_effect": patients,
        "class_imbalance.one_patient": patients,
        "slide_leakage": slides,
        "panel_mismatch": slides,
    }
    problems = []
    for name in params.defects:
        able, what = needs.get(name) or needs.get(name.split(".")[0], (True, ""))
        if not able:
            problems.append(f"params.defects: {name} {what}")
    return problems


def _refuse(problems: list[str]) -> None:
    raise DataError("simulated data set: " + "; ".join(problems))


def _problem(key: str, value: Any, default: Any, bounds: Mapping[str, tuple[float, float]]) -> str | None:
    """Return what is wrong with the value of a known key, or None."""
    choices = {"setting": tuple(SETTINGS), "resolution": RESOLUTIONS}
    if key in choices:
        if value in choices[key]:
            return None
        return f"found {value!r}{nearest(str(value), choices[key])} (allowed: {', '.join(choices[key])})"
    if key == "defects":
        return _defect_problem(value)
    if key == "technologies":
        good = isinstance(value, list | tuple) and all(isinstance(name, str) and name for name in value)
        return None if good else f"found {value!r}, expected a list of names such as [Xenium, CosMx]"
    if key == "panels":
        return _panel_problem(value)
    if isinstance(default, bool):
        return None if isinstance(value, bool) else f"found {value!r}, expected true or false"
    low, high = (MIN_GENES, len(available_genes())) if key == "genes" else bounds[key]
    return _number_problem(value, low, high, whole=isinstance(default, int))


def _number_problem(value: Any, low: float, high: float, *, whole: bool) -> str | None:
    # bool is a subclass of int, and `patients: true` is a mistake; nan fails the comparison
    numeric = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, numeric) or not low <= value <= high:
        wanted = "a whole number" if whole else "a number"
        return f"found {value!r}, expected {wanted} from {low:g} to {high:g}"
    return None


def _panel_problem(value: Any) -> str | None:
    """Return what is wrong with a number of panels or a list of their sizes."""
    if isinstance(value, list | tuple):
        most = len(available_genes())
        faults = [_number_problem(size, MIN_GENES, most, whole=True) for size in value]
        return next((f"size of a panel: {fault}" for fault in faults if fault), None)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= BOUNDS["patients"][1]:
        return f"found {value!r}, expected a number of panels or a list of their sizes"
    return None


def _defect_problem(value: Any) -> str | None:
    """Return what is wrong with a mapping of defects to strengths."""
    if not isinstance(value, dict):
        return f"found {value!r}, expected a mapping of NAME: STRENGTH"
    faults = []
    for name, strength in value.items():
        if name in NOT_IN_DATA:
            faults.append(f"{name} is no defect of the data: {NOT_IN_DATA[name]}")
        elif name not in DEFECTS:
            faults.append(f"unknown defect {name!r}{nearest(str(name), DEFECTS)}")
        elif isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 < strength <= 1:
            faults.append(f"{name}: found {strength!r}, expected a number above 0, at most 1")
    return "; ".join(faults) or None
