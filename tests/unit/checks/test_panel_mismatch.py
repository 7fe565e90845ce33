from __future__ import annotations

import random
import string

import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.checks import panel_mismatch

SHARED_BY_SIX = (
    "CCR7", "CD3E", "CD79A", "CD8A", "CXCR4", "GPR183", "GZMK", "KIT", "KLRB1", "MKI67", "TNFRSF17",
)  # fmt: skip
SIZES = {"breast": 280, "colon": 322, "immuno_oncology": 380, "lung": 343, "multi_tissue": 377, "skin": 260}


def _genes(n, start=0):
    return tuple(f"G{i}" for i in range(start, start + n))


def test_one_panel_passes(make_dataset):
    result = panel_mismatch(make_dataset(panels={"a": _genes(300), "b": _genes(300)[::-1]}))
    assert result.status == "pass"
    assert result.statistic == 1


def test_the_rows_minimal_example(make_dataset):
    letters = tuple(string.ascii_lowercase)
    result = panel_mismatch(make_dataset(panels={"a": letters, "b": ("y", "z", "q1", "q2")}))
    assert result.status == "fail"
    assert result.statistic == 2


def test_six_targeted_panels_share_eleven_genes(make_dataset):
    panels = {name: (*SHARED_BY_SIX, *(f"{name}{i}" for i in range(n - 11))) for name, n in SIZES.items()}
    for absent in ("intersect", "zero"):
        result = panel_mismatch(make_dataset(panels=panels, absent_gene=absent))
        assert result.status == "fail"
        assert result.statistic == 11
        assert set(result.genes) == set(SHARED_BY_SIX)
        assert "11 genes shared by 6 panels, fewer than 50" in result.message
        assert result.message.endswith("evaluate panels separately, or use genes common to both")


@pytest.mark.parametrize(("shared", "status"), [(49, "fail"), (50, "pass"), (51, "pass")])
def test_the_number_of_shared_genes(make_dataset, shared, status):
    panels = {"a": _genes(shared), "b": _genes(shared)}
    assert panel_mismatch(make_dataset(panels=panels)).status == status


@pytest.mark.parametrize(
    ("shared", "status"),
    [(100, "fail"), (299, "fail"), (300, "warn"), (599, "warn"), (600, "pass"), (900, "pass")],
)
def test_the_shared_part_of_the_smallest_panel(make_dataset, shared, status):
    panels = {"a": _genes(1000), "b": _genes(1200, start=1000 - shared)}
    result = panel_mismatch(make_dataset(panels=panels))
    assert result.status == status
    assert result.details["shared"] == shared


@pytest.mark.parametrize(("missing", "status"), [(0, "pass"), (20, "pass"), (21, "fail"), (100, "fail")])
def test_task_genes_that_a_slide_lacks(make_dataset, missing, status):
    panels = {"a": _genes(1000), "b": _genes(1000 - missing, start=missing)}
    result = panel_mismatch(make_dataset(panels=panels), task_genes=_genes(100))
    assert result.status == status
    if status == "fail":
        assert result.slides == ("b",)
        assert set(result.genes) <= set(_genes(missing))
        assert len(result.genes) == min(missing, 20)
        assert result.statistic == pytest.approx(missing / 100)


def test_the_panel_that_costs_most_is_named(make_dataset):
    panels = {"a": _genes(300), "b": _genes(300), "c": _genes(290), "odd": _genes(300, start=280)}
    result = panel_mismatch(make_dataset(panels=panels))
    assert result.status == "fail"
    assert result.slides == ("odd",)
    assert "without odd: 290 genes" in result.message


def test_absent_genes_of_a_whole_transcriptome_count_as_measured(make_dataset):
    rng = random.Random(0)
    every = _genes(18_000)
    panels = {f"S{i}": tuple(rng.sample(every, 15_000)) for i in range(6)}
    asked = _genes(60)
    zero = panel_mismatch(make_dataset(panels=panels, absent_gene="zero"), task_genes=asked)
    assert zero.status == "pass"
    assert zero.details["absent_as_zero"] is True
    cut = panel_mismatch(make_dataset(panels={**panels, "S0": every[60:]}), task_genes=asked)
    assert cut.status == "fail"
    assert cut.slides[0] == "S0"


def test_targeted_panels_cannot_be_declared_away(make_dataset):
    panels = {"a": _genes(300), "b": _genes(300, start=200)}
    result = panel_mismatch(make_dataset(panels=panels, absent_gene="zero"), task_genes=_genes(100))
    assert result.status == "fail"
    named = panel_mismatch(
        make_dataset(
            panels={"a": _genes(300), "b": _genes(300, start=260)},
            absent_gene="zero",
            panel="whole_transcriptome",
        )
    )
    assert named.status == "fail"


def test_two_probe_sets_of_the_whole_transcriptome_warn_under_zero(make_dataset):
    panels = {"ffpe": _genes(17_943), "frozen": _genes(36_601)}
    result = panel_mismatch(make_dataset(panels=panels, absent_gene="zero"))
    assert result.status == "warn"
    assert result.slides == ("ffpe",)


@pytest.mark.parametrize("panels", [{}, {"a": ()}, {"a": (), "b": _genes(100)}, {"a": ("X",)}])
def test_degenerate_panels(make_dataset, panels):
    result = panel_mismatch(make_dataset(panels=panels))
    assert result.status == ("fail" if panels else "skip")
    assert result.message.endswith(result.fix)


def test_names_that_are_no_text(make_dataset):
    assert panel_mismatch(make_dataset(panels={"a": (1, None, 2.5), "b": (1, "x")})).status == "fail"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sets(st.integers(0, 200), min_size=1), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_agrees_with_sets_whatever_the_order(sets, rng):
    from types import SimpleNamespace

    items = [
        (f"S{i}", tuple(rng.sample([f"G{g}" for g in genes], len(genes)))) for i, genes in enumerate(sets)
    ]
    rng.shuffle(items)
    dataset = SimpleNamespace(
        panels=dict(items),
        samples=(),
        config=SimpleNamespace(absent_gene="intersect", panel=None),
        slides=lambda: iter(()),
    )
    result = panel_mismatch(dataset)
    shared = set.intersection(*sets)
    share = len(shared) / min(map(len, sets))
    assert (result.status == "fail") is (len(shared) < 50 or share < 0.3)
    assert result.details["shared"] == len(shared)


def test_below_the_failing_share_the_warning_is_not_repeated(make_dataset):
    result = panel_mismatch(make_dataset(panels={"a": _genes(1000), "b": _genes(1000, start=800)}))
    assert len(result.findings) == 1


def test_two_equal_panels_cost_nothing(make_dataset):
    result = panel_mismatch(make_dataset(panels={"a": _genes(40), "b": _genes(40)}))
    assert "40 genes in the panel, fewer than 50:" in result.message
