"""Distinct values of a column, held against dictionaries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from pytest_stbench.data.labels import labels_of
from pytest_stbench.data.naming import names_of
from pytest_stbench.kernels.levels import factorized
from pytest_stbench.metrics.labelled import label_codes

VALUES = st.one_of(st.text("a\0b", max_size=4), st.none(), st.integers(0, 3), st.sampled_from([b"a", b"a\0"]))


@given(st.lists(VALUES, max_size=20))
def test_values_are_told_apart_as_a_dictionary_does(values):
    held = np.empty(len(values), dtype=object)
    held[:] = values
    codes, levels = factorized(held)
    present = list(dict.fromkeys(value for value in values if value is not None))
    assert list(levels) == present
    assert [None if code < 0 else present[code] for code in codes] == values


@pytest.mark.parametrize("wrap", [np.asarray, lambda held: pd.Series(held, dtype=object)])
def test_text_does_not_end_at_a_nul(wrap):
    held = wrap(np.array(["a", "a\0b", "a\0c", "a"], dtype=object))
    assert factorized(held)[0].tolist() == [0, 1, 2, 0]
    assert names_of(held).tolist() == labels_of(held).tolist() == ["a", "a\0b", "a\0c", "a"]
    assert label_codes(held, "truth")[1].tolist() == ["a", "a\0b", "a\0c"]


def test_a_missing_value_has_a_level_where_asked():
    codes, levels = factorized(np.array(["a\0", None, "a"], dtype=object), use_na_sentinel=False)
    assert codes.tolist() == [0, 1, 2]
    assert pd.isna(levels[1])
