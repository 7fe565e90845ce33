from __future__ import annotations

import hashlib

import numpy as np
import pytest

from pytest_stbench.data.simulate.known_truth import latent
from pytest_stbench.data.simulate.settings import SETTINGS
from pytest_stbench.data.simulate.source import GENERATOR, open_source
from pytest_stbench.data.simulate.table import simulated_samples
from pytest_stbench.errors import DataError
from pytest_stbench.splits.table import Sample

PINNED_CONTENT = "1c074a529c938f2e5a6bc03ac2f73c9535beb05256167d91b574b0a7568b8afd"
SMALL = {"patients": 3, "units": 60, "genes": 80, "image": False}


def digest_of(config, slide_id, pixels=None):
    slide = open_source(config, (), ()).read(slide_id)
    digest = hashlib.sha256()
    for part in (slide.counts.toarray(), np.round(slide.xy_um, 6), slide.array_index):
        digest.update(np.ascontiguousarray(part).tobytes())
    digest.update("\n".join([*slide.genes, *slide.unit_names, *slide.labels["niche"]]).encode())
    if pixels is not None:
        digest.update(pixels.tobytes())
    return digest.hexdigest()


def test_same_seed_same_bytes(simulated_config, raw_pixels):
    config = simulated_config(**SMALL, seed=5)
    first, second = (digest_of(config, "P02S1", raw_pixels(config, "P02S1")) for _ in range(2))
    assert first == second


def test_other_seed_other_data(simulated_config, raw_pixels):
    a, b = (simulated_config(**SMALL, seed=seed) for seed in (0, 1))
    assert digest_of(a, "P01S1") != digest_of(b, "P01S1")
    one, other = raw_pixels(a, "P01S1"), raw_pixels(b, "P01S1")
    assert one.shape != other.shape or (one != other).any()


def test_slides_differ_and_do_not_depend_on_the_order_of_reading(simulated_config):
    config = simulated_config(**SMALL)
    names = [row.slide for row in simulated_samples(config)]
    one, other = open_source(config, (), ()), open_source(config, (), ())
    forward = {name: one.read(name) for name in names}
    backward = {name: other.read(name) for name in reversed(names)}
    for name in names:
        np.testing.assert_array_equal(forward[name].counts.toarray(), backward[name].counts.toarray())
    assert len({forward[name].counts.toarray().tobytes() for name in names}) == len(names)


def test_slides_do_not_depend_on_the_size_of_the_cohort(simulated_config):
    larger = {**SMALL, "patients": 8, "slides_per_patient": 2}
    assert digest_of(simulated_config(**SMALL), "P01S1") == digest_of(simulated_config(**larger), "P01S1")


def test_settings_differ_in_counts_alone(simulated_config, raw_pixels):
    configs = [simulated_config(**SMALL, setting=setting) for setting in SETTINGS]
    slides = [open_source(config, (), ()).read("P01S1") for config in configs]
    assert len({slide.counts.toarray().tobytes() for slide in slides}) == len(SETTINGS)
    assert len({slide.xy_um.tobytes() for slide in slides}) == 1
    assert len({raw_pixels(config, "P01S1").tobytes() for config in configs}) == 1


def test_pinned_content_goes_with_the_version_of_the_generator(simulated_config, raw_pixels):
    """Whoever changes the data changes GENERATOR, then the digests here."""
    config = simulated_config(**SMALL)
    assert (GENERATOR, digest_of(config, "P01S1", raw_pixels(config, "P01S1"))) == (
        "simulated/3",
        PINNED_CONTENT,
    )


def test_slide_is_what_checks_ask_for(simulated_config):
    slide = open_source(simulated_config(image=False), (), ()).read("P03S1")
    assert slide.counts.dtype == np.int32
    assert slide.counts.min() >= 0
    assert len(set(slide.unit_names)) == len(slide.unit_names) == 180
    assert len(set(slide.genes)) == 300
    distance = np.sqrt(((slide.xy_um[:, None] - slide.xy_um[None]) ** 2).sum(axis=2))
    np.fill_diagonal(distance, np.inf)
    np.testing.assert_allclose(np.median(distance.min(axis=1)), 100.0)
    assert distance.min() > 99.9
    assert slide.pitch_um == 100.0
    assert set(slide.labels["niche"]) <= {"tumour", "stroma", "immune", "adipose"}
    assert slide.image is None
    assert slide.xy_px is None


def test_library_size_follows_the_depth_that_is_known(simulated_config):
    config = simulated_config(image=False)
    total = open_source(config, (), ()).read("P01S1").counts.sum(axis=1).A1
    depth = latent(config, "P01S1")["depth"]
    assert np.corrcoef(np.log(depth), np.log(total))[0, 1] > 0.95
    assert abs(np.median(total / depth) - 1) < 0.05


def test_depth_parameter_is_the_median_total(simulated_config):
    config = simulated_config(depth=400, patients=12, image=False)
    source = open_source(config, (), ())
    totals = [source.read(row.slide).counts.sum(axis=1).A1 for row in simulated_samples(config)]
    assert abs(np.log(np.median(np.concatenate(totals)) / 400)) < 0.25


def test_patient_effect_separates_patients(simulated_config):
    def between(effect):
        config = simulated_config(setting="no_signal", patient_effect=effect, image=False)
        source = open_source(config, (), ())
        means = [source.read(row.slide).counts.sum(axis=0).A1 for row in simulated_samples(config)]
        profile = np.log(np.stack(means) + 1.0)
        profile -= profile.mean(axis=1, keepdims=True)
        return profile.std(axis=0).mean()

    assert between(0.0) < 0.2 < 0.6 < between(1.0)


def test_slides_of_a_patient_share_its_effects(simulated_config):
    config = simulated_config(
        setting="no_signal", patients=2, slides_per_patient=2, patient_effect=1.0, image=False
    )
    source = open_source(config, (), ())
    a, b, other = (np.log1p(source.read(name).counts.sum(axis=0).A1) for name in ("P01S1", "P01S2", "P02S1"))
    assert np.corrcoef(a, b)[0, 1] > 0.95 > np.corrcoef(a, other)[0, 1]


def test_unknown_slide(simulated_config):
    config = simulated_config(**SMALL)
    with pytest.raises(
        DataError, match=r"no slide 'P01S2'; did you mean 'P01S1'\? \(slides: P01S1 to P03S1\)"
    ):
        open_source(config, [Sample(slide="P01S2")], ())
    with pytest.raises(DataError, match="no slide"):
        latent(config, "X")


def test_no_files(simulated_config):
    assert open_source(simulated_config(), (), ()).files("P01S1") == ()


def test_fingerprint_depends_on_every_parameter(simulated_config):
    changes = [
        {},
        {"setting": "no_signal"},
        {"patients": 7},
        {"slides_per_patient": 2},
        {"units": 181},
        {"genes": 299},
        {"seed": 1},
        {"depth": 1501},
        {"patient_effect": 0.2},
        {"image": False},
        {"resolution": "cell"},
        {"panels": 2},
        {"sites": 2},
        {"technologies": ["Visium"]},
        {"site_effect": 0.3},
        {"panel_effect": 0.3},
        {"technology_effect": 0.2},
        {"defects": {"empty_units": 0.5}},
        {"defects": {"empty_units": 0.4}},
    ]
    prints = [open_source(simulated_config(**change), (), ()).fingerprint() for change in changes]
    assert len(set(prints)) == len(changes)
    assert prints[0] == open_source(simulated_config(setting="default", depth=1500), (), ()).fingerprint()
