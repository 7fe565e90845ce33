from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.checks import nonfinite_negative


@pytest.mark.parametrize("seed", range(4))
def test_clean_slides_pass(make_dataset, make_slide, seed):
    assert nonfinite_negative(make_dataset([make_slide(seed=seed)])).status == "pass"


@pytest.mark.parametrize("number", [1, 5, 400])
@pytest.mark.parametrize(
    ("value", "word"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite"), (-1.0, "negative")]
)
def test_one_bad_count_is_enough(make_dataset, make_slide, value, word, number):
    counts = make_slide().counts.toarray().astype(float)
    counts[:number, 3] = value
    result = nonfinite_negative(make_dataset([make_slide("ok", seed=5), make_slide("bad", counts=counts)]))
    assert result.status == "fail"
    assert result.slides == ("bad",)
    assert result.genes == ("GENE3",)
    assert f"{number} {word} counts" in result.message
    assert result.statistic >= number


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_bad_coordinate_is_enough(make_dataset, make_slide, value):
    slide = make_slide()
    slide.xy_um[7, 1] = value
    result = nonfinite_negative(make_dataset([slide], allow_nan=True))
    assert result.status == "fail"
    assert "1 " in result.message
    assert "coordinates" in result.message


def test_negative_coordinates_are_positions(make_dataset, make_slide):
    slide = make_slide()
    slide.xy_um[:] -= 10_000
    assert nonfinite_negative(make_dataset([slide])).status == "pass"


@pytest.mark.parametrize(("value", "status"), [(np.nan, "pass"), (np.inf, "fail"), (-2.0, "fail")])
def test_only_nan_can_be_allowed(make_dataset, make_slide, value, status):
    counts = make_slide().counts.toarray().astype(float)
    counts[0, 0] = value
    assert nonfinite_negative(make_dataset([make_slide(counts=counts)], allow_nan=True)).status == status


def test_bad_values_of_genes_that_are_no_columns_show_in_the_totals(make_dataset, make_slide, spoil):
    slide = make_slide()
    totals = slide.libsize.copy()
    totals[4] = -3
    assert nonfinite_negative(make_dataset([spoil(slide, libsize=totals)])).status == "fail"


def test_text_and_none_in_coordinates_count_as_missing(make_dataset, make_slide, spoil):
    slide = make_slide()
    xy = slide.xy_um.astype(object)
    xy[0, 0], xy[1, 1] = None, "left"
    result = nonfinite_negative(make_dataset([spoil(slide, xy_um=xy)]))
    assert result.status == "fail"
    assert "2 NaN coordinates" in result.message


def test_all_nan(make_dataset, make_slide):
    slide = make_slide(counts=np.full((9, 4), np.nan), xy=np.full((9, 2), np.nan))
    assert nonfinite_negative(make_dataset([slide])).status == "fail"


def test_no_unit_is_a_skip(make_dataset, make_slide):
    assert nonfinite_negative(make_dataset([])).status == "skip"
    assert (
        nonfinite_negative(make_dataset([make_slide(counts=np.zeros((0, 3)), xy=np.zeros((0, 2)))])).status
        == "skip"
    )


def test_the_order_of_units_changes_nothing(make_dataset, make_slide, shuffled):
    counts = make_slide().counts.toarray().astype(float)
    counts[3, 3], counts[8, 1] = np.nan, -4
    slide = make_slide(counts=counts)
    assert nonfinite_negative(make_dataset([slide])) == nonfinite_negative(make_dataset([shuffled(slide)]))


def test_stored_zeros_are_counts(make_dataset, make_slide, spoil):
    slide = make_slide()
    counts = slide.counts.copy()
    counts.data[:5] = 0
    assert nonfinite_negative(make_dataset([spoil(slide, counts=counts)])).status == "pass"


@pytest.mark.parametrize(
    ("value", "word"), [(np.nan, "allow_nan"), (np.inf, "export raw counts and coordinates")]
)
def test_the_fix_names_the_way_out(make_dataset, make_slide, value, word):
    counts = make_slide().counts.toarray().astype(float)
    counts[0, 0] = value
    assert word in nonfinite_negative(make_dataset([make_slide(counts=counts)])).fix
