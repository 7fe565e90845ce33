from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.adapters import reference
from pytest_stbench.adapters.training_cells import same_names
from pytest_stbench.errors import ModelError


def test_cells_of_training_keep_counts_names_and_labels(make, train):
    found = reference(train, make.task(), most=None)
    assert found.shape == (60, len(make.GENES))
    assert found.X.dtype == np.float32
    np.testing.assert_array_equal(found.X.toarray()[30:], train[1].counts.X.toarray())
    assert list(found.obs_names[:2]) == ["s1-0", "s1-1"]
    assert list(found.obs["label"][:3]) == ["even", "odd", "even"]
    assert set(found.obs["patient"]) == {"p1", "s2"}
    assert found.uns["left_out"] == {"cells_empty": 0, "cells_not_drawn": 0, "genes": 0, "slides": 0}


def test_a_draw_is_counted_and_the_same_for_a_seed(make, train):
    first, again, other = (reference(train, make.task(seed=seed), most=20) for seed in (0, 0, 1))
    assert first.n_obs == 20
    assert first.uns["left_out"]["cells_not_drawn"] == 40
    assert list(first.obs_names) == list(again.obs_names)
    assert list(first.obs_names) != list(other.obs_names)
    assert set(first.obs["slide"]) == {"s1", "s2"}


def test_empty_cells_other_panels_and_slides_without_asked_genes_are_counted(make):
    train = [
        make.slide("s1", "p1", empty=(0, 3)),
        make.slide("s2", "p2", genes=(*make.OBSERVED, *make.HIDDEN)),
        make.slide("s3", "p3", genes=(*make.OBSERVED, make.HIDDEN[0])),
    ]
    found = reference(train, make.task(), most=None)
    assert set(found.obs["slide"]) == {"s1", "s2"}
    assert found.shape == (58, len(make.OBSERVED) + len(make.HIDDEN))
    assert found.uns["left_out"] == {"cells_empty": 2, "cells_not_drawn": 0, "genes": 1, "slides": 1}


def test_slides_without_labels_have_none(make, train):
    import dataclasses

    found = reference([dataclasses.replace(train[0], labels=None)], make.task())
    assert found.obs["label"].isna().all()


def test_genes_that_no_slide_has_whole_are_an_error(make):
    train = [make.slide("s1", "p1", genes=(*make.OBSERVED, make.HIDDEN[0]))]
    with pytest.raises(ModelError, match="no training slide measured all 2 genes that are asked for"):
        reference(train, make.task())


def test_the_atlas_of_a_task_stands_before_its_slides_under_the_names_of_the_task(make, train):
    counts = np.arange(33).reshape(3, 11)
    counts[1] = 0
    atlas = make.table(counts, ["a", "b", "c"], [name.lower() for name in make.GENES], np.zeros((3, 2)))
    atlas.obs["label"] = ["T", "B", "T"]
    found = reference(train, make.told(make.task(), atlas))
    assert list(found.obs_names) == ["a", "c"]
    assert list(found.var_names) == [*make.OBSERVED, *make.HIDDEN, "else1"]
    assert list(found.obs["label"]) == ["T", "T"]
    np.testing.assert_array_equal(found.X.toarray(), counts[[0, 2]])
    assert found.uns["left_out"]["cells_empty"] == 1
    assert atlas.var_names[0] == "obs0"


@pytest.mark.parametrize(
    ("found", "wanted", "names"),
    [
        (["epcam", "b"], ["EPCAM"], ["EPCAM", "b"]),
        (["EPCAM", "epcam"], ["EPCAM"], ["EPCAM", "epcam"]),  # the exact one is it
        (["epcam", "Epcam"], ["EPCAM"], ["EPCAM", "Epcam"]),  # no name comes twice
        ([], ["A"], []),
    ],
)
def test_names_differ_by_case_alone(found, wanted, names):
    assert same_names(found, wanted) == names
