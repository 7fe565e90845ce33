"""The split designs that a task file may name."""

from __future__ import annotations

from pytest_stbench.registry import Split

SPLITS: tuple[Split, ...] = (
    Split(
        id="lopo",
        name="lopo",
        summary="Leave one patient out: each patient is the test of one fold, all others train.",
        target="pytest_stbench.splits.by_patient:lopo",
        min_patients=2,
    ),
    Split(
        id="pgkf",
        name="pgkf",
        summary=(
            "Patient-grouped K-fold: K = min(5, patients) unless k is given; "
            "balanced over diseases and slides, seeded."
        ),
        target="pytest_stbench.splits.by_patient:pgkf",
        min_patients=4,
        params={"k": None, "seed": 0},
    ),
    Split(
        id="lopanel",
        name="lopanel",
        summary="Leave one panel out: its slides are the test, its patients train nothing there.",
        target="pytest_stbench.splits.by_group:lopanel",
        min_patients=2,
        params={"test": None},
    ),
    Split(
        id="losite",
        name="losite",
        summary="Leave one site out: its slides are the test, its patients train nothing there.",
        target="pytest_stbench.splits.by_group:losite",
        min_patients=2,
        params={"test": None},
    ),
    Split(
        id="lotech",
        name="lotech",
        summary="Leave one technology out: its slides are the test, its patients train nothing there.",
        target="pytest_stbench.splits.by_group:lotech",
        min_patients=2,
        params={"test": None},
    ),
    Split(
        id="locorpus",
        name="locorpus",
        summary="Leave one public collection out: its slides are the test, its patients train nothing there.",
        target="pytest_stbench.splits.by_group:locorpus",
        min_patients=2,
        params={"test": None},
    ),
    Split(
        id="loorgan",
        name="loorgan",
        summary="Leave one organ out: its slides are the test, its patients train nothing there.",
        target="pytest_stbench.splits.by_group:loorgan",
        min_patients=2,
        params={"test": None},
    ),
    Split(
        id="fixed",
        name="fixed",
        summary=(
            "A published split: a column of the samples table with train and test (val counts as train), "
            "several of them for several folds, or the list of test slides."
        ),
        target="pytest_stbench.splits.published:fixed",
        params={"column": None, "columns": None, "test": None},
    ),
    Split(
        id="within",
        name="within",
        summary=(
            "Spatial blocks of one slide, with a gap between train and test: "
            "within-slide, not generalisation, and never an interval."
        ),
        target="pytest_stbench.splits.within_slide:within",
        params={"block_um": 500.0, "gap_um": 200.0, "test_share": 0.25, "seed": 0},
    ),
)
