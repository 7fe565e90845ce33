"""The grid of a task: which cells there are, what they are called, what happens without data."""

from __future__ import annotations

import pytest

from pytest_stbench.errors import DataMissing, TaskFileError
from pytest_stbench.run.cells import make_grid, pool_id
from pytest_stbench.run.installed import builtin_registry


@pytest.fixture
def grid(make_task, make_samples):
    def make(patients="AABC", missing=(), **changes):
        def load(name, config):
            del config
            if name in missing:
                message = f"{name} is not here"
                raise DataMissing(message)
            return make_samples(patients)

        return make_grid(make_task(**changes), load, builtin_registry().splits)

    return make


def test_one_cell_per_fold(grid):
    (pool,) = grid().pools
    assert pool.id == "sim-lopo"
    assert [cell.id for cell in pool.cells] == ["sim-lopo-A", "sim-lopo-B", "sim-lopo-C"]
    assert [cell.fold.test for cell in pool.cells] == [("A1", "A2"), ("B1",), ("C1",)]
    assert pool.test_slides == ("A1", "A2", "B1", "C1")


def test_seeds_stand_in_ids_only_where_there_are_several(grid):
    (one,) = grid(seeds=[7]).pools
    assert [cell.id for cell in one.cells] == ["sim-lopo-A", "sim-lopo-B", "sim-lopo-C"]
    assert {cell.seed for cell in one.cells} == {7}
    (two,) = grid(seeds=[7, 8]).pools
    assert [cell.id for cell in two.cells][:3] == ["sim-lopo-A-s7", "sim-lopo-A-s8", "sim-lopo-B-s7"]
    assert [fold.name for fold in two.folds] == ["A", "B", "C"]


def test_variants_and_splits_multiply(grid):
    preprocess = {
        "genes": {"select": "svg", "n": 5},
        "variants": {"raw": {"normalise": "log1p"}, "hvg": {"genes": {"select": "hvg"}}},
    }
    pools = grid("AABCD", preprocess=preprocess, splits=["lopo", {"pgkf": {"k": 2}}]).pools
    assert [pool.id for pool in pools] == [
        "sim-lopo", "sim+raw-lopo", "sim+hvg-lopo", "sim-pgkf", "sim+raw-pgkf", "sim+hvg-pgkf",
    ]  # fmt: skip
    ids = [cell.id for pool in pools for cell in pool.cells]
    assert len(ids) == len(set(ids)) == 3 * 4 + 3 * 2
    assert {cell.id.rpartition("-")[0] for cell in pools[1].cells} == {pools[1].id}


def test_pool_ids():
    assert pool_id("her2st", "", "lopo") == "her2st-lopo"
    assert pool_id("her2st", "raw", "lopo") == "her2st+raw-lopo"


def test_the_default_design_depends_on_the_patients(grid):
    assert {pool.split for pool in grid("ABCDEFGHIJ", splits=None).pools} == {"lopo"}
    assert {pool.split for pool in grid("ABCDEFGHIJK", splits=None).pools} == {"pgkf"}


def test_a_data_set_that_is_not_here_has_pools_without_cells(grid):
    made = grid(missing=("sim",))
    assert [(pool.id, pool.cells, pool.test_slides) for pool in made.pools] == [("sim-lopo", (), ())]
    assert made.missing == {"sim": "sim is not here"}
    assert made.samples == {"sim": ()}
    assert [pool.id for pool in made.of("sim")] == ["sim-lopo"]
    assert list(made.of("other")) == []


def test_every_split_that_cannot_be_made_is_told_at_its_line(grid):
    with pytest.raises(TaskFileError) as caught:
        grid("A", splits=["lopo", {"pgkf": {"k": 5}}])
    problems = caught.value.problems
    assert [problem.key for problem in problems] == ["splits.lopo", "splits.pgkf"]
    assert problems[0].line != problems[1].line
    assert all("data set sim:" in problem.message for problem in problems)
