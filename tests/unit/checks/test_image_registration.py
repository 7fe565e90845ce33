from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from pytest_stbench.checks import image_registration
from pytest_stbench.checks.image_fit import _means_around
from pytest_stbench.data.image import Image
from pytest_stbench.data.simulate import source


@pytest.fixture(autouse=True, scope="module")
def _each_image_is_drawn_once():
    """Keep the images of clean sections: a defect spoils what was drawn, and to draw is most of the work."""
    kept = {}

    def drawn(draw, params, member, *tissue):
        key = repr((replace(params, defects={}), member))
        if key not in kept:
            kept[key] = draw(params, member, *tissue)
        return kept[key].copy()

    with pytest.MonkeyPatch.context() as patch:
        for name in ("render", "render_cells"):
            patch.setattr(source, name, partial(drawn, getattr(source, name)))
        yield


@pytest.mark.parametrize("seed", [0, 1])
def test_clean_images_pass(simulated, seed):
    result = image_registration(simulated(patients=3, seed=seed)[0])
    assert result.status == "pass"
    assert set(result.details["shifts_as_good"]) == {"P01S1", "P02S1", "P03S1"}


def test_a_mirrored_image_of_few_cells_is_seen(simulated):
    facts = {"resolution": "cell", "technology": "Xenium", "patients": 3, "units": 600, "seed": 2}
    assert image_registration(simulated(**facts)[0]).status == "pass"
    mirrored, _ = simulated(**facts, defects={"image_registration": 1.0})
    assert image_registration(mirrored).status == "warn"


def test_one_slide_of_several_may_be_matched_by_a_few_shifts(simulated):
    dataset, _ = simulated(patients=3, seed=1, defects={"image_registration": 0.3})
    ranks = image_registration(dataset).details["shifts_as_good"]
    mean = sum(ranks.values()) / 3
    worst = max(ranks.values())
    assert image_registration(dataset, max_above=mean + 0.01, max_above_slide=worst + 0.01).status == "pass"
    assert image_registration(dataset, max_above=mean + 0.01, max_above_slide=worst - 0.01).status == "warn"
    assert image_registration(dataset, max_above=mean - 0.01, max_above_slide=1.0).status == "warn"


def test_clean_images_of_cells_pass(simulated):
    dataset, _ = simulated(resolution="cell", technology="Xenium", patients=1, units=1500)
    assert image_registration(dataset).status == "pass"


@pytest.mark.parametrize(
    ("defect", "status"),
    [
        ({"image_registration": 0.3}, "warn"),
        ({"image_registration": 1.0}, "warn"),
        ({"image_registration.shift": 0.3}, "warn"),
        ({"image_registration.shift": 1.0}, "fail"),
        ({"image_registration.scale": 0.2}, "fail"),
        ({"image_registration.scale": 1.0}, "fail"),
        ({"image_registration.background": 0.3}, "warn"),
        ({"image_registration.background": 0.9}, "fail"),
        ({"image_registration.off_tissue": 0.6}, "warn"),
        ({"image_registration.off_tissue": 0.9}, "warn"),
    ],
)
def test_injected_defects_are_found(simulated, defect, status):
    result = image_registration(simulated(patients=3, seed=1, defects=defect)[0])
    assert result.status == status
    assert result.message.endswith(result.fix)


def test_without_image_there_is_nothing_to_judge(simulated, make_slide, make_dataset, spoil):
    assert image_registration(simulated(patients=1, image=False)[0]).status == "pass"
    image = Image.from_array(np.full((50, 50, 3), 128, np.uint8), mpp=8.0)
    lost = spoil(make_slide("A"), image=image)
    assert image_registration(make_dataset([lost])).status == "skip"


def test_units_outside_of_the_image(make_slide, make_dataset, spoil):
    slide = make_slide("A")
    image = Image.from_array(np.full((250, 500, 3), 128, np.uint8), mpp=8.0)
    result = image_registration(make_dataset([spoil(slide, image=image, xy_px=slide.xy_um / 8)]))
    assert result.status == "fail"
    assert "outside of the image" in result.message
    assert result.statistic == pytest.approx(0.5, abs=0.05)


def test_degenerate_images_and_coordinates(make_slide, make_dataset, spoil):
    slide = make_slide("A", side=8)
    grey = Image.from_array(np.full((300, 300, 3), 128, np.uint8), mpp=8.0)
    nowhere = spoil(slide, image=grey, xy_px=np.full((64, 2), np.nan))
    assert image_registration(make_dataset([nowhere])).status == "fail"
    plain = spoil(slide, image=grey, xy_px=slide.xy_um / 8 + 30)
    result = image_registration(make_dataset([plain]))
    assert result.status == "pass"
    assert result.statistic is None
    tiny = Image.from_array(np.zeros((1, 1, 3), np.uint8), mpp=100.0)
    assert image_registration(make_dataset([spoil(slide, image=tiny, xy_px=slide.xy_um)])).status == "fail"


def test_the_order_of_units_does_not_matter(simulated, make_dataset, shuffled):
    slide = next(simulated(patients=1, seed=4)[0].slides())
    one, two = (image_registration(make_dataset([s])).statistic for s in (slide, shuffled(slide)))
    assert one == two


@pytest.mark.parametrize("side", [1, 3, 7, 40])
def test_box_means_agree_with_brute_force(side):
    values = np.random.default_rng(0).normal(size=(9, 12))
    reach = max(0, round((side - 1) / 2))
    expected = [
        [
            values[max(r - reach, 0) : r + reach + 1, max(c - reach, 0) : c + reach + 1].mean()
            for c in range(12)
        ]
        for r in range(9)
    ]
    places = np.stack(np.meshgrid(np.arange(12.0) + 0.9, np.arange(9.0)), axis=-1)
    one, other = _means_around(values, side, places, places[3:5, 2])
    np.testing.assert_allclose(one, expected)
    np.testing.assert_allclose(other, np.array(expected)[3:5, 2])


def test_units_beside_the_tissue_are_told_whatever_the_glass(simulated):
    dataset, _ = simulated(patients=1, seed=1, defects={"image_registration.off_tissue": 0.6})
    result = image_registration(dataset)
    (share,) = result.details["off_tissue"].values()
    assert share > 0.4
    assert max(result.details["background"].values()) < 0.1, "glass of this grey is not white"
    told = [finding for finding in result.findings if "beside the tissue" in finding.text]
    assert [finding.status for finding in told] == ["warn"]
    assert not [
        finding
        for finding in image_registration(dataset, max_off_tissue=share + 0.01).findings
        if "beside the tissue" in finding.text
    ]


def test_an_image_without_colour_is_not_asked_for_tissue(make_slide, make_dataset, spoil):
    slide = make_slide("A", side=8)
    noise = np.random.default_rng(0).integers(0, 200, (300, 300, 1)).repeat(3, axis=2).astype(np.uint8)
    given = spoil(slide, image=Image.from_array(noise, mpp=8.0), xy_px=slide.xy_um / 8 + 30)
    assert image_registration(make_dataset([given])).details["off_tissue"] == {}
