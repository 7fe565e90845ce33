from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.checks import batch_corrected_eval, fitted_on_test
from pytest_stbench.spec.model import DatasetSpec, GenesSpec, KeysSpec
from pytest_stbench.splits.table import Fold, Sample

FOLD = [Fold(name="f", train=("A",), test=("B",))]


def logged(slide, spoil, shift=0.0):
    values = np.log1p(1e4 * slide.counts.toarray() / slide.libsize[:, None])
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


def eta2(slides):
    """Return the part of the variance of log values between slides, median over genes, gene by gene."""
    groups = [np.log1p(1e4 * s.counts.toarray() / s.libsize[:, None]) for s in slides]
    found = []
    for gene in range(groups[0].shape[1]):
        values = [group[:, gene] for group in groups]
        everything = np.concatenate(values)
        between = sum(len(v) * (v.mean() - everything.mean()) ** 2 for v in values)
        found.append(between / ((everything - everything.mean()) ** 2).sum())
    return float(np.median(found))


def whole_numbers(slides, spoil, kept):
    """Return slides of whole numbers whose genes differ between people by a power of what they did."""
    profiles = np.array([s.counts.toarray().mean(axis=0) for s in slides])
    middle = np.exp(np.log(profiles).mean(axis=0))
    changed = []
    for number, (slide, profile) in enumerate(zip(slides, profiles, strict=True)):
        rate = middle * (profile / middle) ** kept
        counts = csr_matrix(np.random.default_rng(number).poisson(rate, slide.counts.shape))
        total = np.asarray(counts.sum(axis=1), dtype=float).ravel()
        changed.append(spoil(slide, counts=counts, libsize=total))
    return changed


@pytest.mark.parametrize(("kept", "status"), [(1.0, "pass"), (0.7, "pass"), (0.05, "fail"), (0.0, "fail")])
def test_a_layer_of_whole_numbers_is_held_against_raw_counts(make_slide, make_dataset, spoil, kept, status):
    slides = people(make_slide)
    layer = whole_numbers(slides, spoil, kept)
    dataset = make_dataset(layer, keys=KeysSpec(counts="final"))
    result = batch_corrected_eval(dataset, raw=lambda: make_dataset(slides))
    assert result.status == status
    if status == "fail":
        assert result.statistic == pytest.approx(eta2(layer) / eta2(slides), abs=1e-9)
        assert "'final'" in result.message
    plain = batch_corrected_eval(make_dataset(layer), raw=lambda: make_dataset(slides))
    assert plain.status == "pass", "counts that stand where counts stand are not compared"
    recorded = make_dataset(layer, notes={"records:combat": {"S0": 1}})
    assert batch_corrected_eval(recorded, raw=lambda: make_dataset(slides)).status == status


def test_people_who_do_not_differ_have_no_difference_to_take_out(make_slide, make_dataset, spoil):
    alike = [make_slide(f"S{i}", counts=np.random.default_rng(i).poisson(5.0, (80, 30))) for i in range(3)]
    dataset = make_dataset(whole_numbers(alike, spoil, 0.0), keys=KeysSpec(counts="final"))
    assert batch_corrected_eval(dataset, raw=lambda: make_dataset(alike)).status == "pass"


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


NAMED = [
    Fold(name="P1", train=("S2", "S3"), test=("S1",)),
    Fold(name="P2", train=("S1", "S3"), test=("S2",)),
    Fold(name="empty", train=(), test=("S3",)),
]
PEOPLE = [Sample(slide="S1", patient="P1"), Sample(slide="S2", patient="B"), Sample(slide="S3", patient=None)]


@pytest.mark.parametrize(
    ("provenance", "slides"),
    [
        ("variable genes of S1", ("S1",)),
        ("S1, S2 and TCGA", ("S1", "S2")),
        ("patient P1 of this study", ("S1",)),
        ("S3 alone", ()),  # no fold trains without it and tests on it
        ("panel B of 2020", ()),  # a single letter is a word
        ("s1 receptor genes, S11, xS1", ()),
        ("TCGA", ()),
    ],
)
def test_a_list_from_tested_slides_says_which(provenance, slides):
    genes = GenesSpec(select="list", file="genes.csv", provenance=provenance)
    result = fitted_on_test(NAMED, PEOPLE, config=config(), genes=genes)
    assert result.slides == slides
    assert result.status == ("warn" if slides else "pass")
    assert result.statistic == len(slides)


def test_genes_chosen_in_the_fold_need_no_provenance():
    assert fitted_on_test(FOLD, config=config(), genes=GenesSpec(select="svg")).status == "pass"
