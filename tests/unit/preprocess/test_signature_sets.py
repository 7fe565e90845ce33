from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.kernels.control_genes import CONTROLS_PER_BIN, N_BINS, enough, expression_bins, membership
from pytest_stbench.preprocess.signature_sets import SignatureSets, choose_signatures

SETS = {
    "LOW": ["G0000", "G0001", "G0002", "G0003"],
    "HIGH": ["G1198", "G1199"],
    "MIXED": ["G0004", "G1197", "G0600", "ABSENT", "GONE"],
    "MOSTLY_ABSENT": ["G0005", "G0006", "G0007", "A", "B", "C", "D"],
    "PAIR_HALF": ["G0008", "E"],
}


@pytest.fixture
def slides(make_slide):
    """1,200 genes whose expression rises with their number, three patients."""
    rate = np.linspace(0.2, 3.0, 1200)
    genes = [f"G{j:04d}" for j in range(1200)]
    return [
        make_slide(
            np.random.default_rng(i).poisson(rate, (60, 1200)), genes=genes, slide=f"s{i}", patient=f"p{i}"
        )
        for i in range(3)
    ]


@pytest.fixture
def panel(make_slide):
    genes = [f"G{j:04d}" for j in range(120)]
    rate = np.linspace(0.2, 3.0, 120)
    return [make_slide(np.random.default_rng(i).poisson(rate, (40, 120)), genes=genes) for i in range(2)]


def test_coverage_rule():
    usable, sizes = np.array([2, 3, 2, 5, 4, 3, 0, 1]), np.array([2, 3, 3, 9, 9, 4, 0, 1])
    assert enough(usable, sizes).tolist() == [True, True, False, True, False, True, False, True]


def test_evaluable_signatures(slides):
    sets = choose_signatures(slides, SETS)
    assert sets.names == ("LOW", "HIGH", "MIXED")
    assert sets.not_covered == {"MOSTLY_ABSENT": (3, 7), "PAIR_HALF": (1, 2)}
    assert sets.sizes.tolist() == [4, 2, 5]
    assert np.asarray(sets.members.sum(axis=0)).ravel().tolist() == [4, 2, 3]
    assert sets.rule == "mean"


def test_a_gene_seen_in_fewer_than_two_percent_of_units_is_no_member(make_slide):
    counts = np.ones((100, 1001), int)
    counts[:, 1] = counts[:, 2] = 0
    counts[:2, 1] = 1
    counts[0, 2] = 1
    sets = choose_signatures([make_slide(counts)], {"RARE": ["G000", "G001"], "TOO_RARE": ["G000", "G002"]})
    assert sets.names == ("RARE",)
    assert sets.bins[2] == -1
    assert not sets.controls[2]


def test_patients_count_equally_for_detection(make_slide):
    """Seen in 3 % of the units of one patient of two, whatever the number of its units: 1.5 %."""
    many, few = np.ones((300, 3), int), np.ones((10, 3), int)
    many[:, 0] = few[:, 0] = 0
    many[:9, 0] = 1
    slides = [make_slide(many, patient="a"), make_slide(few, slide="s2", patient="b")]
    assert not choose_signatures(slides, {"ONE": ["G000"]}).names


def test_bins_have_equal_size_and_follow_expression(slides):
    sets = choose_signatures(slides, SETS)
    assert np.bincount(sets.bins).tolist() == [48] * N_BINS
    assert np.corrcoef(sets.bins, np.arange(1200))[0, 1] > 0.98


def test_bins_of_equal_levels_follow_the_symbols():
    genes = np.array(["B", "A", "D", "C"])
    assert expression_bins(np.ones(4), np.ones(4, bool), genes).tolist() == [6, 0, 18, 12]
    assert expression_bins(np.ones(4), np.zeros(4, bool), genes).tolist() == [-1] * 4


