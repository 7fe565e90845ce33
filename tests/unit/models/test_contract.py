from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.errors import ModelError
from pytest_stbench.models.contract import (
    ContractError,
    accept_embedding,
    accept_expression,
    accept_signatures,
)
from pytest_stbench.models.contract_labels import accept_mask, accept_proportions

GENES = ("EPCAM", "KRT7")
UNITS = ("u1", "u2", "u3")
VALUES = np.array([[0.0, 1.5], [2.0, 0.25], [3.0, -1.0]], np.float32)


def log_scale(counts):
    assert counts.dtype == np.float64
    return np.log1p(counts)


def accept(raw, **changes):
    asked = {"n": 3, "genes": GENES, "unit_names": np.array(UNITS), "normalise_counts": log_scale, **changes}
    return accept_expression(raw, **asked)


class Tensor:
    """What a tensor looks like to numpy."""

    def __init__(self, values, error=None):
        self.values, self.error = values, error

    def __array__(self, dtype=None, copy=None):
        if self.error:
            raise self.error
        return np.asarray(self.values, dtype=dtype)


def frame(values=VALUES, rows=UNITS, columns=GENES):
    return pd.DataFrame(np.array(values), index=list(rows), columns=list(columns))


def annotated(values=VALUES, rows=UNITS, columns=GENES):
    with quiet_anndata():  # made while tests are collected
        return AnnData(values, obs=pd.DataFrame(index=list(rows)), var=pd.DataFrame(index=list(columns)))


ACCEPTED = {
    "float32": lambda: VALUES,
    "float64": lambda: VALUES.astype(np.float64),
    "big endian": lambda: VALUES.astype(">f4"),
    "Fortran order": lambda: np.asfortranarray(VALUES),
    "frame": frame,
    "AnnData": annotated,
    "sparse AnnData": lambda: annotated(sparse.csr_matrix(VALUES)),
    "sparse matrix": lambda: sparse.csr_matrix(VALUES),
    "sparse array": lambda: sparse.csc_array(VALUES),
    "tensor": lambda: Tensor(VALUES),
    "masked, nothing masked": lambda: np.ma.MaskedArray(VALUES),
}


@pytest.mark.parametrize("make", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted_kinds_become_float32_arrays(make):
    result = accept(make())
    assert type(result) is np.ndarray
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, VALUES)


def test_the_result_is_a_copy():
    buffer = VALUES.copy()
    result = accept(buffer)
    buffer[:] = 7
    np.testing.assert_array_equal(result, VALUES)


FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
SHAPES = st.tuples(st.integers(0, 5), st.integers(1, 4))


@settings(deadline=None, max_examples=50)
@given(hnp.arrays(np.float64, SHAPES, elements=FINITE))
def test_finite_values_come_through_unchanged(values):
    n, g = values.shape
    names = [f"g{i}" for i in range(g)]
    result = accept(values, n=n, genes=names, unit_names=[f"u{i}" for i in range(n)])
    np.testing.assert_array_equal(result, values)


@pytest.mark.parametrize("raw", [np.abs(VALUES), frame(np.abs(VALUES)), sparse.csr_matrix(np.abs(VALUES))])
def test_counts_are_normalised_by_the_suite(raw):
    np.testing.assert_allclose(accept((raw, "counts")), np.log1p(np.abs(VALUES)), rtol=1e-6)


REFUSED = {
    "None": (None, "found None; return the prediction"),
    "list": (VALUES.tolist(), "found list; convert it"),
    "string": ("x", "found str"),
    "tuple": ((VALUES, VALUES), r'one matrix, or \(matrix, "counts"\), found a tuple of 2 \(numpy'),
    "other word": ((VALUES, "count"), r"a tuple of 2 \(numpy.ndarray, 'count'\)"),
    "triple": ((VALUES, "counts", 1), "a tuple of 3"),
    "float16": (
        VALUES.astype(np.float16),
        r"float32 \(float64 is cast\), found dtype float16; compute in float32",
    ),
    "int": (VALUES.astype(int), r"found dtype int64; cast it by \.astype"),
    "bool": (VALUES > 0, "found dtype bool"),
    "object": (VALUES.astype(object), "found dtype object"),
    "long double": (VALUES.astype(np.longdouble), "found dtype (float128|float96)"),
    "complex": (VALUES.astype(complex), "found dtype complex128"),
    "text": (VALUES.astype(str), "found dtype <U"),
    "sparse int": (sparse.csr_matrix(VALUES.astype(int)), "found dtype int64"),
    "frame of int": (frame(VALUES.astype(int)), "found column 'EPCAM' of dtype int64"),
    "mixed frame": (frame().astype({"KRT7": "int64"}), "found column 'KRT7' of dtype int64"),
    "nullable frame": (frame().astype("Float32"), "found column 'EPCAM' of dtype Float32"),
    "AnnData without X": (annotated(None), "found None"),
    "transposed": (
        VALUES.T,
        r"shape \(3, 2\) \(units, genes\), found shape \(2, 3\); the matrix is transposed",
    ),
    "transposed frame": (frame().T, "the matrix is transposed"),
    "too few rows": (VALUES[:2], r"shape \(3, 2\) .* found shape \(2, 2\); return one row per unit"),
    "flat": (VALUES.ravel(), r"found shape \(6,\); return two dimensions: \.reshape\(3, 2\)"),
    "three dimensions": (VALUES[None], r"found shape \(1, 3, 2\)"),
    "scalar": (np.float32(1), r"found shape \(\)"),
    "rows in another order": (
        frame(rows=("u1", "u3", "u2")),
        r"row 1 .* found 'u3' \(the same names in another order\); reorder the rows to slide\.units",
    ),
    "other rows": (
        frame(rows=range(3)),
        r"row 0 to be 'u1', found '0'; name the rows by slide\.units\.obs_names, or return a plain array",
    ),
    "columns in another order": (
        annotated(columns=("KRT7", "EPCAM")),
        "column 0 to be 'EPCAM', found 'KRT7' .*reorder the columns to the genes asked for",
    ),
    "other columns": (
        annotated(columns=("EPCAM", "KRT8")),
        "column 1 to be 'KRT7', found 'KRT8'; name the columns",
    ),
    "masked": (np.ma.MaskedArray(VALUES, mask=VALUES < 0), "found 1 masked values; fill"),
    "tensor on a device": (
        Tensor(None, TypeError("can't convert cuda:0")),
        r"Tensor that does not become one \(TypeError: can't convert cuda:0\); return .* tensor\.detach",
    ),
    "negative counts": (
        (VALUES, "counts"),
        r"expected counts, found 1 of 6 values below 0, the first \(-1\.0\) at unit 'u3', gene 'KRT7'; clip",
    ),
}


