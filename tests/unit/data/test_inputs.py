"""What a slide says of what it does not have."""

from __future__ import annotations

import copy
import pickle

import anndata as ad
import numpy as np
import pytest

from pytest_stbench.data.inputs import ModelSlide, TrainSlide
from pytest_stbench.data.slide import SlideMeta


def slide(kind=ModelSlide, **more):
    return kind(units=ad.AnnData(obs={"n": np.arange(2)}), meta=SlideMeta(slide_id="S1"), **more)


def train(make_counts=None):
    return slide(TrainSlide, target=np.zeros((2, 1), np.float32), make_counts=make_counts)


def test_what_is_not_there_is_told_with_what_is():
    with pytest.raises(AttributeError) as caught:
        slide().coords  # noqa: B018 (asking is the test)
    assert str(caught.value) == (
        "a ModelSlide has no attribute 'coords'; it has batches, image, meta, n_units, patches, units. "
        '`units` is an AnnData with obs_names, obsm["spatial"] in um and, where the family hands them out, '
        "counts in X"
    )


@pytest.mark.parametrize(
    ("made", "name", "said"),
    [
        (slide, "imag", "'imag'; did you mean 'image'?; it has batches, image, meta"),
        (slide, "labels", "'labels'; training slides alone have it; it has batches, image, meta"),
        (
            train,
            "label",
            "'label'; did you mean 'labels'?; it has batches, counts, image, labels, meta, n_units,",
        ),
    ],
)
def test_the_nearest_is_named(made, name, said):
    with pytest.raises(AttributeError) as caught:
        getattr(made(), name)
    assert said in str(caught.value)


def test_an_attribute_that_cannot_be_made_keeps_its_own_error():
    def broken():
        return np.zeros(2).nothing

    with pytest.raises(AttributeError, match=r"'numpy\.ndarray' object has no attribute 'nothing'"):
        train(broken).counts  # noqa: B018 (as above)


def test_slides_can_be_asked_copied_and_pickled():
    given = slide()
    assert not hasattr(given, "coords")
    assert getattr(given, "coords", None) is None
    assert copy.copy(given).meta == copy.deepcopy(given).meta == pickle.loads(pickle.dumps(given)).meta
