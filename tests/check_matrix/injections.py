"""Which defects are put into generated cohorts to see whether the checks find them, and how strong."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_SEED = 94_001
FIRST_SPOILT = 95_001
"""Seeds from here on set no threshold and stand in no test: of clean cohorts, and of those with defects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """A clean cohort: parameters of the simulation, and what its data set and task say beside.

    ``seeds`` is the number of clean runs, ``spoilt`` how many seeds every defect is put into, at the
    strengths named by ``levels``. ``model`` is the baseline that checks of models and results judge.
    """

    summary: str
    params: Mapping[str, Any] = field(default_factory=dict)
    dataset: Mapping[str, Any] = field(default_factory=dict)
    task: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 3
    spoilt: int = 0
    levels: tuple[str, ...] = ("below", "at", "above")
    model: str = ""


COHORTS: Mapping[str, Cohort] = MappingProxyType(
    {
        "spots": Cohort(
            summary="Visium-like spots, six patients, 300 genes", seeds=4, spoilt=1, model="train_mean"
        ),
        "two slides": Cohort(
            summary="the same with two slides a patient and two sites",
            params={"slides_per_patient": 2, "sites": 2},
            seeds=2,
            model="train_mean",
        ),
        "cells": Cohort(
            summary="Xenium-like cells of six patients, 1,500 a slide",
            params={"resolution": "cell", "units": 1500, "mpp": 2.0},
            seeds=2,
            spoilt=1,
            levels=("above",),
        ),
        "xisium": Cohort(
            summary="spots binned from the transcripts of 5,000 cells a slide",
            params={"resolution": "cell", "units": 5000, "image": False},
            seeds=2,
            dataset={"bin": {"geometry": "visium"}, "resolution": "xisium"},
            task={"family": "imputation", "imputation": {"hide": {"folds": 5}}},
        ),
    }
)
"""Clean cohorts by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A defect at up to three strengths.

    ``at`` is the least strength at which its check must warn or fail, ``above`` a larger one,
    ``below`` one that is allowed; None where every strength is a defect. ``params`` and ``task``
    set up the cohort and the task in which the check can see it.
    """

    at: float
    above: float
    below: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    task: Mapping[str, Any] = field(default_factory=dict)

    @property
    def strengths(self) -> tuple[tuple[str, float], ...]:
        """Pairs of (level, strength), weakest first."""
        levels = (("below", self.below), ("at", self.at), ("above", self.above))
        return tuple((level, strength) for level, strength in levels if strength is not None)


ALL_GENES = {"preprocess": {"filter": {"min_genes": 5}, "genes": {"select": "all", "min_detection": 0.0}}}
HVG = {"preprocess": {"genes": {"select": "hvg", "n": 50}}}
SIGNATURES = {"family": "signatures", "preprocess": {"filter": {"min_genes": 5}}}
LABELS = {"family": "niches"}

