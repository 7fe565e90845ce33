"""Panels that were joined by filling in zeros, known by blocks of genes without a count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.checks import panel_joined, panel_mismatch

N_GENES = 150


@pytest.fixture
def cohort(make_slide, make_dataset):
    """Six slides of one panel whose genes a maker changes, slide by slide."""

    def make(
        change=lambda counts, number: counts, n_units=300, mean=0.4, technologies=("Xenium",),
        n_genes=N_GENES, organs=(None,), **config,
    ):  # fmt: skip
        slides = []
        for number in range(6):
            rng = np.random.default_rng(number)
            rate = mean * np.exp(np.random.default_rng(99).normal(0, 0.5, n_genes))
            counts = rng.poisson(rate * rng.lognormal(0, 0.4, (n_units, 1))).astype(float)
            slide = make_slide(
                f"S{number}", counts=change(counts, number), xy=rng.uniform(0, 900, (n_units, 2))
            )
            technology = technologies[number % len(technologies)]
            organ = organs[number % len(organs)]
            slides.append(replace(slide, meta=replace(slide.meta, technology=technology, organ=organ)))
        return make_dataset(slides, **config)

    return make


def hide(columns, slides):
    def change(counts, number):
        if number in slides:
            counts[:, columns] = 0
        return counts

    return change


def joined(result):
    return [text for text in result.details.get("findings", ()) if "joined with zeros" in text]


def test_slides_of_one_panel_pass(cohort):
    assert panel_mismatch(cohort()).status == "pass"


@pytest.mark.parametrize("block", [5, 20, 100])
@pytest.mark.parametrize("slides", [(5,), (3, 4, 5), (0, 1, 2, 3, 4)])
def test_a_block_without_counts_fails(cohort, block, slides):
    result = panel_mismatch(cohort(hide(slice(0, block), slides)))
    assert result.status == "fail"
    assert (result.statistic, result.threshold) == (block, 5)
    assert set(result.slides) == {f"S{number}" for number in slides}
    assert set(result.genes) <= {f"GENE{i}" for i in range(block)}
    assert "absent_gene: mask" in result.fix


@pytest.mark.parametrize("block", [5, 20, 100])
def test_a_small_block_of_a_whole_transcriptome_fails(cohort, block):
    """Of 4,000 genes 5 are 0.1 %: they are told by how many counts they should have."""
    result = panel_mismatch(cohort(hide(slice(0, block), (1, 4)), n_genes=4000, mean=1.5))
    assert (result.status, result.statistic, set(result.slides)) == ("fail", block, {"S1", "S4"})


def test_what_some_people_hardly_have_is_no_panel(cohort):
    """As in her2st: 0.5 % of the genes, with few counts elsewhere, are missing on each of six slides."""

    def change(counts, number):
        hidden = slice(20 * number, 20 * number + 20)
        counts[:, :120] = np.random.default_rng(number).random((len(counts), 120)) < 0.12
        counts[:, hidden] = 0
        return counts

    assert joined(panel_mismatch(cohort(change, n_genes=4000))) == []


def test_two_panels_hide_genes_of_each_other(cohort):
    def change(counts, number):
        counts[:, slice(0, 40) if number < 3 else slice(40, 60)] = 0
        return counts

    result = panel_mismatch(cohort(change))
    assert result.status == "fail"
    assert result.slides == ("S0", "S1", "S2", "S3", "S4", "S5")
    assert result.statistic == 40


@pytest.mark.parametrize("block", [1, 4])
def test_few_genes_are_no_panel(cohort, block):
    assert panel_mismatch(cohort(hide(slice(0, block), (5,)))).status == "pass"


def test_rare_genes_are_not_seen_by_chance(cohort):
    def change(counts, number):
        rng = np.random.default_rng(1000 + number)
        counts[:, :100] = rng.random((len(counts), 100)) < 0.01
        return hide(slice(0, 100), (5,))(counts, number)

    assert panel_mismatch(cohort(change)).status == "pass"


def test_a_small_slide_lacks_genes_by_chance(cohort):
    def change(counts, number):
        rng = np.random.default_rng(number)
        counts[:, :100] = rng.random((len(counts), 100)) < 0.08
        return counts[:12] if number == 5 else counts

    data = cohort(lambda counts, number: change(counts, number), n_units=300)
    assert joined(panel_mismatch(data)) == []


def test_a_gene_that_one_other_slide_hardly_has_is_not_judged(cohort):
    def change(counts, number):
        counts = hide(slice(0, 20), (5,))(counts, number)
        if number == 0:
            counts[:, :20] = 0
            counts[:10, :20] = 1
        return counts

    assert panel_mismatch(cohort(change)).status == "pass"


def test_technologies_are_judged_apart(cohort):
    hidden = hide(slice(0, 50), (1, 3, 5))
    assert panel_mismatch(cohort(hidden, technologies=("Xenium", "CosMx"))).status == "pass"
    assert panel_mismatch(cohort(hidden)).status == "fail"
    alone = hide(slice(0, 50), (1,))
    assert panel_mismatch(cohort(alone, technologies=("Xenium", "xenium", "CosMx"))).status == "fail"


@pytest.mark.parametrize(
    "names",
    [
        ["XIST", "TSIX"],
        ["RPS4Y1", "DDX3Y", "KDM5D", "EIF1AY", "USP9Y", "UTY", "ZFY"],
        ["Ddx3y", "Kdm5d", "Eif2s3y", "Uty", "Usp9y"],
        ["GSTM1", "GSTT1", "UGT2B17", "HLA-DRB5", "LILRA3"],
        ["IGKV1-5", "IGHV3-23", "TRBV20-1", "IGLV2-14", "IGKV3-20"],
    ],
)
def test_what_people_do_not_have_is_no_panel(cohort, names):
    data = cohort(hide(slice(0, len(names)), (1, 3, 5)))
    renamed = []
    for slide in data.read:
        genes = slide.genes.astype("U20")
        genes[: len(names)] = names
        renamed.append(replace(slide, genes=genes))
    data.read = tuple(renamed)
    data.panels = {slide.meta.slide_id: tuple(slide.genes.tolist()) for slide in renamed}
    assert panel_mismatch(data).status == "pass"


def test_genes_that_a_slide_does_not_list_are_not_zeros(cohort):
    data = cohort(hide(slice(0, 20), (5,)), absent_gene="zero")
    data.panels["S5"] = data.panels["S5"][20:]
    assert joined(panel_mismatch(data)) == []


def test_missing_counts_are_not_zeros(cohort):
    data = cohort(hide(slice(0, 20), (5,)))
    spoilt = data.read[5]
    counts = spoilt.counts.toarray()
    counts[0, :20] = np.nan
    data.read = (*data.read[:5], replace(spoilt, counts=csr_matrix(counts)))
    assert joined(panel_mismatch(data)) == []


def test_a_crop_lacks_genes_by_place(cohort):
    """Each of 12 genes should have about a dozen counts on the slide: of a few cells that is no panel."""
    assert panel_mismatch(cohort(hide(slice(0, 12), (5,)), n_units=40, mean=0.3)).status == "pass"
    assert panel_mismatch(cohort(hide(slice(0, 12), (5,)), n_units=300, mean=0.3)).status == "fail"


ORGANS = {"one organ": ("Breast", "breast"), "two organs": ("breast", "prostate"), "not said": (None,)}
"""Of slides of even and of odd numbers."""


@pytest.mark.parametrize("organs", ORGANS)
@pytest.mark.parametrize(("block", "between"), [(20, False), (60, True)])
def test_organs_use_different_genes(cohort, organs, block, between):
    """A seventh of the genes may be missing in an organ, two fifths are those of another panel."""
    result = panel_mismatch(cohort(hide(slice(0, block), (1, 3, 5)), organs=ORGANS[organs]))
    fires = between or organs != "two organs"
    assert result.status == ("fail" if fires else "pass")
    if fires:
        assert set(result.slides) == {"S1", "S3", "S5"}


@pytest.mark.parametrize("block", [5, 20])
def test_slides_of_one_organ_are_compared_beside_others(cohort, block):
    result = panel_mismatch(cohort(hide(slice(0, block), (3,)), organs=ORGANS["two organs"]))
    assert (result.status, result.slides, len(result.genes)) == ("fail", ("S3",), block)


def test_whole_counts_are_seen_in_parts_as_at_once(cohort, monkeypatch):
    (slide, *_) = cohort(hide(slice(0, 9), (0,))).slides()
    listed = np.ones(N_GENES, bool)
    at_once = panel_joined._Seen("S", slide, listed)
    monkeypatch.setattr("pytest_stbench.kernels.blocks.BLOCK_BYTES", 8 * 101)
    in_parts = panel_joined._Seen("S", replace(slide, counts=slide.counts.astype(np.int32)), listed)
    assert at_once.empty[:9].all()
    for name in ("detection", "totals", "empty"):
        np.testing.assert_array_equal(getattr(in_parts, name), getattr(at_once, name))