def test_controls_are_drawn_where_members_are_and_outside_all_signatures(slides):
    sets = choose_signatures(slides, SETS)
    listed = {gene for genes in SETS.values() for gene in genes}
    assert not listed & set(sets.genes[sets.controls])
    holding = np.unique(sets.bins[np.asarray(sets.members.sum(axis=1)).ravel() > 0])
    assert set(sets.bins[sets.controls]) == set(holding)
    assert np.bincount(sets.bins[sets.controls]).max() <= CONTROLS_PER_BIN
    assert sets.needed.tolist() == sorted({*np.flatnonzero(sets.controls), *sets.members.indices})


def test_no_more_than_fifty_controls_of_a_bin(make_slide):
    counts = np.random.default_rng(0).poisson(2.0, (30, 2000))
    sets = choose_signatures([make_slide(counts)], {"ONE": ["G000"]})
    assert sets.controls.sum() == CONTROLS_PER_BIN == 50


def test_controls_do_not_depend_on_the_order_of_genes_or_on_other_signatures(slides, make_slide):
    sets = choose_signatures(slides, SETS)
    order = np.random.default_rng(5).permutation(1200)
    turned = [
        make_slide(
            slide.counts.toarray()[:, order],
            genes=slide.genes[order],
            slide=slide.meta.slide_id,
            patient=slide.meta.patient_id,
        )
        for slide in slides
    ]
    again = choose_signatures(turned, SETS)
    assert set(again.genes[again.controls]) == set(sets.genes[sets.controls])
    fewer = choose_signatures(slides, {"LOW": SETS["LOW"]}, reserved=[g for s in SETS.values() for g in s])
    assert set(fewer.genes[fewer.controls]) <= set(sets.genes[sets.controls])


def test_draws_do_not_depend_on_the_order_of_genes(make_slide):
    counts = np.random.default_rng(0).poisson(np.linspace(0.5, 3, 2000), (30, 2000))
    genes = np.array([f"G{j:04d}" for j in range(2000)])
    order = np.random.default_rng(1).permutation(2000)
    found = [
        choose_signatures([make_slide(counts[:, o], genes=genes[o])], {"ONE": ["G0000"]})
        for o in (np.arange(2000), order)
    ]
    drawn = [set(sets.genes[sets.controls]) for sets in found]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == CONTROLS_PER_BIN


def test_a_gene_listed_twice_counts_once(slides):
    sets = choose_signatures(slides, {"TWICE": ["G0000", "G0000", "G0001", "G0001", "G0002"]})
    assert sets.sizes.tolist() == [3]
    again = choose_signatures(slides, {"TWO": ["G0000", "G0000", "ABSENT", "GONE"]})
    assert again.not_covered == {"TWO": (1, 3)}


def test_only_candidates_are_members_and_controls(slides):
    candidates = np.arange(0, 1200, 2)
    sets = choose_signatures(slides, SETS, candidates=candidates)
    assert set(sets.needed) <= set(candidates.tolist())
    assert sets.not_covered["LOW"] == (2, 4)


def test_scores_are_those_of_the_definition(slides):
    sets = choose_signatures(slides, SETS)
    values = np.random.default_rng(0).normal(size=(9, 1200))
    own = [int(np.flatnonzero(sets.genes == gene)[0]) for gene in SETS["LOW"]]
    expected = values[:, own].mean(axis=1) - np.mean(
        [values[:, sets.controls & (sets.bins == sets.bins[j])].mean(axis=1) for j in own], axis=0
    )
    np.testing.assert_allclose(sets.score(values)[:, 0], expected)


def test_the_scores_on_the_needed_genes_are_the_same(slides):
    sets = choose_signatures(slides, SETS)
    values = np.random.default_rng(0).normal(size=(9, 1200))
    part = sets.select(sets.needed)
    np.testing.assert_allclose(part.score(values[:, sets.needed]), sets.score(values))


