from __future__ import annotations

import pandas as pd

from pytest_stbench.data.factorise import Factoriser


def test_parts_that_share_their_values_share_the_list():
    factorise = Factoriser()
    first = pd.Series(pd.Categorical(["b", "a", "b"], categories=["a", "b"]))
    codes, levels = factorise(first)
    assert (codes.tolist(), levels) == ([1, 0, 1], ["a", "b"])
    again, same = factorise(first[:2])
    assert (again.tolist(), same is levels) == ([1, 0], True)
    other, others = factorise(pd.Series(pd.Categorical(["c", "a"], categories=["a", "c"])))
    assert (other.tolist(), others) == ([1, 0], ["a", "c"])
    assert levels == ["a", "b"]


def test_equal_numbers_of_other_types_are_other_text():
    factorise = Factoriser()
    whole = pd.Series(pd.Categorical([1, 2]))
    assert factorise(whole)[1] != factorise(whole.astype(float).astype("category"))[1]


def test_bytes_are_decoded_and_plain_columns_coded():
    factorise = Factoriser()
    assert factorise(pd.Series(pd.Categorical([b"x", b"y"])))[1] == ["x", "y"]
    codes, levels = factorise(pd.Series(["y", "x", "y"], dtype=object))
    assert [levels[code] for code in codes] == ["y", "x", "y"]
