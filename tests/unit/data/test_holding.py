"""Slides that are held: what leaves memory comes back as it was, and only so much lies there."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import weakref
from collections import OrderedDict
from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.holding import Holding, once
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.errors import DataError

OBJECTS = [object, *([np.dtypes.StringDType()] if hasattr(np.dtypes, "StringDType") else [])]
"""Kinds of arrays that lead to Python objects; numpy 1.26 has one."""


def slide_of(number, n=50, g=8, dtype=np.int32):
    rng = np.random.default_rng(number)
    counts = csr_matrix(rng.poisson(1.0, (n, g)).astype(dtype))
    return Slide(
        meta=SlideMeta(slide_id=f"s{number}"),
        unit_names=np.array([f"s{number}-{unit}" for unit in range(n)]),
        genes=np.array([f"G{gene}" for gene in range(g)]),
        counts=counts,
        xy_um=np.where(np.arange(2 * n).reshape(n, 2) % 7, rng.uniform(0, 9, (n, 2)), np.nan),
        array_index=rng.integers(0, 9, (n, 2)),
        embedding=rng.normal(size=(n, 3)).astype(np.float32),
        labels={"niche": np.array(["a", None] * (n // 2), dtype=object)},
        measures={"cells": rng.normal(size=n)},
        measured=np.ones(g, bool),
        libsize=np.asarray(counts.sum(axis=1), dtype=np.float64).ravel(),
        n_detected=np.diff(counts.indptr).astype(np.int64),
    )


def the_same(one, other):
    if isinstance(one, csr_matrix):
        assert one.shape == other.shape
        assert one.has_canonical_format == other.has_canonical_format
        return all(
            the_same(getattr(one, part), getattr(other, part)) for part in ("data", "indices", "indptr")
        )
    if isinstance(one, np.ndarray) and not one.dtype.hasobject:
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(the_same(one[name], other[name]) for name in one)
    return one.tolist() == other.tolist() if isinstance(one, np.ndarray) else one == other


def in_memory(holding):
    return sum(
        sum(getattr(value, part).nbytes for part in ("data", "indices", "indptr"))
        if isinstance(value, csr_matrix)
        else value.nbytes
        for value in holding._here.values()
    )


@pytest.mark.parametrize("most", [0, 3000, 1 << 30])
@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_what_leaves_memory_comes_back_bit_by_bit(most, dtype, tmp_path):
    holding = Holding(tmp_path, most)
    held = [holding.hold(slide_of(number, n=10 * number, dtype=dtype)) for number in range(5)]
    for _ in range(2):
        for number, slide in enumerate(held):
            own = slide_of(number, n=10 * number, dtype=dtype)
            assert slide.n_units == own.n_units
            assert all(the_same(getattr(own, f.name), getattr(slide, f.name)) for f in fields(Slide))
    assert list(tmp_path.iterdir()) == [], "the file has no name"


def test_no_more_lies_in_memory_than_may(tmp_path):
    most = 20_000
    holding = Holding(tmp_path, most)
    held = [holding.hold(slide_of(number)) for number in range(40)]
    largest = 0
    for slide in [*held, *held[::-1]]:
        _ = slide.counts, slide.unit_names, slide.embedding
        largest = max(largest, in_memory(holding))
    assert most / 2 < largest <= most


def test_what_was_asked_for_last_stays_however_large(tmp_path):
    holding = Holding(tmp_path, 0)
    slide = holding.hold(slide_of(1))
    assert slide.counts is slide.counts


def test_units_of_a_held_slide_make_a_slide_of_their_own(tmp_path):
    held = Holding(tmp_path, 0).hold(slide_of(1))
    rows = np.arange(0, 50, 3)
    for found, own in (
        (held.select(rows), slide_of(1).select(rows)),
        (replace(held, image=None), slide_of(1)),
    ):
        assert found.n_units == own.n_units
        assert all(the_same(getattr(own, f.name), getattr(found, f.name)) for f in fields(Slide))
        assert "counts" in vars(found)


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_outlives_what_is_held(twin, tmp_path):
    held, own = Holding(tmp_path, 0).hold(slide_of(1)), slide_of(1)
    found = twin(held)
    del held
    gc.collect()
    assert all(the_same(getattr(own, f.name), getattr(found, f.name)) for f in fields(Slide))


@pytest.mark.parametrize("kind", OBJECTS)
def test_names_that_are_python_objects_stay_in_memory(kind, tmp_path):
    own = replace(slide_of(1), unit_names=slide_of(1).unit_names.astype(kind))
    held = Holding(tmp_path, 0).hold(own)
    assert all(the_same(getattr(own, f.name), getattr(held, f.name)) for f in fields(Slide))


def test_what_goes_while_others_are_dropped_waits(tmp_path):
    holding = Holding(tmp_path, 1 << 30)
    held = {number: holding.hold(slide_of(number)) for number in (1, 2, 3)}

    class Here(OrderedDict):
        def __iter__(self):
            for key in super().__iter__():
                held.pop(2, None)  # as the garbage collector would take it
                yield key

    holding._here = Here(holding._here)
    del held[1]
    _ = held[3].counts
    assert {number for number, _ in OrderedDict.keys(holding._here)} == {3}


def test_what_is_made_of_a_slide_is_made_once_and_kept_with_it(tmp_path):
    for slide in (slide_of(1), Holding(tmp_path, 0).hold(slide_of(1))):
        made = []

        def graph(made=made):
            made.append(1)
            return csr_matrix(np.eye(5))

        for _ in range(3):
            assert once(slide, "graph", graph).toarray().tolist() == np.eye(5).tolist()
            _ = slide.counts
            assert once(slide, ("depths", b"1"), lambda: np.arange(4.0)).tolist() == [0, 1, 2, 3]
        assert len(made) == 1


def test_slides_that_nobody_has_take_no_memory_and_no_disk(tmp_path):
    holding = Holding(tmp_path, 5000)
    held = [holding.hold(slide_of(number)) for number in range(20)]
    file = holding._file
    assert os.fstat(file.fileno()).st_size > 0
    slide = weakref.ref(held[3])
    del held
    assert slide() is None, "no cycle that waits for the garbage collector"
    assert (len(holding._here), len(holding._away), file.closed) == (0, 0, True)
    held = [holding.hold(slide_of(number)) for number in range(20)]
    assert all(the_same(slide_of(number).counts, slide.counts) for number, slide in enumerate(held))
    file = holding._file
    del holding, held, slide
    gc.collect()
    assert file.closed


def test_a_slide_that_goes_while_another_is_asked_for_is_dropped_afterwards(tmp_path):
    holding = Holding(tmp_path, 1 << 30)
    held = [holding.hold(slide_of(number)) for number in range(3)]

    def made():
        held.pop()
        assert {number for number, _ in holding._here} == {1, 2, 3}, "not in the middle of something"
        return np.arange(3)

    once(held[0], "made", made)
    assert {number for number, _ in holding._here} == {1, 2}


@pytest.mark.filterwarnings("ignore:This process .*multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_reads_what_was_put_aside_and_writes_nothing(tmp_path):
    holding = Holding(tmp_path, 0)
    held = [holding.hold(slide_of(number)) for number in range(6)]
    end = holding._end
    go, going = os.pipe()
    children = []
    with holding._lock:  # as a thread might that the child does not have
        for _ in range(3):
            child = os.fork()
            if not child:
                os.read(go, 1)
                right = all(
                    the_same(slide_of(number).counts, held[number].counts)
                    for _ in range(20)
                    for number in range(6)
                )
                os._exit(0 if right and holding._end == end else 1)
            children.append(child)
    more = [holding.hold(slide_of(number)) for number in range(6, 12)]
    os.write(going, b"...")
    for _ in range(20):
        for number, slide in enumerate([*held, *more]):
            assert the_same(slide_of(number).counts, slide.counts)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]


def test_a_disk_that_is_full_leaves_everything_in_memory(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pytest_stbench.data.holding.tempfile.TemporaryFile", full)
    holding = Holding(tmp_path, 0)
    held = [holding.hold(slide_of(number)) for number in range(3)]
    assert all(the_same(slide_of(number).counts, slide.counts) for number, slide in enumerate(held))


def test_a_disk_that_fails_is_told(tmp_path):
    holding = Holding(tmp_path, 0)
    first, second = (holding.hold(slide_of(number)) for number in range(2))
    _ = second.counts
    holding._file.truncate(10)
    with pytest.raises(DataError, match=r"put aside of a slide cannot be read again .*check the disk"):
        _ = first.counts


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    holding = Holding(tmp_path / "none", 0)
    held = [holding.hold(slide_of(number)) for number in range(2)]
    assert the_same(slide_of(0).counts, held[0].counts)
    assert not (tmp_path / "none").exists()
