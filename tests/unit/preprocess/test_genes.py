from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.errors import DataError
from pytest_stbench.preprocess.genes import all_detected, hvg, listed, signatures, svg
from pytest_stbench.preprocess.statistics import SlideStatistics


def stats(detection, values):
    values = np.asarray(values, float)
    return SlideStatistics(detection=np.asarray(detection, float), morans_i=values, hvg_score=values)


@pytest.fixture
def two(make_slide):
    genes = ["D", "C", "B", "A", "E"]
    return [make_slide(np.ones((4, 5), int), genes=genes, slide=name) for name in "xy"]


@pytest.mark.parametrize("select", [svg, hvg])
def test_highest_mean_first_ties_by_symbol(two, select):
    first = stats([1, 1, 1, 1, 1], [0.5, 0.2, 0.1, 0.3, 0.9])
    second = stats([1, 1, 1, 1, 0.05], [0.1, 0.4 + 1e-12, np.nan, 0.3, 0.9])
    chosen = select(two, [first, second], 3, 0.1)
    # Means: D .3, C .3 (to 9 decimals), B .1 on one slide, A .3; E is too rare on one slide.
    assert two[0].genes[chosen.columns].tolist() == ["A", "C", "D"]
    assert chosen.counted == {
        "genes_candidates": 5,
        "genes_below_min_detection": 1,
        "genes_ranked_below_n": 1,
        "genes_selected": 3,
    }


def test_fewer_genes_than_asked_are_taken_and_counted(two):
    one = stats([1, 1, 1, 0, np.nan], [0.5, np.nan, 0.1, 0.3, 0.9])
    chosen = svg(two, [one, one], 50, 0.1, np.array([0, 1, 2, 3]))
    assert two[0].genes[chosen.columns].tolist() == ["D", "B"]
    assert chosen.counted["genes_short_of_n"] == 48
    assert chosen.counted["genes_without_morans_i"] == 1
    assert chosen.counted["genes_below_min_detection"] == 1


def test_the_threshold_itself_passes(two):
    share = stats([0.1, 0.1 - 1e-6, 1, 1, 1], [1, 1, 1, 1, 1])
    assert 0 in svg(two, [share, share], 5, 0.1).columns
    assert 1 not in svg(two, [share, share], 5, 0.1).columns


def test_no_gene_left_says_what_to_do(two):
    rare = stats(np.zeros(5), np.ones(5))
    with pytest.raises(
        DataError, match=r"none of the 5 candidate genes .* 10% .* 2 training slides.*min_detection"
    ):
        svg(two, [rare, rare], 5, 0.1)
    flat = stats(np.ones(5), np.full(5, np.nan))
    with pytest.raises(DataError, match=r"none has a defined morans_i .*select: all"):
        svg(two, [flat, flat], 5, 0.1)


def test_a_gene_needs_detection_only_on_slides_that_measured_it(make_slide):
    slides = [
        make_slide(np.ones((4, 3), int)),
        make_slide(np.ones((4, 3), int), measured=[True, False, True]),
    ]
    chosen = all_detected(slides, 0.5)
    assert chosen.columns.tolist() == [0, 1, 2]
    assert "genes_not_measured_on_any_training_slide" not in chosen.counted


def test_a_gene_that_its_own_slides_do_not_detect_is_left_out_whatever_the_others_measured(make_slide):
    counts = np.ones((4, 3), int)
    counts[:, 1] = 0
    slides = [make_slide(counts), make_slide(np.ones((4, 3), int), measured=[True, False, True])]
    assert all_detected(slides, 0.5).columns.tolist() == [0, 2]


def test_genes_measured_nowhere_are_counted(make_slide):
    slides = [make_slide(np.ones((4, 3), int), measured=[True, False, True])] * 2
    chosen = all_detected(slides, 0.5)
    assert chosen.columns.tolist() == [0, 2]
    assert chosen.counted["genes_not_measured_on_any_training_slide"] == 1


def test_listed_keeps_order_and_counts_what_is_not_there(two):
    chosen = listed(two, ["A", "NOPE", "D", "E"], np.array([0, 3]))
    assert two[0].genes[chosen.columns].tolist() == ["A", "D"]
    assert chosen.counted == {
        "genes_candidates": 4,
        "genes_listed_not_in_data": 1,
        "genes_listed_not_available": 1,
        "genes_selected": 2,
    }


def test_listed_refuses_duplicates_and_nothing(two):
    with pytest.raises(DataError, match=r"names 1 genes more than once \(A\)"):
        listed(two, ["A", "B", "A"])
    with pytest.raises(
        DataError, match=r"none of the 1 listed genes can be used: 1 are not in the data set \(X\)"
    ):
        listed(two, ["X"])


def test_signatures_are_members_that_are_detected(two):
    chosen = signatures(two, {"A", "C", "MISSING"}, 0.1, np.array([0, 1, 2]))
    assert two[0].genes[chosen.columns].tolist() == ["C"]
    assert chosen.counted["genes_signature_not_in_data"] == 1
    assert chosen.counted["genes_signature_not_available"] == 1


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 12))
def test_nothing_is_dropped_without_being_counted(seed, n):
    from types import SimpleNamespace

    rng = np.random.default_rng(seed)
    g = 10
    slides = [
        SimpleNamespace(genes=np.array(list("JIHGFEDCBA")), measured=rng.random(g) < 0.9) for _ in range(2)
    ]
    numbers = []
    for slide in slides:
        values = np.where(rng.random(g) < 0.2, np.nan, rng.normal(size=g).round(1))
        numbers.append(stats(np.where(slide.measured, rng.random(g), np.nan), values))
    try:
        chosen = svg(slides, numbers, n, 0.3)
    except DataError:
        return
    counted = dict(chosen.counted)
    short = counted.pop("genes_short_of_n", 0)
    assert counted.pop("genes_candidates") == sum(counted.values())
    assert len(chosen.columns) + short == n
