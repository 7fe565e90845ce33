"""The parameters of the simulated cohort (``params:`` of a data set with ``source: simulated``)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.simulate.programmes import available_genes
from pytest_stbench.data.simulate.settings import SETTINGS
from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_GENES = 50
BOUNDS: Mapping[str, tuple[float, float]] = {
    "patients": (1, 999),
    "slides_per_patient": (1, 99),
    "units": (20, 5000),
    "seed": (0, 2**63 - 1),
    "depth": (50, 1e6),
    "patient_effect": (0, 3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationParams:
    """Parameters of one simulated cohort, valid once made by :func:`parse_params`.

    Attributes
    ----------
    setting : str
        What expression depends on: a name in :data:`~.settings.SETTINGS`.
    patients, slides_per_patient : int
        Size of the cohort; every slide is a block of its own, so its niches lie elsewhere.
    units : int
        Spots of each slide (Visium lattice, pitch 100 um).
    genes : int
        Genes of the panel, taken evenly from the programmes.
    seed : int
        Fixes every number of the cohort.
    depth : float
        Median of the expected count per unit.
    patient_effect : float
        Standard deviation of a gene's log rate over patients.
    image : bool
        Whether slides have an H&E-like image.
    """

    setting: str = "default"
    patients: int = 6
    slides_per_patient: int = 1
    units: int = 180
    genes: int = 300
    seed: int = 0
    depth: float = 1500.0
    patient_effect: float = 0.15
    image: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return all parameters by name, defaults included."""
        return asdict(self)


def parse_params(params: Mapping[str, Any]) -> SimulationParams:
    """Return the validated parameters; what is absent has its default.

    Raises
    ------
    DataError
        With every mistake of `params` at once: unknown keys (nearest match), wrong types, values
        out of range, each with what is allowed.
    """
    known = {entry.name: entry.default for entry in fields(SimulationParams)}
    problems = []
    for key, value in params.items():
        if key in known:
            problem = _problem(key, value, known[key])
        else:
            problem = f"unknown parameter{nearest(str(key), known)} (allowed: {', '.join(known)})"
        if problem:
            problems.append(f"params.{key}: {problem}")
    if problems:
        message = "simulated data set: " + "; ".join(problems)
        raise DataError(message)
    values = dict(params)
    if "depth" in values:
        values["depth"] = float(values["depth"])
    if "patient_effect" in values:
        values["patient_effect"] = float(values["patient_effect"])
    return SimulationParams(**values)


def _problem(key: str, value: Any, default: Any) -> str | None:
    """Return what is wrong with the value of a known key, or None."""
    if key == "setting":
        if value in tuple(SETTINGS):
            return None
        return f"found {value!r}{nearest(str(value), SETTINGS)} (allowed: {', '.join(SETTINGS)})"
    if isinstance(default, bool):
        return None if isinstance(value, bool) else f"found {value!r}, expected true or false"
    wanted = "a whole number" if isinstance(default, int) else "a number"
    numeric = int if isinstance(default, int) else (int, float)
    low, high = BOUNDS[key] if key in BOUNDS else (MIN_GENES, len(available_genes()))
    # bool is a subclass of int, and `patients: true` is a mistake; nan fails the comparison
    if isinstance(value, bool) or not isinstance(value, numeric) or not low <= value <= high:
        return f"found {value!r}, expected {wanted} from {low:g} to {high:g}"
    return None