@pytest.mark.parametrize(("raw", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals_say_what_was_expected_and_found(raw, message):
    if isinstance(raw, np.ndarray) and raw.dtype == np.longdouble and raw.dtype == np.float64:
        pytest.skip("long double is float64 on this system")
    with pytest.raises(ContractError, match=message) as caught:
        accept(raw)
    assert str(caught.value).startswith("predict_expression: expected ")
    assert isinstance(caught.value, ModelError)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted_and_placed(bad):
    values = VALUES.copy()
    values[1, 1] = values[2, 0] = bad
    with pytest.raises(
        ContractError,
        match=rf"found 2 of 6 values that are not, the first \({bad}\) at unit 'u2', gene 'KRT7'",
    ):
        accept(values)


def test_values_beyond_float32_are_refused():
    values = VALUES.astype(np.float64)
    values[0, 1] = 1e39
    with pytest.raises(
        ContractError,
        match=r"\(up to 3\.4e\+38\), found 1 of 6 .*1e\+39\) at unit 'u1', gene 'KRT7'",
    ):
        accept(values)


def test_the_largest_float32_is_within_range():
    values = np.full((3, 2), np.finfo(np.float32).max, np.float64)
    np.testing.assert_array_equal(accept(values), values)


def test_counts_that_do_not_normalise_are_the_models_fault():
    with pytest.raises(ContractError, match="not after normalisation of the counts, the first"):
        accept((np.abs(VALUES), "counts"), normalise_counts=lambda counts: counts + np.nan)


def test_the_caller_names_the_place():
    with pytest.raises(ContractError, match=r"^impute on slide A1: expected"):
        accept(None, where="impute on slide A1")


def test_one_unit_and_one_gene_cannot_look_transposed():
    assert accept(np.ones((1, 1)), n=1, genes=["A"], unit_names=["u"]).shape == (1, 1)


def test_embeddings_are_accepted_with_any_width():
    for raw in (VALUES, frame(columns=("a", "b")), sparse.csr_matrix(VALUES), Tensor(VALUES)):
        result = accept_embedding(raw, 3, unit_names=UNITS)
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, VALUES)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            VALUES.T,
            r"embed: expected shape \(3, d\) with d >= 1, found shape \(2, 3\); the matrix is transposed",
        ),
        (VALUES[:2], r"found shape \(2, 2\); return one row per unit"),
        (VALUES[:, :0], r"found shape \(3, 0\)"),
        (VALUES[:, 0], r"found shape \(3,\)"),
        (VALUES.astype(np.float16), "dtype float16"),
        (frame(rows=("u2", "u1", "u3")), "row 0 to be 'u1', found 'u2'"),
        (
            np.where(VALUES < 0, np.nan, VALUES),
            r"1 of 6 values that are not, the first \(nan\) at unit 'u3', dimension '1'",
        ),
        ((VALUES, "counts"), "found a tuple of 2"),
    ],
)
def test_embeddings_that_are_refused(raw, message):
    with pytest.raises(ContractError, match=message):
        accept_embedding(raw, 3, unit_names=UNITS)


def test_an_embedding_without_unit_names_is_placed_by_number():
    with pytest.raises(ContractError, match="unit '2', dimension '0'"):
        accept_embedding(np.array([[1.0], [2.0], [np.nan]]), 3)


class Claims:
    """Says it is far too large, and must not be asked for its values."""

    def __init__(self, *shape):
        self.shape = shape

    def __array__(self, *arguments, **named):
        raise AssertionError


@pytest.mark.parametrize(
    "raw", [Claims(10**6, 10**6), sparse.csr_matrix((10**6, 10**6), dtype=np.float32)], ids=["lazy", "sparse"]
)
def test_a_shape_is_looked_at_before_the_values(raw):
    for accept in (
        lambda: accept_expression(raw, n=3, genes=["a", "b"], unit_names="xyz", normalise_counts=None),
        lambda: accept_signatures(raw, names=["a", "b"], unit_names="xyz"),
        lambda: accept_embedding(raw, 3),
        lambda: accept_proportions(raw, types=["a", "b"], unit_names="xyz"),
    ):
        with pytest.raises(ContractError, match=r"found shape \("):
            accept()


def test_a_mask_is_not_made_of_what_is_too_large():
    with pytest.raises(ContractError, match=r"found shape \(1000000, 1000000\)"):
        accept_mask(Claims(10**6, 10**6), (3, 2))
