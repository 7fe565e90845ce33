from __future__ import annotations

from dataclasses import replace

import anndata
import numpy as np
import pytest
from skimage.color import rgb2hed

from pytest_stbench.baselines import he_colour
from pytest_stbench.baselines.he_colour import HeColour, patch_features
from pytest_stbench.data.altered_image import AlteredImage
from pytest_stbench.data.image import Image
from pytest_stbench.data.inputs import ModelSlide
from pytest_stbench.data.slide import SlideMeta
from pytest_stbench.errors import ModelError


def patches(n=5, size=32, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(60, 256, (n, size, size, 3)).astype(np.uint8)


def test_is_the_colour_deconvolution_of_skimage():
    image = patches()
    found = patch_features(image, 1.0)
    # skimage gives densities in units of -ln(1e-6); in decimal units they are 6 times that.
    hed = np.stack([rgb2hed(patch, channel_axis=-1) for patch in image])
    raw = np.log(np.maximum(image / 255.0, 1e-6)) / np.log(1e-6) @ np.linalg.inv(he_colour.STAINS) * 6
    h, e = raw[..., 0].reshape(5, -1), raw[..., 1].reshape(5, -1)
    assert np.maximum(raw, 0)[..., :2] == pytest.approx(hed[..., :2] * 6, abs=1e-6)
    assert found[:, 0] == pytest.approx(h.mean(axis=1), abs=1e-5)
    assert found[:, 1] == pytest.approx(h.std(axis=1), abs=1e-5)
    assert pytest.approx(np.percentile(h, [10, 90], axis=1), abs=1e-5) == found[:, 2:4].T
    assert found[:, 4] == pytest.approx(e.mean(axis=1), abs=1e-5)
    assert found[:, 8] == pytest.approx((h > 0.5).mean(axis=1))
    assert found[:, 9] == pytest.approx((image.reshape(5, -1, 3) > 200).all(axis=2).mean(axis=1))
    assert found[:, 13:16] == pytest.approx(image.reshape(5, -1, 3).mean(axis=1) / 255)
    assert found[:, 16:19] == pytest.approx(image.reshape(5, -1, 3).std(axis=1) / 255)
    assert found[:, 19] == pytest.approx(
        [np.corrcoef(a, b)[0, 1] for a, b in zip(h, e, strict=True)], abs=1e-5
    )


def test_golden_values_of_plain_patches(recwarn):
    plain = np.full((4, 16, 16, 3), 255, np.uint8)
    plain[1] = 0
    plain[2] = (100, 80, 160)
    plain[3] = (230, 150, 190)
    found = patch_features(plain, 0.5)
    assert found.shape == (4, 24)
    assert np.isfinite(found).all()
    assert found[0, [0, 1, 4, 8, 9]] == pytest.approx([0, 0, 0, 0, 1], abs=1e-6)
    assert found[:, [1, 5, 10, 11, 12, 19, 23]] == pytest.approx(0.0, abs=1e-5)
    # Purple is nucleus, pink is not; decimal densities (.4065, .5045, .2024) unmix to H = .608.
    assert found[2:, 9].tolist() == [0, 0]
    assert found[2:, 8].tolist() == [1, 0]
    assert found[2, 0] == pytest.approx(0.608, abs=1e-3)
    assert not recwarn.list


def test_edges_disc_and_tiles():
    image = np.full((1, 112, 112, 3), 255, np.uint8)
    image[0, :, 56:] = (60, 50, 120)
    found = patch_features(image, 1.0)[0]
    dark = patch_features(image[:, :, 56:][:, :56], 1.0)[0, 0]
    # One column of 111 differs, across alone.
    assert found[10] == pytest.approx(dark / 111 / 2, rel=1e-4)
    assert found[20] == pytest.approx(dark / 2, rel=1e-4)
    assert found[23] == pytest.approx(dark / 2, rel=1e-4)
    halves = patch_features(image, 0.5)[0]
    assert halves[10] == pytest.approx(2 * found[10])


@pytest.mark.parametrize(
    ("mpp", "size", "asked"), [(0.25, 224, 0.5), (0.5, 224, 0.5), (1.4, 80, 1.4), (60.0, 4, 60.0)]
)
def test_patches_are_112_um_wide(cohort, fake_image, mpp, size, asked, monkeypatch):
    monkeypatch.setattr(he_colour, "BATCH_PIXELS", 20 * size**2)
    image = fake_image(patches(64, size), mpp)
    found = HeColour().features(replace(cohort.given(0), image=image))
    assert {call[:2] for call in image.asked} == {(size, asked)}
    assert [(call[2][0], len(call[2])) for call in image.asked] == [(0, 20), (20, 20), (40, 20), (60, 4)]
    assert found == pytest.approx(patch_features(image.stored, asked), abs=1e-6)


def test_predicts_what_the_colours_tell(cohort, fake_image):
    rng = np.random.default_rng(0)
    train = []
    for slide in cohort.train:
        density = rng.uniform(0, 1, 64)
        image = np.broadcast_to(
            (255 - 180 * density).astype(np.uint8)[:, None, None, None], (64, 8, 8, 3)
        ).copy()
        target = np.repeat(density[:, None], 4, axis=1).astype(np.float32)
        train.append(replace(slide, image=fake_image(image, 14.0), target=target))
    model = HeColour()
    model.fit(train[:3], cohort.task)
    found = model.predict_expression(train[3], cohort.task.genes)
    assert np.corrcoef(found[:, 0], train[3].target[:, 0])[0, 1] > 0.98


def test_without_an_image(cohort):
    with pytest.raises(ModelError, match="slide s0 has no image"):
        HeColour().features(cohort.given(0))


def test_features_are_computed_once_for_the_same_image_and_places(monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 255, (300, 300, 3)).astype(np.uint8)
    image = Image.from_array(pixels, mpp=1.0)
    places = np.random.default_rng(1).uniform(80, 220, (5, 2))
    calls = []
    real = he_colour.patch_features
    monkeypatch.setattr(he_colour, "patch_features", lambda *a: calls.append(1) or real(*a))

    def features(places, image=image, alter=None):
        given = image.input(places)
        if alter is not None:
            given = AlteredImage(given, pixels=alter)
        slide = ModelSlide(
            units=anndata.AnnData(np.zeros((len(places), 1))), meta=SlideMeta(slide_id="S"), image=given
        )
        return HeColour().features(slide)

    first = features(places)
    assert np.array_equal(features(places), first)
    assert len(calls) == 1
    assert not first.flags.writeable
    moved = features(places + 9)
    assert not np.allclose(moved, first)
    darker = features(places, alter=lambda block: block // 2)
    assert not np.allclose(darker, first), "what alters pixels is no other image to its key"
    assert np.array_equal(features(places, Image.from_array(pixels, mpp=1.0)), first)
    assert len(calls) == 4
