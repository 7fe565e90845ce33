from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.data import naming
from pytest_stbench.data.labels import MISSING
from pytest_stbench.data.naming import (
    AMBIGUOUS,
    NOWHERE,
    KnownCells,
    cells_in_fields,
    cells_of,
    coded,
    names_of,
    spread,
)

LONG = 1195290300019100001
"""An id of MERSCOPE: no float has it."""


def cells(values, *more, **rest):
    return spread(*cells_of(values, *more, **rest)).tolist()


COLUMNS = {
    "integers": np.array([1, 2, 10]),
    "floats": np.array([1.0, 2.0, 10.0]),
    "text": ["1", "2", "10"],
    "text of floats": ["1.0", "2.0", "10.000"],
    "bytes": [b"1", b"2", b"10"],
    "objects": [1, 2.0, "10"],
    "nullable": pd.array([1, 2, 10], "Int32"),
    "nullable floats": pd.array([1, 2, 10], "Float64"),
    "arrow": pd.Series(pa.array([1, 2, 10])).astype("int64[pyarrow]"),
    "arrow text": pd.Series(["1", "2", "10"]).astype("string[pyarrow]"),
    "categories of text": pd.Categorical(["1", "2", "10"], categories=["10", "unused", "2", "1"]),
    "categories of floats": pd.Categorical([1.0, 2.0, 10.0]),
    "index": pd.Index([1.0, 2.0, 10.0]),
}


@pytest.mark.parametrize("column", COLUMNS)
def test_one_name_whatever_the_type(column):
    values = COLUMNS[column]
    assert names_of(values).tolist() == ["1", "2", "10"]
    assert cells(values) == ["1", "2", "10"]
    series = pd.Series(values)
    holed = series.reindex([0, 5, 1, 2])
    assert names_of(holed).tolist() == ["1", None, "2", "10"]
    assert cells(holed) == ["1", None, "2", "10"]


def test_what_is_missing():
    words = ["", " ", "NA", "nan", "NaN", "None", "null", "N/A", "<NA>", None, np.nan, pd.NA, pd.NaT]
    assert names_of(pd.Series(words, dtype=object)).tolist() == [None] * len(words)
    assert names_of(["NAV1", "none-1", "nanchung", "0.5", " x "]).tolist() == [
        "NAV1", "none-1", "nanchung", "0.5", "x",
    ]  # fmt: skip
    assert names_of([1.5, 2.0]).tolist() == ["1.5", "2"]
    assert names_of([True, False]).tolist() == ["True", "False"]
    assert coded([])[0].tolist() == names_of([]).tolist() == []


def test_long_ids_are_kept_to_the_digit():
    column = pd.Series(pa.array([LONG, None, LONG + 1]).dictionary_encode().to_pandas())
    assert names_of(column).tolist() == [str(LONG), None, str(LONG + 1)]
    assert names_of(np.array([2**64 - 2], np.uint64)).tolist() == [str(2**64 - 2)]
    for wide in (np.array([LONG, np.nan]), [float(LONG), "x"], np.array([2**24 + 2], np.float32)):
        with pytest.raises(ValueError, match="ids were rounded; write them as integers or text"):
            coded(wide)


def test_equal_names_of_different_values_are_one():
    codes, names = coded(pd.Series([1, "1", "1.0", 1.0, b"1", 2], dtype=object))
    assert (codes.tolist(), names.tolist()) == ([0, 0, 0, 0, 0, 1], ["1", "2"])


@pytest.mark.parametrize(
    "word",
    ["UNASSIGNED", "unassigned", "Not_Assigned", "no-cell", "-1", -1, -1.0, "", None, "NA", "background",
     "NOISE", "extracellular", b"UNASSIGNED", "c_2_1_0", "c_1_13_0", np.iinfo(np.int64).min,
     float(np.iinfo(np.int64).min), np.iinfo(np.int32).min],
)  # fmt: skip
def test_what_is_in_no_cell(word):
    assert cells(pd.Series([word, "aaaaaaab-1"], dtype=object)) == [None, "aaaaaaab-1"]
    assert cells(pd.Series([word, word], dtype=object)) == [None, None]
    # no table of cells makes a cell of it
    assert cells(pd.Series([word], dtype=object), {str(word)}) == [None]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_the_largest_of_an_unsigned_type_is_no_cell(kind):
    largest = np.iinfo(kind).max
    assert cells(np.array([largest, 3], kind)) == [None, "3"]
    assert cells(pd.Series(np.array([largest, 3], kind)).astype("category")) == [None, "3"]
    assert cells(pd.array([largest, 3], f"UInt{8 * np.dtype(kind).itemsize}")) == [None, "3"]
    assert cells(np.array([largest, 3], kind), {str(largest)}) == [str(largest), "3"]


