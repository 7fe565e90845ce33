from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pytest_stbench.data.labels import class_name, labels_of, whole_number

NUMBERS = ["1", "2", None, "1"]
TRUTH = ["True", "False", None, "True"]
WORDS = ["tumour", "stroma", None, "tumour"]

COLUMNS = [
    (NUMBERS, pd.Series([1, 2, None, 1])),
    (NUMBERS, pd.Series([1, 2, None, 1], dtype="float32")),
    (NUMBERS, pd.array([1, 2, None, 1], dtype="Int64")),
    (NUMBERS, pd.array([1, 2, None, 1], dtype="UInt8")),
    (NUMBERS, pd.array([1, 2, None, 1], dtype="Float64")),
    (NUMBERS, pd.Series([1, 2, None, 1], dtype="int64[pyarrow]")),
    (NUMBERS, pd.Series([1, 2, None, 1], dtype="double[pyarrow]")),
    (NUMBERS, pd.Categorical([1, 2, None, 1], categories=[3, 2, 1], ordered=True)),
    (NUMBERS, pd.Categorical([1.0, 2.0, None, 1.0])),
    (NUMBERS, pd.Categorical(["1", "2", None, "1"], categories=["2", "1", "unused"])),
    (NUMBERS, pd.Categorical(["1.0", "2.0", None, "1.0"])),
    (NUMBERS, pd.Series(["1", "2", None, "1"], dtype=object)),
    (NUMBERS, pd.Series(["1.0", "2.0", "", "1.0"], dtype=object)),
    (NUMBERS, pd.Series([1, "2", np.nan, "1"], dtype=object)),
    (NUMBERS, pd.Series([b"1", b"2", None, b"1"], dtype=object)),
    (NUMBERS, np.array([1.0, 2.0, np.nan, 1.0])),
    (TRUTH, pd.array([True, False, None, True], dtype="boolean")),
    (TRUTH, pd.Series([True, False, None, True], dtype=object)),
    (TRUTH, pd.Series([True, False, None, True], dtype="bool[pyarrow]")),
    (TRUTH, pd.Categorical([True, False, None, True])),
    (TRUTH, pd.Series(["TRUE", "FALSE", "NA", "TRUE"])),
    (TRUTH, pd.Series(["true", "false", None, "true"])),
    (WORDS, pd.Series(WORDS)),
    (WORDS, pd.Series(WORDS, dtype="string")),
    (WORDS, pd.Series(WORDS, dtype="string[pyarrow]")),
    (WORDS, pd.Series([" tumour", "stroma ", "<NA>", "tumour"])),
    (WORDS, pd.Categorical(WORDS)),
    (WORDS, np.array(["tumour", "stroma", "nan", "tumour"])),
    (WORDS, np.array([b"tumour", b"stroma", b"NA", b"tumour"])),
]


@pytest.mark.parametrize(("names", "column"), COLUMNS, ids=lambda c: str(getattr(c, "dtype", "")))
def test_one_class_has_one_name(names, column):
    assert labels_of(column).tolist() == names


@pytest.mark.parametrize(
    "missing", ["", " ", "NA", "N/A", "nan", "NaN", "None", "null", "<NA>", "NaT", "#N/A"]
)
def test_words_for_no_value(missing):
    assert class_name(missing) is None
    assert labels_of(pd.Series(["a", missing])).tolist() == ["a", None]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (0, "0"), (-0.0, "0"), (-3.0, "-3"), ("-3.0", "-3"), (1.5, "1.5"), ("1.50", "1.50"), ("01", "01"),
        ("1.2.0", "1.2.0"), (np.float32(0.1), "0.1"), (2**60, str(2**60)), (np.inf, "inf"), (True, "True"),
        (np.False_, "False"), ("T", "T"), ("v1.0", "v1.0"), ("Tumour 1.0", "Tumour 1.0"), (b"IDC", "IDC"),
    ],
)  # fmt: skip
def test_names_of_values(value, name):
    assert class_name(value) == name


def test_whole_numbers_lose_their_point_alone():
    assert [whole_number(text) for text in ("12.0", "12.", "12.5", "a.0", "12")] == [
        "12",
        "12",
        "12.5",
        "a.0",
        "12",
    ]


def test_no_value_at_all():
    assert labels_of(pd.Series([], dtype=object)).tolist() == []
    assert labels_of(pd.Series([None, np.nan], dtype=object)).tolist() == [None, None]