INJECTIONS: Mapping[str, Injection] = MappingProxyType(
    {
        "metadata_missing": Injection(at=0.01, above=1.0),
        "metadata_missing.context": Injection(at=0.01, above=1.0),
        "patient_leakage": Injection(at=0.01, above=0.5),
        "resolution_mismatch": Injection(at=0.01, above=0.5),
        "slide_leakage": Injection(at=0.2, above=1.0),
        "name_leak": Injection(below=0.02, at=0.5, above=1.0),
        "name_leak.order": Injection(below=0.02, at=0.8, above=1.0),
        "duplicate_units": Injection(at=0.01, above=0.2),
        "duplicate_units.names": Injection(at=0.01, above=0.2),
        "duplicate_units.places": Injection(at=0.01, above=0.2),
        "duplicate_units.counts": Injection(at=0.03, above=0.2),
        "duplicate_units.sections": Injection(at=0.01, above=1.0),
        "empty_units": Injection(below=0.05, at=0.12, above=0.5),
        "empty_units.gathered": Injection(below=0.005, at=0.2, above=0.5),
        "normalised_not_counts": Injection(at=0.01, above=1.0),
        "normalised_not_counts.scaled": Injection(at=0.01, above=1.0),
        "normalised_not_counts.equal_totals": Injection(at=0.01, above=1.0),
        "gene_ids": Injection(below=0.01, at=0.03, above=0.5),
        "gene_ids.dates": Injection(at=0.01, above=0.05),
        "gene_ids.mouse": Injection(below=0.01, at=0.03, above=0.5),
        "gene_ids.genomes": Injection(at=0.05, above=0.5),
        "gene_ids.aliases": Injection(at=0.05, above=1.0),
        "nonfinite_negative": Injection(at=0.0001, above=0.05),
        "nonfinite_negative.negative": Injection(at=0.0001, above=0.05),
        "nonfinite_negative.infinite": Injection(at=0.0001, above=0.05),
        "controls_in_matrix": Injection(at=0.01, above=1.0, task=ALL_GENES),
        "controls_in_matrix.antibodies": Injection(at=0.05, above=1.0),
        "batch_corrected_eval": Injection(at=0.3, above=1.0),
        "panel_mismatch": Injection(below=0.05, at=0.12, above=0.4),
        "panel_mismatch.zeros": Injection(below=0.01, at=0.05, above=0.4),
        "housekeeping_only_panel": Injection(below=0.15, at=0.25, above=0.6, task=ALL_GENES),
        "task_gene_coverage": Injection(below=0.2, at=0.8, above=0.95, task=SIGNATURES),
        "gene_sparsity": Injection(below=0.05, at=0.15, above=0.5, task=ALL_GENES),
        "ubiquitous_low_variability": Injection(below=0.05, at=0.15, above=0.5, task=ALL_GENES),
        "hvg_not_svg": Injection(below=0.01, at=0.3, above=0.6, task=HVG),
        "no_spatial_signal": Injection(below=0.2, at=0.95, above=1.0),
        "panel_effect": Injection(below=0.05, at=0.5, above=1.0),
        "patient_effect": Injection(below=0.05, at=0.5, above=0.8),
        "library_size_confounding": Injection(
            below=0.1, at=0.8, above=1.0, params={"depth": 1500}, task=ALL_GENES
        ),
        "missing_coords": Injection(at=0.005, above=0.2),
        "missing_coords.zero": Injection(at=0.01, above=1.0),
        "missing_coords.index": Injection(at=0.01, above=1.0),
        "missing_coords.pixels": Injection(at=0.01, above=1.0),
        "missing_coords.exchanged": Injection(at=0.01, above=1.0),
        "xisium_geometry": Injection(at=0.01, above=1.0),
        "xisium_geometry.pitch": Injection(below=0.05, at=0.2, above=1.0),
        "image_registration": Injection(at=0.5, above=1.0),
        "image_registration.shift": Injection(at=0.5, above=1.0),
        "image_registration.scale": Injection(below=0.05, at=0.2, above=1.0),
        "image_registration.background": Injection(below=0.05, at=0.3, above=0.8),
        "image_registration.off_tissue": Injection(below=0.05, at=0.6, above=0.8),
        "class_imbalance": Injection(below=0.2, at=0.95, above=1.0, task=LABELS),
        "class_imbalance.one_patient": Injection(at=0.01, above=0.15, task=LABELS),
        "label_alignment": Injection(below=0.02, at=0.1, above=0.5, task=LABELS),
        "label_alignment.shifted": Injection(at=0.5, above=1.0, task=LABELS),
        "label_alignment.codes": Injection(at=0.01, above=1.0, task=LABELS),
        "truth_of_input": Injection(below=0.3, at=0.99, above=1.0, task=LABELS),
    }
)
"""Defects of the simulation, at which strength their check must speak."""

ON_LATTICES = frozenset(
    {"xisium_geometry", "xisium_geometry.pitch", "missing_coords.pixels", "missing_coords.exchanged"}
)
"""Defects that only units on a lattice show: cells have no pitch to compare with."""

NEEDS_MODEL = frozenset({"shared_corpus"})
"""Defects that no check of data alone can see: faults of a model stand for them."""

