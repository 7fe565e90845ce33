"""Puts the defects that are asked for into slides, in one fixed order."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_stbench.data.simulate.defects import counts, geometry, units
from pytest_stbench.data.simulate.defects.genes import spoil_genes
from pytest_stbench.data.simulate.defects.names import last_share
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_stbench.data.readers.protocol import RawSlide
    from pytest_stbench.data.simulate.params import SimulationParams
    from pytest_stbench.kernels.streams import Stream

PATIENT_EFFECT = 3.0

ON_UNITS: Mapping[str, Callable[[RawSlide, float, Stream], RawSlide]] = {
    "empty_units": counts.empty_units,
    "empty_units.gathered": counts.gathered,
    "duplicate_units": units.duplicates,
    "duplicate_units.names": units.same_names,
    "duplicate_units.places": units.same_places,
    "duplicate_units.counts": units.same_counts,
    "name_leak": units.telling_names,
    "name_leak.order": units.sorted_by_niche,
    "no_spatial_signal": units.shuffled_places,
    "nonfinite_negative": partial(counts.overwritten, value=math.nan),
    "nonfinite_negative.negative": counts.negative,
    "nonfinite_negative.infinite": partial(counts.overwritten, value=math.inf),
    "batch_corrected_eval": counts.corrected,
    "missing_coords": geometry.without_places,
    "xisium_geometry.pitch": geometry.wrong_pitch,
    "image_registration.shift": geometry.shifted,
    "image_registration.scale": geometry.wrong_scale,
    "image_registration.background": geometry.blank,
    "image_registration.off_tissue": geometry.dulled,
    "class_imbalance": units.majority,
    "label_alignment": units.unlabelled,
    "label_alignment.shifted": units.of_others,
    "truth_of_input": units.of_clusters,
}
"""Defects of every slide; the strength is how much of it is spoilt."""

ON_GENES: Mapping[str, Callable[[RawSlide, float, Stream, int], RawSlide]] = {
    "gene_sparsity": counts.sparse_genes,
    "ubiquitous_low_variability": counts.flat_genes,
    "hvg_not_svg": counts.noisy_genes,
    "library_size_confounding": counts.bound_to_depth,
}
"""Defects of the same genes on every slide, which the seed of the cohort chooses."""

ON_SLIDES: Mapping[str, Callable[[RawSlide], RawSlide]] = {
    "normalised_not_counts": counts.log_values,
    "normalised_not_counts.scaled": counts.scaled_values,
    "normalised_not_counts.equal_totals": counts.equal_totals,
    "missing_coords.zero": geometry.at_one_place,
    "missing_coords.index": geometry.in_index,
    "missing_coords.pixels": geometry.in_pixels,
    "missing_coords.exchanged": geometry.exchanged,
    "duplicate_units.sections": units.two_sections,
    "label_alignment.codes": units.as_codes,
    "xisium_geometry": geometry.square_lattice,
    "image_registration": geometry.mirrored,
}
"""Defects of whole slides; the strength is their share."""

HARMLESS = frozenset(
    {
        "metadata_missing",
        "patient_leakage",
        "resolution_mismatch",
        "shared_corpus",
        "patient_effect",
        "slide_leakage",
        "image_registration",
        "class_imbalance",
        "label_alignment",
        "truth_of_input",
    }
)
"""Checks whose defects leave counts, genes and coordinates of a slide as they were made."""


def params_with_defects(params: SimulationParams) -> SimulationParams:
    """Return `params` with the defects that are a matter of them."""
    strength = params.defects.get("patient_effect")
    if strength is None:
        return params
    return replace(params, patient_effect=params.patient_effect + PATIENT_EFFECT * strength)


def keeps_transcripts(params: SimulationParams) -> bool:
    """Return whether transcripts still tell what counts and coordinates tell.

    A crop of a slide does not have the transcripts of the cells that are left out.
    """
    cropped = params.defects.get("slide_leakage", 1) < 1
    return not cropped and all(name.split(".")[0] in HARMLESS for name in params.defects)


def spoil_slide(params: SimulationParams, slide: RawSlide, place: int) -> RawSlide:
    """Return slide number `place` of the cohort with its defects; a clean one as it is.

    Where counts, genes or coordinates of cells are spoilt, the slide has no transcripts, so that
    units formed of it are spoilt as well.
    """
    defects = params.defects
    number = params.patients * params.slides_per_patient
    if "slide_leakage" in defects and place == number - 1:
        slide = units.crop(slide, defects["slide_leakage"])
    slide = spoil_genes(params, slide)
    if "panel_effect" in defects:
        patient = place // params.slides_per_patient
        panel = patient % max(len(params.panels), 2)
        rng = _stream(params, "panel_effect", slide)
        slide = counts.probes_of_panel(slide, defects["panel_effect"], rng, params.seed, panel)
    if "panel_mismatch.zeros" in defects and place in last_share(0.5, number):
        slide = counts.not_measured(slide, defects["panel_mismatch.zeros"], params.seed)
    for name, spoil in ON_GENES.items():
        if name in defects:
            slide = spoil(slide, defects[name], _stream(params, name, slide), params.seed)
    for name, change in ON_UNITS.items():
        if name in defects:
            slide = change(slide, defects[name], _stream(params, name, slide))
    for name, turn in ON_SLIDES.items():
        if name in defects and place in last_share(defects[name], number):
            slide = turn(slide)
    slide = _immune_of_few(params, slide, place)
    return slide if keeps_transcripts(params) else replace(slide, transcripts=None)


def _immune_of_few(params: SimulationParams, slide: RawSlide, place: int) -> RawSlide:
    share = params.defects.get("class_imbalance.one_patient")
    if share is None:
        return slide
    patient = place // params.slides_per_patient
    labelled = patient >= params.patients - math.ceil(share * params.patients - 1e-9)
    return slide if labelled else units.without_rare(slide)


def _stream(params: SimulationParams, name: str, slide: RawSlide) -> Stream:
    return stream(params.seed, "defect", name, slide.slide_id)
