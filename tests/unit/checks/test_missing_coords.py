from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.checks import missing_coords


@pytest.mark.parametrize("seed", range(4))
def test_an_st_lattice_in_um_passes(make_dataset, make_slide, seed):
    result = missing_coords(make_dataset([make_slide(seed=seed)]))
    assert result.status == "pass"
    assert 0.9 < result.statistic < 1.05


@pytest.mark.parametrize(
    ("factor", "status"),
    [
        (0.3, "fail"),
        (0.78, "fail"),
        (0.82, "pass"),
        (1.0, "pass"),
        (1.23, "pass"),
        (1.27, "fail"),
        (4.0, "fail"),
    ],
)
def test_spacing_around_the_pitch(make_dataset, make_slide, factor, status):
    rows, columns = np.divmod(np.arange(400), 20)
    slide = make_slide(xy=np.column_stack([columns, rows]) * 200.0 * factor)
    result = missing_coords(make_dataset([slide]))
    assert result.status == status
    assert result.statistic == pytest.approx(factor)


def test_array_indices_and_pixels_are_told_apart(make_dataset, make_slide):
    rows, columns = np.divmod(np.arange(400), 20)
    indices = missing_coords(make_dataset([make_slide(xy=np.column_stack([columns, rows]) * 1.0)]))
    assert indices.status == "fail"
    assert "array indices" in indices.message
    assert "about times 200" in indices.message
    pixels = missing_coords(make_dataset([make_slide(xy=np.column_stack([columns, rows]) * 290.0)]))
    assert "pixels" in pixels.message
    assert pixels.message.endswith(pixels.fix)


def _hexagonal(pitch, n=20):
    rows, columns = np.divmod(np.arange(n * n), n)
    return np.column_stack([columns * pitch + (rows % 2) * pitch / 2, rows * pitch * np.sqrt(3) / 2])


@pytest.mark.parametrize(
    ("technology", "resolution", "pitch", "status"),
    [
        ("Visium", "spot", 100, "pass"), ("Visium", "spot", 200, "fail"), ("Visium", "spot", 60, "fail"),
        ("Xenium", "xisium", 100, "pass"), ("Xenium", "xisium", 55, "pass"), ("Xenium", "xisium", 30, "fail"),
        ("Visium HD", "bin", 16, "pass"), ("Visium HD", "bin", 100, "fail"),
        ("Xenium", "cell", 3, "pass"), ("Xenium", "cell", 0.08, "fail"), ("Xenium", None, 0.08, "pass"),
        ("home-made", "spot", 321, "skip"),
    ],
)  # fmt: skip
def test_the_pitch_of_the_technology(make_dataset, make_slide, spoil, technology, resolution, pitch, status):
    slide = make_slide(xy=_hexagonal(float(pitch)), resolution=resolution)
    slide = spoil(slide, meta=spoil(slide.meta, technology=technology))
    assert missing_coords(make_dataset([slide])).status == status


def test_a_declared_pitch_goes_before_the_technology(make_dataset, make_slide):
    slide = make_slide(xy=_hexagonal(321.0))
    assert missing_coords(make_dataset([slide])).status == "fail"
    assert missing_coords(make_dataset([slide], pitch_um=321)).status == "pass"
    assert missing_coords(make_dataset([make_slide(xy=_hexagonal(321.0), pitch_um=321.0)])).status == "pass"


def test_all_units_at_one_place_fail(make_dataset, make_slide):
    result = missing_coords(make_dataset([make_slide(xy=np.zeros((400, 2)))]))
    assert result.status == "fail"
    assert result.slides == ("S1",)


def test_an_axis_that_was_not_read_fails(make_dataset, make_slide):
    xy = _hexagonal(200.0)
    xy[:, 1] = 7.0
    assert missing_coords(make_dataset([make_slide(xy=xy)])).status == "fail"


@pytest.mark.parametrize("resolution", ["spot", "cell"])
@pytest.mark.parametrize("number", [1, 399, 400])
def test_any_unit_without_coordinates_fails(make_dataset, make_slide, number, resolution):
    xy = _hexagonal(200.0)
    xy[:number, 0] = np.nan
    result = missing_coords(make_dataset([make_slide(xy=xy, resolution=resolution)]))
    assert result.status == "fail"
    assert result.statistic == number


@pytest.mark.parametrize(
    "xy", [np.zeros((400, 1)), np.zeros((399, 2)), np.zeros(400), np.full((400, 2), None)]
)
def test_coordinates_of_the_wrong_shape_fail(make_dataset, make_slide, spoil, xy):
    assert missing_coords(make_dataset([spoil(make_slide(), xy_um=xy)])).status == "fail"


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_units_is_a_skip(make_dataset, make_slide, n):
    slide = make_slide(counts=np.ones((n, 3)), xy=np.zeros((n, 2)))
    assert missing_coords(make_dataset([slide])).status == "skip"
    assert missing_coords(make_dataset([])).status == "skip"


def test_the_order_of_units_changes_nothing(make_dataset, make_slide, shuffled):
    slide = make_slide(pitch=130.0)
    assert missing_coords(make_dataset([slide])) == missing_coords(make_dataset([shuffled(slide)]))


def test_the_worst_slide_comes_first(make_dataset, make_slide):
    result = missing_coords(
        make_dataset([make_slide("a"), make_slide("b", pitch=300.0), make_slide("c", pitch=1.0)])
    )
    assert result.status == "fail"
    assert result.slides == ("c", "b")


@pytest.mark.parametrize("pitch", [0.0, -5.0, float("inf"), float("nan")])
def test_a_pitch_that_is_no_length_is_not_used(make_dataset, make_slide, pitch):
    result = missing_coords(make_dataset([make_slide(pitch_um=pitch)]))
    assert result.status == "pass"
    assert 0.9 < result.statistic < 1.05
    assert result.threshold == (0.8 if result.statistic < 1 else 1.25)
