"""The usual names under which files say patient, slide, niche and the like; first choice first."""

from __future__ import annotations

import re

PATIENT = (
    "patient", "patient_id", "donor", "donor_id", "subject", "subject_id", "individual", "individual_id",
    "participant", "participant_id", "case", "case_id",
)  # fmt: skip
NICHE = (
    "niche", "region", "pathology", "pathologist_annotation", "pathology_annotation", "histology", "domain",
    "spatial_domain", "tissue_region", "ground_truth", "layer_guess", "annotation",
)  # fmt: skip
CELL_TYPE = ("cell_type", "celltype", "cell_types", "cell_type_major", "predicted_cell_type", "cell_label")
DISEASE = ("disease", "condition", "diagnosis", "indication", "cancer_type")
SITE = ("site", "hospital", "center", "centre", "institution")
ARRAY = (("array_row", "array_col"), ("row", "col"))
IMAGES = ("jpg", "jpeg", "png", "tif", "tiff")

_UNKNOWN = re.compile(
    r"(not (stated|given|available|known|provided|applicable)|unknown|unspecified|n/?a|none|null|nan|-|\?)?"
)

_TECHNOLOGIES = (
    ("xenium", "Xenium", "cell"),
    ("cosmx", "CosMx", "cell"),
    ("merscope", "MERSCOPE", "cell"),
    ("merfish", "MERSCOPE", "cell"),
    ("stereoseqcell", "Stereo-seq", "cell"),
    ("stereoseq", "Stereo-seq", "bin"),
    ("visiumhd", "Visium HD", "bin"),
    ("visiumcytassist", "Visium CytAssist", "spot"),
    ("visium", "Visium", "spot"),
    ("spatialtranscriptomics", "ST", "spot"),
    ("legacyst", "ST", "spot"),
)


def is_unknown(value: str) -> bool:
    """Return whether `value` says in words that nobody knows."""
    return _UNKNOWN.fullmatch(value.strip().casefold()) is not None


def technology_in(text: str) -> tuple[str, str] | None:
    """Return (technology, resolution) that `text` speaks of, or None."""
    plain = re.sub(r"[^a-z0-9]", "", text.casefold())
    for word, name, resolution in _TECHNOLOGIES:
        if word in plain:
            return name, resolution
    return ("ST", "spot") if plain == "st" else None


def patient_in_name(slide: str) -> str:
    """Return a guess of the patient from the name of a slide.

    What stands before the first ``_``, ``-``, ``.`` or space; in a name without any, what stands
    before its last digits (``A1`` and ``A2`` are of ``A``); else the whole name.
    """
    head, separator, _ = re.sub(r"[_\-. ]", "\0", slide, count=1).partition("\0")
    if separator and head:
        return head
    return re.sub(r"\d+$", "", slide) or slide