REFERENCE = {
    "reference": {"source": "h5ad", "path": "atlas.h5ad", "labels": "cell_type", "patient": "donor"},
}
ABLATION = {
    "variants": {
        "raw": {"normalise": "log1p"},
        "residuals": {"normalise": "pearson_residuals"},
        "hvg": {"genes": {"select": "hvg"}},
    }
}
"""Settings in which the clean cohorts of models are scored too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignFault:
    """A defect that lies in the task, not in the data: what is changed of cohort and task.

    ``tested`` slides make up the test of a single fold: all, which are in training too, or every second,
    the others being in training; nothing leaves one patient out in turn. ``model`` is a baseline, or
    ``depth`` (told the depth of every unit), that is judged on the cohort, ``pretraining`` what it is said
    to have seen (None: nothing is said). ``atlas`` is what is wrong with the reference that the task names.
    """

    summary: str
    params: Mapping[str, Any] = field(default_factory=dict)
    task: Mapping[str, Any] = field(default_factory=dict)
    tested: Literal["", "all", "every second"] = ""
    model: str = ""
    pretraining: tuple[str, ...] | None = ()
    atlas: Literal["", "species", "values", "donors"] = ""


DESIGN_FAULTS: Mapping[str, DesignFault] = MappingProxyType(
    {
        "too_few_patients": DesignFault(
            summary="three patients and a population claim", params={"patients": 3}
        ),
        "too_few_patients.five": DesignFault(summary="five patients", params={"patients": 5}),
        "split_within_slide": DesignFault(summary="units of one slide in training and test", tested="all"),
        "baseline_missing": DesignFault(
            summary="no image, so that the position is the only simple baseline", params={"image": False}
        ),
        "metric_monoculture": DesignFault(
            summary="Pearson alone", task={"metrics": [{"name": "pearson_gene"}]}
        ),
        "narrow_scope": DesignFault(
            summary="a claim for all cancers from one organ", task={"scope": ["pan-cancer"]}
        ),
        "fitted_on_test": DesignFault(
            summary="a list of genes that does not say where it is from",
            task={"preprocess": {"genes": {"select": "list", "names": ["EPCAM", "KRT8", "COL1A1", "CD3D"]}}},
        ),
        "panel_split": DesignFault(
            summary="two panels, one in training, one in test", params={"panels": 2}, tested="every second"
        ),
        "resolution_split": DesignFault(
            summary="one slide declared as of another resolution",
            params={"defects": {"resolution_mismatch": 0.01}},
        ),
        "no_panel_independent_eval": DesignFault(
            summary="two panels, and only a family that depends on them", params={"panels": 2}
        ),
        "task_truth_coverage": DesignFault(
            summary="spots of 100 counts, in which fewer than three pairs of ligand and receptor are active",
            params={"genes": 700, "depth": 100, "image": False},
            task={
                "family": "communication",
                "imputation": {"hide": {"folds": 2}},
                "preprocess": {"filter": {"min_counts": 5, "min_genes": 2}, "genes": {"n": 30}},
            },
        ),
        "shared_corpus": DesignFault(
            summary="a zero-shot claim of a model whose pretraining names the accession of half the slides",
            params={"defects": {"shared_corpus": 0.5}},
            task={"scope": ["zero-shot"]},
            model="train_mean",
            pretraining=("SIM000001",),
        ),
        "shared_corpus.undeclared": DesignFault(
            summary="a model that does not say what it was pretrained on",
            model="train_mean",
            pretraining=None,
        ),
        "preprocessing_unstable": DesignFault(
            summary="a model that was told the depth of each spot: ahead on raw counts, behind on others",
            task={"preprocess": ABLATION},
            model="depth",
        ),
        "preprocessing_unstable.one_setting": DesignFault(summary="no ablation at all", model="train_mean"),
        "reference_atlas": DesignFault(summary="a reference atlas of mouse", task=REFERENCE, atlas="species"),
        "reference_atlas.values": DesignFault(
            summary="a reference atlas of log values", task=REFERENCE, atlas="values"
        ),
        "reference_atlas.donors": DesignFault(
            summary="a reference atlas with cells of a tested patient", task=REFERENCE, atlas="donors"
        ),
        "state_across_folds": DesignFault(
            summary="a model that keeps every training slide in its class", model="memory"
        ),
        "patient_effect_gap": DesignFault(
            summary="patients with levels of their own, scored by a model",
            params={"defects": {"patient_effect": 0.5}},
            model="train_mean",
        ),
    }
)
"""Faults of design, each named by the check that must see it."""
