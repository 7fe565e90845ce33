"""Places, lattices, resolutions and images."""

from __future__ import annotations

from pytest_stbench.registry import Check

RECORDS: tuple[Check, ...] = (
    Check(
        id="Q07",
        name="missing_coords",
        summary="Are coordinates complete, spread out and in micrometres?",
        severity="fail",
        scope="dataset",
        blocks="dataset",
        params={"min_ratio": 0.8, "max_ratio": 1.25, "min_cell_um": 1.0},
        reasons={
            "min_ratio": "distortion and gaps of an array move the median spacing by less than 20%",
            "max_ratio": "the counterpart of min_ratio",
            "min_cell_um": "the smallest nuclei have a diameter of about 5 um",
        },
        checklist=("S1",),
        target="pytest_stbench.checks.coordinates:missing_coords",
    ),
    Check(
        id="Q18",
        name="xisium_geometry",
        summary="Do spots formed of transcripts stand, and are they filled, as the Xisium lattice says?",
        severity="fail",
        scope="dataset",
        blocks="dataset",
        params={
            "tolerance": 0.02,
            "min_six": 0.95,
            "max_area": 0.05,
            "min_tissue": 0.5,
            "max_thin": 0.3,
            "max_depth_ratio": 10.0,
        },
        reasons={
            "tolerance": "a computed lattice is exact; rounding to a pixel moves a spot by less than 1 um",
            "min_six": "inner units of a hexagonal lattice have six neighbours, but for a hole or two",
            "max_area": "0.274 of the tissue lies in Visium discs: another share is another geometry",
            "min_tissue": "less than half a spot of tissue is a thinner spot, not lower expression",
            "max_thin": "a third of edge spots is a wrong tissue mask",
            "max_depth_ratio": "targeted panels and whole transcriptomes differ within tenfold per spot",
        },
        checklist=("S1",),
        target="pytest_stbench.checks.xisium:xisium_geometry",
    ),
    Check(
        id="Q19",
        name="resolution_mismatch",
        summary="Are units what the task is about and what they are declared to be: spots, bins, cells?",
        severity="fail",
        scope="dataset",
        blocks="dataset",
        params={"min_regular": 0.7, "max_regular": 0.9},
        reasons={
            "min_regular": "lattices reach 90% or more even with gaps, cells at most 60%",
            "max_regular": "the distance of a cell to the next varies by a third, that of a spot does not",
        },
        checklist=("S1",),
        target="pytest_stbench.checks.resolution:resolution_mismatch",
    ),
    Check(
        id="Q19s",
        name="resolution_split",
        summary="Are training and test units of one kind, spacing and depth?",
        severity="fail/warn",
        scope="split",
        blocks="split",
        params={"across": ("lotech",), "max_ratio": 5.0, "max_pitch": 0.2},
        reasons={
            "across": "this split asks how far a model carries over to another technology",
            "max_ratio": "sections of a study differ tenfold at the extremes, fold medians rarely fivefold",
            "max_pitch": "distortion moves the spacing of a lattice by less than 20%",
        },
        checklist=("S1",),
        target="pytest_stbench.checks.resolution:resolution_split",
    ),
    Check(
        id="Q20",
        name="image_registration",
        summary="Do image patches show the tissue that was measured: place, orientation, scale?",
        severity="warn/fail",
        scope="dataset",
        blocks="dataset",
        params={
            "patch_background": 0.8,
            "warn_background": 0.1,
            "fail_background": 0.3,
            "max_above": 0.1,
            "max_above_slide": 0.25,
            "max_scale": 0.05,
        },
        reasons={
            "patch_background": "fat is half white; a patch of four fifths of white shows no tissue",
            "warn_background": "a tenth of spots at the edge of the tissue is common",
            "fail_background": "with a third of spots on glass the image does not belong to the slide",
            "max_above": "a right place is better than nine of ten wrong ones 0.2 to 1 mm away",
            "max_above_slide": "7 of 480 good simulated slides are above it, none of 8 real ones, and two of "
            "three mirrored or shifted ones (tests/calibration/image_registration.py)",
            "max_scale": "scanners are exact to 1%; 5% moves a spot at 6 mm by 300 um",
        },
        checklist=("S1",),
        source="Ruifrok and Johnston 2001",
        target="pytest_stbench.checks.registration:image_registration",
    ),
)
