"""Measure what `max_above_slide` of the check image_registration (Q20) rests on.

``python tests/calibration/image_registration.py`` prints, for good simulated slides and for the same with
the image mirrored or shifted, how many have a share of shifts that fit as well above some limits.
"""

from __future__ import annotations

from itertools import product

import click

from pytest_stbench.checks.registration import image_registration
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.spec.model import DatasetSpec

LIMITS = (0.1, 0.15, 0.2, 0.25, 0.3)
TWO_EACH = {"slides_per_patient": 2, "sites": 2}
GOOD = [(seed, {}) for seed in range(8, 48)] + [(seed, TWO_EACH) for seed in range(9, 48, 2)]
"""480 slides of spots: 40 cohorts of 6 patients, and 20 with two slides of each."""

DEFECTS = {"mirrored": {"image_registration": 1.0}, "shifted": {"image_registration.shift": 0.5}}
CELLS = {"resolution": "cell", "units": 1500, "mpp": 2.0}


def shares(seed, **params):
    """Return the share of shifts that fit as well, of each slide of a cohort."""
    spec = DatasetSpec(source="simulated", params={"seed": seed, **params}, technology="Visium")
    cohort = Dataset("cohort", spec, load_samples(spec, "cohort", []), [])
    return list(image_registration(cohort).details["shifts_as_good"].values())


def tell(what, found):
    """Print how many of the slides are above each limit."""
    above = ", ".join(f"{sum(share > limit for share in found)} above {limit}" for limit in LIMITS)
    click.echo(f"{what}: {len(found)} slides, {above}")


if __name__ == "__main__":
    tell("good spots", [share for seed, params in GOOD for share in shares(seed, **params)])
    for (name, defects), (units, params) in product(DEFECTS.items(), (("spots", {}), ("cells", CELLS))):
        tell(f"{name} {units}", [s for seed in range(8) for s in shares(seed, defects=defects, **params)])