def test_what_a_slide_did_not_measure_counts_nowhere(slides):
    sets = choose_signatures(slides, SETS)
    values = np.random.default_rng(0).normal(size=(9, 1200))
    measured = np.ones(1200, bool)
    gone = [0, int(np.flatnonzero(sets.controls & (sets.bins == sets.bins[1]))[0])]
    measured[gone] = False
    truth = values.copy()
    truth[:, gone] = np.nan
    np.testing.assert_allclose(sets.score(truth, measured), sets.score(values, measured))
    assert np.isfinite(sets.score(truth, measured)).all()
    assert sets.covered(measured).tolist() == [True, True, True]
    measured[1:3] = False
    assert sets.covered(measured).tolist() == [False, True, True]


def test_a_panel_is_scored_by_ranks(panel):
    sets = choose_signatures(panel, {"TOP": ["G0118", "G0119"], "LOW": ["G0000", "G0001"]})
    assert sets.rule == "rank"
    assert sets.needed.tolist() == np.flatnonzero(sets.bins >= 0).tolist()
    values = np.tile(np.arange(120.0), (3, 1))
    assert sets.score(values)[0, 0] == 1.0
    assert sets.score(np.exp(values / 10)).tolist() == sets.score(values).tolist()
    measured = np.arange(120) < 119
    truth = np.where(measured, values, np.nan)
    # Its one member left comes first of the genes that were measured.
    assert sets.score(truth, measured)[0, 0] == 1.0
    np.testing.assert_array_equal(sets.score(truth, measured), sets.score(values, measured))


def test_random_sets_match_size_and_expression(slides):
    sets = choose_signatures(slides, SETS)
    random = sets.random_members(2)
    n = random.shape[1]
    assert 180 <= n <= 200
    assert np.asarray(random.sum(axis=0)).ravel().tolist() == [3.0] * n
    own = sorted(sets.bins[sets.members[:, [2]].indices])
    drawn = random.tocsc()
    for place in range(n):
        chosen = drawn[:, [place]].indices
        assert sorted(sets.bins[chosen]) == own
        assert sets.controls[chosen].all()
    assert len({tuple(drawn[:, [place]].indices) for place in range(n)}) == n
    assert (sets.random_members(2) != random).nnz == 0
    one, other = (sets.random_members(place, n=5) for place in (0, 1))
    assert one.shape == other.shape == (1200, 5)
    assert (one != other).nnz > 0
    # Each slide has draws of its own, so that errors of slides are independent; models share them.
    assert (sets.random_members(2, "A1") != sets.random_members(2, "A2")).nnz > 0
    assert sets.random_sets("A1") is sets.random_sets("A1")
    assert (sets.random_sets("A1")[2] != sets.random_members(2, "A1")).nnz == 0


def test_equal_random_sets_count_once():
    """Three members beside four controls: there are four sets of three."""
    sets = SignatureSets(
        names=("S",), genes=np.array(list("ABCDEFG")), members=membership([np.arange(3)], 7),
        sizes=np.array([3]), bins=np.zeros(7, np.intp), controls=np.arange(7) > 2, rule="mean",
        not_covered={},
    )  # fmt: skip
    random = sets.random_members(0)
    assert random.shape == (7, 4)
    assert np.asarray(random.sum(axis=0)).ravel().tolist() == [3.0] * 4
    assert not random.toarray()[:3].any()


def test_no_gene_left_for_controls(make_slide):
    slide = make_slide(np.ones((20, 3), int))
    sets = choose_signatures([slide], {"ALL": ["G000", "G001", "G002"]})
    assert not sets.controls.any()
    assert sets.random_members(0).nnz == 0
    assert np.isfinite(sets.score(np.ones((4, 3)))).all()


def test_nothing_to_score(slides):
    sets = choose_signatures(slides, {"NONE": ["X", "Y"], "EMPTY": []})
    assert sets.names == ()
    assert sets.not_covered == {"NONE": (0, 2), "EMPTY": (0, 0)}
    assert not len(sets.needed)
    assert sets.score(np.ones((4, 1200))).shape == (4, 0)
