from __future__ import annotations

import os
import threading
import time
from dataclasses import replace

import anndata
import numpy as np
import pytest

from pytest_stbench.calls.guard import ModelTimeout, guarded_call
from pytest_stbench.data.altered_image import AlteredImage
from pytest_stbench.data.image import Image
from pytest_stbench.data.images.ahead import THREAD, each_ahead, settle
from pytest_stbench.data.inputs import ModelSlide
from pytest_stbench.data.slide import SlideMeta
from pytest_stbench.errors import ModelError

from .slides import tissue, write_pyramid

PLACES = np.random.default_rng(0).uniform(0, (420, 300), (50, 2))


@pytest.fixture(params=["parts", "whole"])
def given(request, tmp_path):
    if request.param == "whole":
        return Image(tissue(), mpp=0.25).input(PLACES)
    return Image(write_pyramid(tmp_path / "a.tif", tissue()), mpp=0.25).input(PLACES)


def ours():
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


@pytest.mark.parametrize("batch", [1, 7, 50, 1000])
def test_every_unit_comes_once_with_its_patch(given, batch):
    expected = given.patches(24, 0.5)
    found = list(given.batches(24, 0.5, batch=batch))
    indices = np.concatenate([units for units, _ in found])
    assert sorted(indices.tolist()) == list(range(50))
    assert [len(units) for units, _ in found[:-1]] == [batch] * (len(found) - 1)
    for units, patches in found:
        np.testing.assert_array_equal(patches, expected[units])
    assert not ours()


def test_slides_hand_batches_out(given):
    units = anndata.AnnData(np.zeros((50, 1)))
    slide = ModelSlide(units=units, meta=SlideMeta(slide_id="S"), image=given)
    found = np.empty((50, 8, 8, 3), np.uint8)
    for indices, patches in slide.batches(8, 0.5, batch=9):
        found[indices] = patches
    np.testing.assert_array_equal(found, slide.patches(8, 0.5))
    with pytest.raises(ModelError, match="slide S has no image"):
        replace(slide, image=None).batches()


def test_alterations_reach_batches(given):
    darker = AlteredImage(given, pixels=lambda block: block // 2, scale=1.5)
    expected = darker.patches(24, 0.5)
    for units, patches in darker.batches(24, 0.5, batch=9):
        np.testing.assert_array_equal(patches, expected[units])
    assert list(AlteredImage(Image(tissue(), mpp=1.0).input(PLACES[:0])).batches()) == []


def test_the_next_batch_is_made_while_the_caller_works():
    made = []
    started = threading.Event()

    def make(item):
        made.append(item)
        if item == 1:
            started.set()
        return item * 10

    batches = each_ahead(make, [0, 1, 2])
    assert next(batches) == (0, 0)
    assert started.wait(10), "made before it is asked for"
    assert 2 not in made, "one at a time"
    assert list(batches) == [(1, 10), (2, 20)]


def test_what_goes_wrong_ahead_is_raised_where_it_is_asked_for():
    def make(item):
        if item == 1:
            raise ValueError("damaged")
        return item

    batches = each_ahead(make, [0, 1, 2])
    assert next(batches) == (0, 0)
    with pytest.raises(ValueError, match="damaged"):
        next(batches)
    assert not ours()


def slow(item):
    time.sleep(0.2)
    return item


def test_no_thread_lives_when_the_generator_is_closed():
    batches = each_ahead(slow, [0, 1, 2])
    next(batches)
    assert len(ours()) == 1
    batches.close()
    assert not ours()
    other = each_ahead(slow, [0, 1, 2])
    next(other)
    del other
    assert not ours()


def test_no_thread_lives_at_the_end_of_a_call():
    kept = []

    def model():
        kept.append(each_ahead(slow, [0, 1, 2, 3]))
        next(kept[0])
        assert len(ours()) == 1

    guarded_call(model, timeout=None)
    assert not ours()
    assert next(kept[0]) == (1, 1), "a later call goes on"
    settle()
    with pytest.raises(ModelTimeout):
        guarded_call(lambda: [next(kept[0]), time.sleep(30)], timeout=0.6)
    assert not ours()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("error")
def test_no_thread_lives_at_fork(given):
    batches = given.batches(24, 0.5, batch=9)
    first = next(batches)
    slow_one = each_ahead(slow, [0, 1, 2])
    next(slow_one)
    process = os.fork()
    if process == 0:
        rest = [*batches]
        same = len(rest) == 5 and [item for item, _ in slow_one] == [1, 2]
        os._exit(0 if same and (rest[0][1] == given.patches(24, 0.5, units=rest[0][0])).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert not ours(), "waited for before the fork"
    assert len(first[0]) == 9
    slow_one.close()
