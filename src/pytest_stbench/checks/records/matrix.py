"""The count matrix: units, values, gene names, controls."""

from __future__ import annotations

from pytest_stbench.registry import Check
from pytest_stbench.spec.thresholds import MIN_UNIT

RECORDS: tuple[Check, ...] = (
    Check(
        id="Q16",
        name="gene_ids",
        summary="Are gene names current symbols of one species: no Ensembl mix, aliases, duplicates, dates?",
        severity="fail",
        scope="dataset",
        blocks="dataset",
        params={"mixed_low": 0.02, "mixed_high": 0.98, "min_reference": 0.8, "reference": None},
        reasons={
            "mixed_low": "a real annotation holds a few odd names; more than 2% is a second naming scheme",
            "mixed_high": "the counterpart of mixed_low",
            "min_reference": "annotation releases differ by some per cent, not by a fifth",
            "reference": "no list is shipped: the right one is that of the data's annotation release",
        },
        checklist=("S3",),
        target="pytest_stbench.checks.genes:gene_ids",
    ),
    Check(
        id="Q08",
        name="normalised_not_counts",
        summary="Does the count matrix hold raw counts, not log or normalised values?",
        severity="fail",
        scope="dataset",
        blocks="dataset",
        params={
            "tolerance": 1e-3,
            "max_non_integer": 0.01,
            "min_max_count": 20,
            "min_units": 500,
            "min_library_cv": 0.01,
        },
        reasons={
            "tolerance": "counts stored as float32 are exact; a correction for rounding needs no more",
            "max_non_integer": "a few corrected values are tolerable, a scaled matrix has nearly none",
            "min_max_count": "log1p values stay below 15; some gene exceeds 20 counts on a real slide",
            "min_units": "with few units no gene need reach 20 counts",
            "min_library_cv": "totals of real units vary manyfold; equal totals are a normalisation",
        },
        checklist=("S5",),
        skip_fails=True,
        target="pytest_stbench.checks.matrix:normalised_not_counts",
    ),
    Check(
        id="Q23",
        name="nonfinite_negative",
        summary="Are all counts and coordinates finite, and no count negative?",
        severity="fail",
        scope="dataset",
        blocks="dataset",
        checklist=("S5",),
        skip_fails=True,
        target="pytest_stbench.checks.matrix:nonfinite_negative",
    ),
    Check(
        id="Q24",
        name="controls_in_matrix",
        summary="Are all genes genes, and no antibodies, negative probes, blank or unassigned codewords?",
        severity="fail",
        scope="dataset",
        blocks="dataset",
        checklist=("S1",),
        target="pytest_stbench.checks.controls:controls_in_matrix",
    ),
    Check(
        id="Q06",
        name="empty_units",
        summary="How many units are background, and does the filter leave any empty one?",
        severity="fail",
        scope="dataset",
        blocks="dataset",
        params={
            "warn_share": 0.1,
            "fail_share": 0.3,
            "min_counts": {name: counts for name, (counts, _) in MIN_UNIT.items()},
            "max_depth_ratio": 20,
            "max_held": 0.01,
        },
        reasons={
            "warn_share": "her2st sections have 0.6% (median) to 3% of their spots below 200 counts",
            "fail_share": "a third of background spots is a failed array or a missing tissue mask",
            "min_counts": "log-normalised values of shallower units are noise; bins are as small as cells",
            "max_depth_ratio": "the deepest unit of 45 real slides has at most 2.6 times the next's counts",
            "max_held": "what holds less moves no score by itself",
        },
        checklist=("S9", "S10"),
        source="Andersson et al. 2021",
        target="pytest_stbench.checks.units:empty_units",
    ),
)
