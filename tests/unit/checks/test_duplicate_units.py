from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import sparse

from pytest_stbench.checks import duplicate_units, rows
from pytest_stbench.checks.rows import equal_rows, row_hashes


@pytest.mark.parametrize("seed", range(5))
def test_clean_slides_pass(make_dataset, make_slide, seed):
    result = duplicate_units(make_dataset([make_slide("a", seed=seed), make_slide("b", seed=seed + 50)]))
    assert result.status == "pass"


def test_a_barcode_twice_fails(make_dataset, make_slide):
    slide = make_slide()
    slide.unit_names[5] = slide.unit_names[3] = "10x13"
    result = duplicate_units(make_dataset([slide]))
    assert result.status == "fail"
    assert "10x13" in result.message
    assert result.statistic == 1


def test_one_barcode_on_two_slides_is_normal(make_dataset, make_slide, spoil):
    first, second = make_slide("a"), make_slide("b", seed=1)
    assert duplicate_units(make_dataset([first, spoil(second, unit_names=first.unit_names)])).status == "pass"


@pytest.mark.parametrize(
    ("side", "pairs", "status"),
    [(50, 0, "pass"), (50, 1, "pass"), (50, 2, "fail"), (20, 1, "fail"), (20, 200, "fail")],
)
def test_share_of_units_at_one_place(make_dataset, make_slide, side, pairs, status):
    slide = make_slide(side=side, n_genes=20)
    for pair in range(pairs):
        slide.xy_um[2 * pair] = slide.xy_um[2 * pair + 1]
    result = duplicate_units(make_dataset([slide]))
    assert result.status == status
    assert result.details["same_place"]["S1"] == pytest.approx(2 * pairs / side**2)


@pytest.mark.parametrize(
    ("distance", "status"), [(0.0, "fail"), (0.05, "fail"), (0.1, "fail"), (0.11, "pass"), (1.0, "pass")]
)
@pytest.mark.parametrize("origin", [0.0, 0.95, 99.96, 123_456.05])
def test_the_tolerance_holds_wherever_the_units_lie(
    make_dataset, make_slide, spoil, distance, status, origin
):
    slide = make_slide()
    xy = slide.xy_um + np.array([origin, -origin])
    xy[0] = xy[1] + [distance * 0.6, distance * 0.8]
    assert duplicate_units(make_dataset([spoil(slide, xy_um=xy)])).status == status


@pytest.mark.parametrize(
    ("pairs", "status"), [(0, "pass"), (1, "pass"), (2, "pass"), (3, "warn"), (200, "warn")]
)
def test_share_of_equal_count_vectors(make_dataset, make_slide, pairs, status):
    counts = make_slide().counts.toarray()
    for pair in range(pairs):
        counts[2 * pair] = counts[2 * pair + 1]
    result = duplicate_units(make_dataset([make_slide(counts=counts)]))
    assert result.status == status
    if status == "warn":
        assert result.statistic == pytest.approx(2 * pairs / 400)
        assert result.message.endswith(result.fix)


def test_shallow_and_empty_units_are_alike_by_chance(make_dataset, make_slide):
    counts = make_slide().counts.toarray()
    counts[:300] = 0
    counts[:100, 0] = 50
    assert duplicate_units(make_dataset([make_slide(counts=counts)])).status == "pass"
    counts[:100, 0] = 51
    assert duplicate_units(make_dataset([make_slide(counts=counts)])).status == "warn"


def test_a_slide_written_twice_into_one_file(make_dataset, make_slide):
    slide = make_slide()
    twice = slide.select(np.r_[np.arange(400), np.arange(400)])
    result = duplicate_units(make_dataset([twice]))
    assert result.status == "fail"
    assert result.details["same_place"]["S1"] == 1
    assert result.details["same_counts"]["S1"] == 1


def test_the_order_of_units_changes_nothing(make_dataset, make_slide, shuffled):
    counts = make_slide().counts.toarray()
    counts[10] = counts[20]
    slide = make_slide(counts=counts)
    slide.xy_um[4] = slide.xy_um[9]
    slide.unit_names[1] = slide.unit_names[2]
    assert duplicate_units(make_dataset([slide])) == duplicate_units(make_dataset([shuffled(slide)]))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_units(make_dataset, make_slide, n):
    slide = make_slide(counts=np.arange(3 * n).reshape(n, 3), xy=np.arange(2.0 * n).reshape(n, 2))
    assert duplicate_units(make_dataset([slide])).status == ("pass" if n else "skip")


def test_unknown_places_and_values_are_nobodys_double(make_dataset, make_slide):
    slide = make_slide(counts=np.full((400, 4), np.nan))
    slide.xy_um[:] = np.nan
    assert duplicate_units(make_dataset([slide])).status == "pass"


def test_all_units_at_one_place(make_dataset, make_slide):
    slide = make_slide(side=100, n_genes=3)
    slide.xy_um[:] = 0
    assert duplicate_units(make_dataset([slide])).details["same_place"]["S1"] == 1


def test_hashes_ignore_explicit_zeros_and_the_order_of_entries():
    plain = sparse.csr_matrix(np.array([[0, 3, 0, 5], [0, 3, 0, 5], [3, 0, 5, 0]]))
    other = sparse.csr_matrix(
        (np.array([5.0, 0.0, 3.0]), np.array([3, 0, 1]), np.array([0, 3])), shape=(1, 4)
    )
    hashes = row_hashes(plain)
    assert hashes[0] == hashes[1] != hashes[2]
    assert row_hashes(other)[0] == hashes[0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=1, max_size=12))
def test_equal_rows_agree_with_brute_force_even_when_every_hash_collides(values):
    dense = np.array(values)
    expected = [sum(row == other for other in values) > 1 for row in values]
    assert equal_rows(sparse.csr_matrix(dense)).tolist() == expected
    real = rows.row_hashes
    rows.row_hashes = lambda matrix: np.zeros(matrix.shape[0], dtype=np.uint64)
    try:
        assert equal_rows(sparse.csr_matrix(dense)).tolist() == expected
    finally:
        rows.row_hashes = real


def test_blocks_of_rows_give_the_same_hashes(monkeypatch):
    matrix = sparse.random(200, 50, density=0.2, random_state=0, format="csr")
    whole = row_hashes(matrix)
    monkeypatch.setattr(rows, "BLOCK_VALUES", 7)
    np.testing.assert_array_equal(row_hashes(matrix), whole)
    assert len(np.unique(whole)) == len(np.unique(matrix.toarray(), axis=0))


@pytest.mark.parametrize("shape", [(400,), (400, 3)])
def test_coordinates_of_the_wrong_shape_are_nobodys_double(make_dataset, make_slide, spoil, shape):
    assert duplicate_units(make_dataset([spoil(make_slide(), xy_um=np.zeros(shape))])).status == "pass"


def test_counts_stored_in_several_parts_are_one_value(make_dataset, make_slide, spoil):
    slide = make_slide(counts=[[60, 1], [60, 2], [61, 5]], xy=[[0, 0], [0, 200], [200, 0]])
    parts = sparse.csr_matrix(
        (np.array([30, 30, 1, 1, 60, 61, 5]), np.array([0, 0, 1, 1, 0, 0, 1]), np.array([0, 3, 5, 7])),
        shape=(3, 2),
    )
    parts.has_canonical_format = False
    result = duplicate_units(make_dataset([spoil(slide, counts=parts)]))
    assert result.status == "warn"
    assert result.statistic == pytest.approx(2 / 3)
