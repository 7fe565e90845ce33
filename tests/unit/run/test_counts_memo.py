"""Counts of simulated slides that come from the store are those that are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.data.checksums import Checksums
from pytest_stbench.data.simulate import source as simulated
from pytest_stbench.data.simulate.source import drawn
from pytest_stbench.run import dataset_memos
from pytest_stbench.run.open_dataset import OpenDataset
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.splits.table import Sample
from pytest_stbench.store.housekeeping import costs, prune
from pytest_stbench.store.store import Store, StoreWarning

SPOTS = {"patients": 2, "units": 60, "genes": 80, "image": False}
CELLS = {**SPOTS, "resolution": "cell", "units": 200}
SAMPLES = tuple(Sample(slide=f"P0{number}S1", patient=f"P0{number}") for number in (1, 2))


@pytest.fixture(autouse=True)
def _small_slides_count(monkeypatch):
    monkeypatch.setattr(dataset_memos, "MIN_VALUES", 1)


@pytest.fixture
def cohort(tmp_path):
    """Open a cohort as a run of its own does."""

    def make(params=SPOTS, **checksums):
        config = DatasetSpec(source="simulated", params=params)
        opened = OpenDataset(Store(tmp_path), Checksums(store=tmp_path, **checksums))
        return opened.open("sim", config, SAMPLES, ())

    return make


def files(tmp_path):
    return sorted(tmp_path.glob("drawn/*/*.npz"))


@pytest.fixture
def undrawable(monkeypatch):
    """From here on nothing can be drawn but the few units that a fingerprint is of."""

    def fail(*_):
        pytest.fail("drawn again")

    def forbid():
        monkeypatch.setattr(simulated.SimulatedSource, "fingerprint", lambda self: self._mark or fail())
        monkeypatch.setattr(simulated, "draw_counts", fail)
        monkeypatch.setattr(simulated.CellCounts, "matrix", fail)

    return forbid


@pytest.mark.parametrize(
    "params",
    [SPOTS, {**SPOTS, "image": True}, CELLS, {**SPOTS, "panels": 2, "defects": {"duplicate_units": 0.2}}],
    ids=["spots", "image", "cells", "defects"],
)
def test_kept_counts_are_drawn_counts_to_the_byte(cohort, undrawable, params):
    first, fresh = cohort(params), cohort(params, anew=True)
    for dataset in (first, fresh):
        list(dataset.slides())
    again = cohort(params)
    assert again.checksum == first.checksum == fresh.checksum
    undrawable()
    for name in first.slide_ids:
        wanted = fresh.slide(name).counts
        for found in (first.slide(name).counts, again.slide(name).counts):
            assert found.shape == wanted.shape
            for part in ("data", "indices", "indptr"):
                assert getattr(found, part).dtype == getattr(wanted, part).dtype
                assert getattr(found, part).tobytes() == getattr(wanted, part).tobytes()


def test_whole_slides_are_equal_whether_kept_or_drawn(cohort):
    for params in ({**SPOTS, "image": True}, CELLS):
        list(cohort(params).slides())
        for name in ("P01S1", "P02S1"):
            assert drawn(cohort(params)._source.read(name)) == drawn(
                cohort(params, anew=True)._source.read(name)
            )


def test_another_generator_is_served_nothing(cohort, monkeypatch):
    before = cohort()
    counts = before.slide("P01S1").counts
    draw = simulated.draw_counts
    monkeypatch.setattr(simulated, "draw_counts", lambda *given: draw(*given) + 1)
    after = cohort()
    assert after.checksum != before.checksum, "the fingerprint is of what is drawn today"
    assert (after.slide("P01S1").counts - counts).min() == 1


def test_other_parameters_and_slides_have_files_of_their_own(tmp_path, cohort):
    for params in (SPOTS, {**SPOTS, "seed": 1}):
        list(cohort(params).slides())
    assert len(files(tmp_path)) == 4


def test_a_damaged_file_is_drawn_again(tmp_path, cohort):
    wanted = cohort().slide("P01S1").counts
    (path,) = files(tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.warns(StoreWarning, match="cannot be used .*: it is computed again"):
        found = cohort().slide("P01S1").counts
    assert (found != wanted).nnz == 0
    assert np.array_equal(cohort().slide("P01S1").counts.data, wanted.data), "and kept again"


def test_without_skips_everything_is_drawn_anew(tmp_path, cohort):
    list(cohort(anew=True).slides())
    assert files(tmp_path) == []


def test_slides_that_are_drawn_at_once_are_not_kept(tmp_path, cohort, monkeypatch):
    monkeypatch.setattr(dataset_memos, "MIN_VALUES", 60 * 80 + 1)
    list(cohort().slides())
    assert files(tmp_path) == []


def test_the_store_lists_and_prunes_them(tmp_path, cohort):
    list(cohort().slides())
    cost = costs(tmp_path)["simulated counts", "sim"]
    assert cost.files == 2
    assert cost.seconds > 0
    prune(tmp_path, max_size=0)
    assert files(tmp_path) == []
