from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.checks import slide_leakage
from pytest_stbench.data.image import Image


def _renamed(spoil, slide, name, rows=None):
    part = slide if rows is None else slide.select(rows)
    return spoil(part, meta=spoil(part.meta, slide_id=name), unit_names=np.char.add("new", part.unit_names))


@pytest.mark.parametrize("seed", range(3))
def test_different_sections_pass(make_dataset, make_slide, seed):
    slides = [make_slide(f"S{i}", seed=10 * seed + i) for i in range(4)]
    result = slide_leakage(make_dataset(slides))
    assert result.status == "pass"
    assert result.statistic == 0


def test_one_slide_has_nothing_to_be_compared_with(make_dataset, make_slide):
    assert slide_leakage(make_dataset([make_slide()])).status == "pass"


def test_a_copy_under_another_name_in_another_order(make_dataset, make_slide, spoil):
    slide = make_slide("a")
    copy = _renamed(spoil, slide, "b", np.random.default_rng(0).permutation(400))
    result = slide_leakage(make_dataset([slide, make_slide("c", seed=5), copy]))
    assert result.status == "fail"
    assert result.slides == ("a", "b")
    assert result.statistic == 1.0
    assert result.message.endswith(result.fix)


@pytest.mark.parametrize(("copied", "status"), [(10, "fail"), (2, "fail"), (1, "pass")])
def test_share_of_copied_units_of_the_smaller_slide(make_dataset, make_slide, spoil, copied, status):
    slide, other = make_slide("a"), make_slide("b", seed=9).select(np.arange(10))
    counts = other.counts.toarray()
    counts[:copied] = slide.counts.toarray()[100 : 100 + copied]
    small = make_slide("b", counts=counts, side=4)
    result = slide_leakage(make_dataset([slide, small]))
    assert result.status == status
    if status == "fail":
        assert result.statistic == pytest.approx(copied / 10)
    assert slide_leakage(make_dataset([small, slide])).status == status


def test_shallow_units_are_alike_by_chance(make_dataset, make_slide):
    rng = np.random.default_rng(0)
    slides = [make_slide(name, counts=rng.poisson(0.02, (400, 30))) for name in "ab"]
    assert slide_leakage(make_dataset(slides)).status == "pass"


def test_a_whole_copy_of_shallow_units_is_seen(make_dataset, make_slide, spoil):
    slide = make_slide("a", counts=np.random.default_rng(0).poisson(0.5, (400, 30)))
    assert slide_leakage(make_dataset([slide, _renamed(spoil, slide, "b")])).status == "fail"


@pytest.mark.parametrize(("resolution", "status"), [("cell", "fail"), ("spot", "pass")])
def test_cells_of_equal_names_and_places(make_dataset, make_slide, spoil, resolution, status):
    slides = [make_slide(name, seed=i, resolution=resolution) for i, name in enumerate("ab")]
    twin = spoil(slides[1], unit_names=slides[0].unit_names, xy_um=slides[0].xy_um)
    assert slide_leakage(make_dataset([slides[0], twin])).status == status
    elsewhere = spoil(twin, xy_um=twin.xy_um + 50)
    assert slide_leakage(make_dataset([slides[0], elsewhere])).status == "pass"


@pytest.mark.parametrize(("shift", "status"), [(0.0, "fail"), (0.6, "fail"), (300.0, "pass")])
def test_the_same_pixels_of_the_same_image(make_dataset, make_slide, spoil, tmp_path, shift, status):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        path.write_bytes(b"the same image, twice")
    slides = [
        spoil(make_slide(name, seed=i), image=Image(path, mpp=1.0), xy_px=make_slide().xy_um / 10 + i * shift)
        for i, (name, path) in enumerate(zip("ab", paths, strict=True))
    ]
    assert slide_leakage(make_dataset(slides)).status == status
    paths[1].write_bytes(b"some other image, too")
    assert slide_leakage(make_dataset(slides)).status == "pass"


def test_two_slides_of_one_id(make_dataset, make_slide):
    result = slide_leakage(make_dataset([make_slide("a"), make_slide("a")]))
    assert result.status == "fail"
    assert result.slides == ("a", "a (row 2)")
