"""The defects that can be put into a simulated cohort, by the check that must see them.

A kind after a dot chooses among several ways in which a check can be failed. A strength is above 0
and at most 1; shares of slides and of patients are rounded up and taken from the end of the
cohort.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_stbench.kernels.streams import Stream

DEFECTS = MappingProxyType(
    {
        # samples table
        "metadata_missing": "technology and panel are blank for this share of the slides",
        "metadata_missing.context": "organ, disease and preservation are blank for this share of the slides",
        "patient_leakage": "this share of the patients is the first one, its id spelled otherwise",
        "resolution_mismatch": "this share of the slides is declared as of another resolution",
        "shared_corpus": "this share of the slides carries corpus and accession of one public collection",
        # identity
        "slide_leakage": "the last slide is a crop of this share of the first; 1 = the same slide",
        "duplicate_units": "this share of the units is a second copy of another: name, place and counts",
        "duplicate_units.names": "this share of the units has the name of another",
        "duplicate_units.places": "this share of the units lies where another lies",
        "duplicate_units.counts": "this share of the units has the counts of another",
        "duplicate_units.sections": "this share of the slides is two sections that lie on each other",
        "name_leak": "the names of this share of the units begin with their niche",
        "name_leak.order": "this share of the units, the last ones, is sorted by niche",
        # matrix
        "empty_units": "this share of the units has no counts",
        "empty_units.gathered": "the last unit of every slide holds this share of the counts of all others",
        "normalised_not_counts": "log1p of counts per 10,000 on this share of the slides",
        "normalised_not_counts.scaled": "counts per 10,000, without logarithm, on this share of the slides",
        "normalised_not_counts.equal_totals": "whole numbers of equal totals on this share of the slides",
        "gene_ids": "this share of the genes is named by made-up Ensembl ids",
        "gene_ids.dates": "this share of the genes (at most 24) is named 1-Mar, 2-Sep, as spreadsheets do",
        "gene_ids.mouse": "this share of the genes is written as mouse genes are",
        "gene_ids.genomes": "this share of the genes is named mm10_GENE, the others GRCh38_GENE",
        "gene_ids.aliases": "this share of the genes with a retired symbol in the alias table has it",
        "nonfinite_negative": "this share of the stored counts is nan",
        "nonfinite_negative.negative": "this share of the stored counts is negative",
        "nonfinite_negative.infinite": "this share of the stored counts is infinite",
        "controls_in_matrix": "40 times this number of negative probes are columns of the matrix",
        "controls_in_matrix.antibodies": "20 times this number of antibodies are columns of the matrix",
        "batch_corrected_eval": "log values, from which this share of each slide's gene means is taken out",
        # genes
        "panel_mismatch": "every slide lacks this share of the genes, each others",
        "panel_mismatch.zeros": "this share of the genes has no count on the last half of the slides",
        "housekeeping_only_panel": "so many others are left out that this share of the genes is housekeeping",
        "task_gene_coverage": "this share of the signature, ligand and receptor genes is not measured",
        "gene_sparsity": "this share of the genes is seen in 2% of the units only",
        "ubiquitous_low_variability": "this share of the genes is everywhere, in proportion to depth",
        "hvg_not_svg": "this share of the genes is noise of high dispersion",
        "no_spatial_signal": "this share of the units has changed places at random",
        # confounding
        "panel_effect": "log yields differ between panels by this SD times 2; one panel becomes two versions",
        "patient_effect": "the SD of log rates over patients is larger by 3 times this",
        "library_size_confounding": "half of the genes rise, half fall with depth, by up to this share",
        # geometry
        "missing_coords": "this share of the units has no coordinates",
        "missing_coords.zero": "all units of this share of the slides lie at one place",
        "missing_coords.index": "coordinates of this share of the slides are a hundredth of what they are",
        "missing_coords.pixels": "coordinates of this share of the slides are pixels of 0.5 um",
        "missing_coords.exchanged": "x and y are exchanged on this share of the slides",
        "xisium_geometry": "a square lattice of 55 um named xisium on this share of the slides",
        "xisium_geometry.pitch": "a xisium lattice whose pitch is wrong by this share of 20%",
        "image_registration": "the image is mirrored on this share of the slides",
        "image_registration.shift": "the image is shifted by this share of 1 mm",
        "image_registration.scale": "the declared um per pixel are too large by this share of 50%",
        "image_registration.background": "this share of the image, from the left, is white",
        "image_registration.off_tissue": "this share of the image, from the left, is grey glass",
        # labels
        "class_imbalance": "this share of the units of smaller niches is labelled as the largest",
        "class_imbalance.one_patient": "only this share of the patients has the label immune, others stroma",
        "label_alignment": "this share of the units has no label",
        "label_alignment.shifted": "this share of the units has the label of another",
        "truth_of_input": "this share of the units has the niche that a clustering of its counts gives it",
        "label_alignment.codes": "classes are codes without names on this share of the slides",
    }
)
"""What each defect does, with the meaning of its strength."""

NOT_IN_DATA = MappingProxyType(
    {
        "task_truth_coverage": "ask for pairs or niche lists on a cohort of few counts (`depth: 100`)",
        "too_few_patients": "set `patients` to 3 or fewer",
        "preprocessing_unstable": "it is judged on the results of several variants",
        "state_across_folds": "keep training slides in a variable of the class of a model",
        "baseline_missing": "leave the baselines out of the task file",
        "metric_monoculture": "name one metric in the task file",
        "narrow_scope": "make the claim of the task file wider than its cohorts",
        "no_panel_independent_eval": "use `panels: 2` and families that depend on them",
        "split_within_slide": "use a split that cuts slides",
        "resolution_split": "give the slides of one samples table several resolutions",
        "panel_split": "use `panels: 2` and a split that tests one of them",
        "reference_atlas": "name an atlas of another species, of log values, or of tested donors",
        "fitted_on_test": "name a list of genes without saying where it came from",
    }
)
"""Checks whose defect lies in parameters, task file or results, and what to do instead."""


def last_share(share: float, number: int) -> range:
    """Return the places of the last `share` of `number` things, at least one."""
    return range(number - math.ceil(share * number - 1e-9), number)


def some_of(rng: Stream, number: int, share: float) -> NDArray[np.int64]:
    """Return random places of `share` of `number` things, at least one if there are any."""
    return rng.sample(number, len(last_share(share, number)))
