from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.checks import batch_corrected_eval, fitted_on_test
from pytest_stbench.spec.model import DatasetSpec, GenesSpec, KeysSpec
from pytest_stbench.splits.table import Fold

FOLD = [Fold(name="f", train=("A",), test=("B",))]


def logged(slide, spoil, shift=0.0):
    values = np.log1p(1e4 * slide.counts.toarray() / slide.libsize[:, None])
    from scipy.sparse import csr_matrix

    return spoil(slide, counts=csr_matrix(values - shift))


def people(make_slide, n=3):
    """Slides of patients who differ."""
    slides = []
    for i in range(n):
        level = np.random.default_rng(i).lognormal(2.0, 1.0, 30)
        counts = np.random.default_rng(100 + i).poisson(level, (80, 30))
        slides.append(make_slide(f"S{i}", counts=counts))
    return slides


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_counts_pass(simulated, seed):
    assert batch_corrected_eval(simulated(patients=2, seed=seed)[0]).status == "pass"


@pytest.mark.parametrize("strength", [0.05, 0.5, 1.0])
def test_corrected_values_fail(simulated, strength):
    dataset, _ = simulated(patients=2, defects={"batch_corrected_eval": strength})
    assert batch_corrected_eval(dataset).status == "fail"


@pytest.mark.parametrize("layer", ["harmony_corrected", "X_scVI", "combat", "batch_corrected", "integrated"])
def test_a_layer_named_after_a_correction_fails(make_slide, make_dataset, layer):
    dataset = make_dataset([make_slide("A")], keys=KeysSpec(counts=layer))
    assert batch_corrected_eval(dataset).status == "fail"


@pytest.mark.parametrize("layer", ["X", "raw", "counts", "description", "spots", "combined"])
def test_other_layers_pass(make_slide, make_dataset, layer):
    assert batch_corrected_eval(make_dataset([make_slide("A")], keys=KeysSpec(counts=layer))).status == "pass"


def test_a_record_of_a_correction_counts_where_values_are_no_counts(make_slide, make_dataset, spoil):
    notes = {"records:harmony": {"A": 1}}
    counts = batch_corrected_eval(make_dataset([make_slide("A")], notes=notes))
    assert counts.status == "pass"
    assert "harmony" in counts.message
    values = batch_corrected_eval(make_dataset([logged(make_slide("A"), spoil)], notes=notes))
    assert values.status == "fail"
    assert "harmony" in values.message


def test_values_without_raw_ones_warn(make_slide, make_dataset, spoil):
    assert batch_corrected_eval(make_dataset([logged(make_slide("A"), spoil)])).status == "warn"


def test_beside_raw_counts_the_difference_between_people_decides(make_slide, make_dataset, spoil):
    slides = people(make_slide)
    raw = make_dataset(slides)
    normalised = make_dataset([logged(slide, spoil) for slide in slides])
    assert batch_corrected_eval(normalised, raw=lambda: raw).status == "pass"
    levels = [s.counts.toarray().mean(axis=0) for s in normalised.read]
    lowest = np.min(levels, axis=0)
    taken = [
        logged(slide, spoil, shift=level - lowest - 5) for slide, level in zip(slides, levels, strict=True)
    ]
    result = batch_corrected_eval(make_dataset(taken), raw=lambda: raw)
    assert result.status == "fail"
    assert result.statistic < 0.05


def test_negative_counts_alone_are_for_another_check(make_slide, make_dataset, spoil):
    slide = make_slide("A")
    counts = slide.counts.copy()
    counts.data = -counts.data
    assert batch_corrected_eval(make_dataset([spoil(slide, counts=counts)])).status == "pass"


def config(**keys):
    return DatasetSpec(source="h5ad", keys=keys)


@pytest.mark.parametrize("name", ["X_harmony", "X_pca_harmony", "X_scVI", "scanorama"])
def test_an_integrated_embedding_fails(name):
    result = fitted_on_test(FOLD, config=config(embedding=name))
    assert result.status == "fail"
    assert name in result.message


@pytest.mark.parametrize("name", ["X_uni", "X_pca", "conch", None])
def test_other_embeddings_pass(name):
    assert fitted_on_test(FOLD, config=config(embedding=name)).status == "pass"


@pytest.mark.parametrize(
    ("provenance", "status"),
    [
        (None, "warn"), ("", "warn"), ("unknown", "warn"), ("chosen on all slides", "warn"),
        ("HVG of the whole cohort", "warn"), ("every patient", "warn"), ("Hallmark v7", "pass"),
        ("Xenium breast panel", "pass"), ("chosen on TCGA, another cohort", "pass"),
    ],
)  # fmt: skip
def test_a_list_of_genes_must_say_where_it_is_from(provenance, status):
    genes = GenesSpec(select="list", file="genes.csv", provenance=provenance)
    assert fitted_on_test(FOLD, config=config(), genes=genes).status == status


def test_genes_chosen_in_the_fold_need_no_provenance():
    assert fitted_on_test(FOLD, config=config(), genes=GenesSpec(select="svg")).status == "pass"
