"""A check: is there anything to take a ratio of?"""

from __future__ import annotations

from statistics import median

from pytest_stbench.checks import CheckResult
from pytest_stbench.extend import check


@check("E02", severity="warn", scope="dataset", reasons={"least": "below it most counts are 0 or 1"})
def shallow_units(dataset, *, least=50):
    """Are the units deep enough for ratios?"""
    depth = median(float(total) for slide in dataset.slides() for total in slide.libsize)
    return CheckResult(
        status="pass" if depth >= least else "warn",
        statistic=depth,
        threshold=least,
        message=f"half of the units have {depth:g} counts or fewer",
        fix="form larger units (`bin`)",
    )