def test_large_unsigned_numbers_are_known_in_text_and_as_floats():
    for number in (2**32 - 1, 2**64 - 1):
        assert cells([str(number), "3"]) == [None, "3"]
        assert cells(np.array([float(number), 3.0])) == [None, "3"]
    # of 16 bits they may be cells where the type does not say that they are the largest
    assert cells(["65535", "255"]) == ["65535", "255"]


def test_the_table_of_cells_says_whether_there_is_a_cell_0():
    reads = []
    known = KnownCells(lambda: reads.append(1) or {"0", "1"})
    assert cells([1, 2], known) == ["1", "2"]
    assert not reads, "nobody has to look"
    assert cells([0, 1], known) == cells(["0", "1.0"], known) == ["0", "1"]
    assert cells([0, 1], KnownCells(lambda: {"1"})) == cells([0, 1]) == [None, "1"]
    assert len(reads) == 1


def test_cells_of_cosmx_are_counted_in_fields():
    fields, numbers = [1, 1, 2, 2, 2, 3], [0, 1, 1, 2, -1, 5]
    expected = [None, "1_1", "2_1", "2_2", None, "3_5"]
    for made in (np.array, lambda v: np.array(v, float), lambda v: list(map(str, v)), pd.Categorical):
        assert spread(*cells_in_fields(made(fields), made(numbers))).tolist() == expected
    said = [f"c_2_{field}_{max(number, 0)}" for field, number in zip(fields, numbers, strict=True)]
    assert spread(*cells_in_fields(fields, said)).tolist() == expected
    assert cells(said) == expected
    assert spread(*cells_in_fields([None, 1], [4, 4])).tolist() == [None, "1_4"]


def test_two_slides_of_cosmx_are_not_one():
    with pytest.raises(ValueError, match=r"cells of slides 1 and 2 of CosMx.*keep one table a slide"):
        cells_of(["c_1_5_3", "c_2_5_3"])
    slides = set()
    cells_of(["c_1_5_3"], slides=slides)
    with pytest.raises(ValueError, match="slides 1 and 2"):
        cells_of(["c_2_5_3"], slides=slides)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.one_of(st.none(), st.integers(-3, 300)), max_size=30))
def test_every_way_to_hold_ids_names_the_same_cells(ids):
    """What a hole or a tool does to a column of whole numbers changes no name."""
    text = ["" if i is None else str(i) for i in ids]
    ways = [
        pd.Series(ids, dtype="Int64"),
        pd.Series(ids, dtype="float64"),
        pd.Series(ids, dtype=object),
        pd.Series(text, dtype=object),
        pd.Series([f"{i}.0" if i else i for i in text], dtype=object),
        pd.Series(text).astype("category"),
        pa.array(ids, pa.int64()).dictionary_encode().to_pandas(),
    ]
    expected = [None if i is None else str(i) for i in ids]
    inside = [None if i in (None, 0, -1) else str(i) for i in ids]
    for way in ways:
        assert names_of(way).tolist() == expected
        assert cells(way) == inside
        assert cells(way, {"0"}) == [None if i in (None, -1) else str(i) for i in ids]


@pytest.mark.parametrize(
    ("text", "name"),
    [("1.0", "1"), ("1.", "1"), ("+1.0", "1"), ("01.0", "01"), ("-0.0", "0"), ("-3.00", "-3"), ("01", "01"),
     ("1.5", "1.5"), ("v1.0", "v1.0"), ("1.0.0", "1.0.0"), ("+1", "+1")],
)  # fmt: skip
def test_whole_numbers_as_text_have_one_rule(text, name):
    from pytest_stbench.data.labels import class_name

    assert class_name(text) == name
    assert names_of([text]).tolist() == [name]


NAMES = st.one_of(
    st.text(max_size=6),
    st.from_regex(r"\A[ncNAa_ .-]{0,3}[0-9]{0,3}[.]?0{0,2}\Z"),
    st.sampled_from(
        [*MISSING, *NOWHERE, *AMBIGUOUS, "c_1_2_0", "c_1_2_3", "aaaabbcd-1", "NaN", "\u212aelvin"]
    ),
    st.sampled_from(sorted(NOWHERE)).map(str.title).map(lambda word: word.replace(" ", "_")),
)


@given(st.lists(NAMES, min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_names_that_are_passed_over_are_those_that_the_rules_leave(names):
    values = np.array(names, dtype=object)
    assert names_of(values).tolist() == [naming._text(name) for name in names]
    expected = [naming._text(name) for name in names]
    expected = [
        None if name is None or naming._nowhere(name) or name in AMBIGUOUS else naming._in_field(name, set())
        for name in expected
    ]
    assert spread(*cells_of(values)).tolist() == expected
