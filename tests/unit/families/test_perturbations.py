"""Each perturbation changes what it says and nothing else."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import get_args

import numpy as np
import PIL.Image
import pytest
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_matrix

from pytest_stbench.data.build import build_input
from pytest_stbench.data.image import Image
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.families.robustness.declare import PerturbationName
from pytest_stbench.families.robustness.perturbations import GENE_ORDER, PERTURBATIONS, UNIT_ORDER
from pytest_stbench.kernels.streams import stream
from pytest_stbench.resources import housekeeping

CHANGES = {change.name: change for change in PERTURBATIONS}
IMAGE = [change.name for change in PERTURBATIONS if change.needs == "image"]
COUNTS = [n for n, change in CHANGES.items() if change.needs == "counts" and n != GENE_ORDER]
N, GENES = 25, 40
HOUSEKEEPING = sorted(housekeeping())[:3]

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def given():
    rng = np.random.default_rng(0)
    counts = rng.poisson(5.0, (N, GENES))
    xy = np.array([(20.0 + 10 * (i % 5), 25.0 + 10 * (i // 5)) for i in range(N)])
    slide = Slide(
        meta=SlideMeta(slide_id="a1", patient_id="a"),
        unit_names=np.array([f"u{i}" for i in range(N)]),
        genes=np.array([*HOUSEKEEPING, *(f"G{i}" for i in range(GENES - 3))]),
        measured=np.ones(GENES, bool),
        counts=csr_matrix(counts),
        libsize=counts.sum(axis=1).astype(float),
        n_detected=(counts > 0).sum(axis=1),
        xy_um=2 * xy,
        xy_px=xy,
        image=Image.from_array(rng.integers(40, 220, (90, 80, 3), dtype=np.uint8), mpp=2.0),
    )
    return build_input(slide, observed=np.arange(GENES), with_image=True, with_embedding=False)


def changed(given, name, seed=0):
    return CHANGES[name].change(given, stream(seed))


def patches(slide):
    return slide.patches(size=12, mpp=2.0)


def counts(slide):
    return slide.units.X.toarray()


def xy(slide):
    return np.asarray(slide.units.obsm["spatial"])


def test_names_are_those_of_the_task_file():
    assert tuple(CHANGES) == get_args(PerturbationName)
    assert len(CHANGES) == len(PERTURBATIONS)


@pytest.mark.parametrize("name", CHANGES)
def test_only_what_is_named_changes_and_the_input_stays(given, name):
    before = (counts(given), xy(given).copy(), patches(given), given.image.array.copy())
    made = changed(given, name)
    same = {
        "counts": np.array_equal(counts(made), before[0]),
        "places": np.array_equal(xy(made), before[1]),
        "patches": np.array_equal(patches(made), before[2]),
        "image": np.array_equal(made.image.array, before[3]),
    }
    group = CHANGES[name].group
    touched = {
        "stain": {"patches", "image"},
        "compression": {"patches", "image"},
        "orientation": {"patches"},
        "scale": {"patches"},
        "dropout": {"counts"},
        "order": set(),
        "place": {"places", "patches"} if name.startswith("jitter") else {"places"},
    }[group]
    assert {part for part, kept in same.items() if not kept} == touched
    assert list(made.units.obs_names) == list(given.units.obs_names)
    assert list(made.units.var_names) == list(given.units.var_names)
    for now, then in zip((counts(given), xy(given), patches(given)), before, strict=False):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("name", CHANGES)
def test_it_is_the_same_every_time(given, name):
    one, two = changed(given, name), changed(given, name)
    np.testing.assert_array_equal(counts(one), counts(two))
    np.testing.assert_array_equal(xy(one), xy(two))
    np.testing.assert_array_equal(patches(one), patches(two))


@pytest.mark.parametrize("name", IMAGE)
def test_a_patch_is_the_same_whether_asked_alone_or_with_others(given, name):
    made = changed(given, name)
    np.testing.assert_array_equal(made.patches(size=12, mpp=2.0, units=slice(3, 5)), patches(made)[3:5])
    assert patches(made).dtype == np.uint8
    assert made.image.array.dtype == np.uint8
    assert not made.image.array.flags.writeable


def test_patches_turn_and_flip(given):
    clean = patches(given)
    for k in (1, 2, 3):
        turned = patches(changed(given, f"rotate_{90 * k}"))
        np.testing.assert_array_equal(turned[4], np.rot90(clean[4], k))
    np.testing.assert_array_equal(patches(changed(given, "mirror")), clean[:, :, ::-1])


def test_brightness_scales_every_value(given):
    clean = patches(given).astype(float)
    np.testing.assert_array_equal(patches(changed(given, "brightness_0.9")), np.rint(clean * 0.9))
    brighter = patches(changed(given, "brightness_1.1"))
    np.testing.assert_array_equal(brighter, np.minimum(np.rint(clean * 1.1), 255))


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.2])
def test_denser_stains_are_darker(given, factor):
    clean, stained = given.image.array, changed(given, f"stain_{factor}").image.array
    assert (stained.mean() < clean.mean()) == (factor > 1)


def test_blur_and_compression_are_those_of_other_packages(given):
    whole = given.image.array
    expected = gaussian_filter(whole, (1, 1, 0), mode="nearest")
    np.testing.assert_array_equal(changed(given, "blur_1px").image.array, expected)
    for quality in (90, 50):
        buffer = io.BytesIO()
        PIL.Image.fromarray(whole).save(buffer, "JPEG", quality=quality)
        found = changed(given, f"jpeg_{quality}").image.array
        np.testing.assert_array_equal(found, np.asarray(PIL.Image.open(buffer)))


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_wrong_um_per_px_cuts_another_field_of_view(given, factor):
    made = changed(given, f"mpp_{factor}")
    np.testing.assert_array_equal(patches(made), given.patches(size=12, mpp=2.0 * factor))
    assert made.image.mpp == given.image.mpp, "the model is not told"


@pytest.mark.parametrize("sigma", [5, 10, 25])
def test_jitter_moves_units_and_their_patches_together(given, sigma):
    made = changed(given, f"jitter_{sigma}um")
    moved = xy(made) - xy(given)
    assert 0.5 * sigma < moved.std() < 1.6 * sigma
    np.testing.assert_allclose(made.image.xy_px - given.image.xy_px, moved / 2.0)
    twin = Image.from_array(given.image.array, mpp=2.0).input(xy(made) / 2.0)
    np.testing.assert_array_equal(patches(made), twin.patches(size=12, mpp=2.0))


def test_a_slide_turns_about_its_middle_and_moves_by_a_millimetre(given):
    turned = xy(changed(given, "rotate_slide"))
    np.testing.assert_allclose(turned.mean(axis=0), xy(given).mean(axis=0))
    arm, was = turned - turned.mean(axis=0), xy(given) - xy(given).mean(axis=0)
    np.testing.assert_allclose(np.hypot(*arm.T), np.hypot(*was.T), atol=1e-9)
    cosine = (arm * was).sum(axis=1)[0] / (was[0] ** 2).sum()
    assert np.rad2deg(np.arccos(cosine)) == pytest.approx(30)
    np.testing.assert_allclose(xy(changed(given, "translate_slide")) - xy(given), 1000.0)


@pytest.mark.parametrize("percent", [10, 25, 50])
def test_dropout_loses_whole_genes(given, percent):
    found = counts(changed(given, f"dropout_{percent}"))
    lost = (found == 0).all(axis=0)
    assert lost.sum() == percent * GENES // 100
    np.testing.assert_array_equal(found[:, ~lost], counts(given)[:, ~lost])
    assert ((found == 0).all(axis=0) != (counts(changed(given, f"dropout_{percent}", 1)) == 0).all(0)).any()


def test_dropout_of_housekeeping_genes_loses_these(given):
    lost = (counts(changed(given, "dropout_housekeeping")) == 0).all(axis=0)
    assert given.units.var_names[lost].tolist() == HOUSEKEEPING


def test_thinning_halves_the_counts(given):
    found, clean = counts(changed(given, "thinning_50")), counts(given)
    assert (found <= clean).all()
    assert found.sum() == pytest.approx(clean.sum() / 2, rel=0.05)
    np.testing.assert_array_equal(found, np.rint(found))


@pytest.mark.parametrize("name", COUNTS)
def test_counts_keep_their_type(given, name):
    made = changed(given, name).units.X
    assert made.dtype == given.units.X.dtype
    assert (made.data != 0).all()


def test_jitter_needs_no_image(given):

    moved = changed(replace(given, image=None), "jitter_5um")
    assert moved.image is None
    assert not np.array_equal(xy(moved), xy(given))


def test_orders_are_changed_where_the_model_is_asked(given):
    for name in (GENE_ORDER, UNIT_ORDER):
        assert changed(given, name) is given
