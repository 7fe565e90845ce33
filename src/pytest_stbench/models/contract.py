"""What a model returned, checked before anything is scored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from pytest_stbench.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Names = Sequence[str] | NDArray[np.str_]

ALLOWED = (np.float32, np.float64)
_CAST = {"float32": ".float()", "int32": ".int()"}


class ContractError(ModelError):
    """Output of a model that cannot be scored: wrong shape, order, type, or not finite."""

    def __init__(self, where: str, *, expected: str, found: str, fix: str) -> None:
        super().__init__(f"{where}: expected {expected}, found {found}; {fix}")


def accept_expression(
    raw: object,
    *,
    n: int,
    genes: Sequence[str],
    unit_names: Names,
    normalise_counts: Callable[[NDArray[np.float64]], NDArray[Any]],
    where: str = "predict_expression",
) -> NDArray[np.float32]:
    """Return a checked copy of a predicted expression matrix, (n, g) float32.

    Parameters
    ----------
    raw
        What the model returned: a numpy array, anything with ``__array__`` (a tensor on the CPU),
        a scipy sparse matrix, a data frame or AnnData, or ``(one of these, "counts")``.
    n, genes, unit_names
        The rows and columns that were asked for, in order. Labelled output must carry them.
    normalise_counts
        Turns predicted counts, (n, g) float64, into the scale of the task.
    where
        What is named in the message.

    Raises
    ------
    ContractError
        What was expected, what was found and what to do.
    """
    as_counts = isinstance(raw, tuple)
    if isinstance(raw, tuple):
        if len(raw) != 2 or not isinstance(raw[1], str) or raw[1] != "counts":
            refuse(where, 'one matrix, or (matrix, "counts")', _describe(raw), "return the matrix alone")
        raw = raw[0]
    asked = Asked(where=where, units=unit_names, columns=genes)
    values = asked.matrix(raw, n)
    if as_counts:
        asked.check_counts(values)
        values = np.asarray(normalise_counts(values.astype(np.float64)))
        asked.check_finite(values, "after normalisation of the counts")
    return asked.as_float32(values)


def accept_signatures(
    raw: object, *, names: Sequence[str], unit_names: Names, where: str = "predict_signature"
) -> NDArray[np.float32]:
    """Return a checked copy of predicted signature scores, (n, s) float32.

    Parameters
    ----------
    raw
        What the model returned, as in :func:`accept_expression`, without counts.
    names, unit_names
        The columns and rows that were asked for, in order. Labelled output must carry them.
    where
        What is named in the message.

    Raises
    ------
    ContractError
        What was expected, what was found and what to do.
    """
    asked = Asked(where=where, units=unit_names, columns=names, column_word="signature")
    return asked.as_float32(asked.matrix(raw, len(unit_names)))


def accept_embedding(
    raw: object, n: int, *, unit_names: Names | None = None, where: str = "embed"
) -> NDArray[np.float32]:
    """Return a checked copy of an embedding, (n, d) float32 with d >= 1.

    Labelled rows are compared with `unit_names` where these are given. Raises ``ContractError``.
    """
    _check_width(claimed_shape(raw, (n, 1)), n, where)
    values, rows, _ = to_array(raw, where)
    _check_width(values.shape, n, where)
    names: Names = unit_names if unit_names is not None else [str(row) for row in range(n)]
    if unit_names is not None:
        check_names(rows, unit_names, "row", where)
    dimensions = [str(column) for column in range(values.shape[1])]
    asked = Asked(where=where, units=names, columns=dimensions, column_word="dimension")
    asked.check_finite(values)
    return asked.as_float32(values)


def _check_width(found: tuple[int, ...], n: int, where: str) -> None:
    if len(found) == 2 and found[0] == n and found[1] > 0:
        return
    fix = "return one row per unit of slide.units, in its order"
    if len(found) == 2 and found[1] == n != found[0]:
        fix = "the matrix is transposed: return units as rows (.T)"
    refuse(where, f"shape ({n}, d) with d >= 1", f"shape {found}", fix)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """The rows and columns that were asked for, to say where a value stands."""

    where: str
    units: Names
    columns: Names
    column_word: str = "gene"

    def matrix(self, raw: object, n: int) -> NDArray[Any]:
        """Return what a model gave as an array of `n` rows, of the shape and names asked for, finite."""
        shape = (n, len(self.columns))
        self._check_shape(claimed_shape(raw, shape), shape)
        values, rows, columns = to_array(raw, self.where)
        self._check_shape(values.shape, shape)
        check_names(rows, self.units, "row", self.where)
        check_names(columns, self.columns, "column", self.where)
        self.check_finite(values)
        return values

    def _check_shape(self, found: tuple[int, ...], shape: tuple[int, int]) -> None:
        if found == shape:
            return
        word = self.column_word
        several = f"{word}es" if word.endswith("s") else f"{word}s"
        fix = f"return one row per unit of slide.units and one column per {word} asked for, in their order"
        if found == shape[::-1]:
            fix = f"the matrix is transposed: return units as rows and {several} as columns (.T)"
        elif found == (shape[0] * shape[1],):
            fix = f"return two dimensions: .reshape({shape[0]}, {shape[1]})"
        refuse(self.where, f"shape {shape} (units, {several})", f"shape {found}", fix)

    def check_finite(self, values: NDArray[Any], when: str = "") -> None:
        """Refuse nan and infinities."""
        finite = np.isfinite(values)
        if not finite.all():
            fix = "a model must predict every value: look for log of 0, division by 0 or overflow"
            self._refuse_values(values, ~finite, "finite values only", f"that are not {when}".rstrip(), fix)

    def check_counts(self, values: NDArray[Any]) -> None:
        """Refuse negative counts."""
        negative = values < 0
        if negative.any():
            fix = 'clip them at 0, or return the log-normalised scale without "counts"'
            self._refuse_values(values, negative, "counts", "below 0", fix)

    def as_float32(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return a copy as float32: a model may reuse its own buffer for the next slide."""
        with np.errstate(over="ignore", under="ignore"):
            result = np.array(values, dtype=np.float32, order="C", copy=True)
        beyond = np.isinf(result)
        if beyond.any():
            expected = f"values within the range of float32 (up to {np.finfo(np.float32).max:.3g})"
            self._refuse_values(
                values, beyond, expected, "beyond it", "predict on the log-normalised scale of the task"
            )
        return result

    def _refuse_values(
        self, values: NDArray[Any], bad: NDArray[np.bool_], expected: str, problem: str, fix: str
    ) -> None:
        row, column = divmod(int(np.argmax(bad)), bad.shape[1])
        found = (
            f"{int(np.count_nonzero(bad))} of {bad.size} values {problem}, the first ({values[row, column]}) "
            f"at unit {str(self.units[row])!r}, {self.column_word} {str(self.columns[column])!r}"
        )
        refuse(self.where, expected, found, fix)


def refuse(where: str, expected: str, found: str, fix: str) -> NoReturn:
    """Raise ``ContractError``."""
    raise ContractError(where, expected=expected, found=found, fix=fix)


def _describe(raw: object) -> str:
    if isinstance(raw, tuple):
        parts = (repr(part) if isinstance(part, str) else _describe(part) for part in raw)
        return f"a tuple of {len(raw)} ({', '.join(parts)})"
    return "None" if raw is None else _kind(raw)


def _kind(raw: object) -> str:
    return f"{type(raw).__module__}.{type(raw).__qualname__}".removeprefix("builtins.")


def to_array(raw: Any, where: str) -> tuple[NDArray[Any], list[str] | None, list[str] | None]:
    """Return the values, and the names of rows and columns where `raw` carries them."""
    import pandas as pd
    from anndata import AnnData
    from scipy.sparse import issparse

    rows = columns = None
    if isinstance(raw, AnnData):
        rows, columns, raw = [str(x) for x in raw.obs_names], [str(x) for x in raw.var_names], raw.X
    if isinstance(raw, pd.DataFrame):
        rows, columns = [str(x) for x in raw.index], [str(x) for x in raw.columns]
        for name, dtype in raw.dtypes.items():
            _check_dtype(dtype, where, f"column {name!r} of ")
        raw = raw.to_numpy()
    if issparse(raw):
        raw = raw.toarray()
    array = "a numpy array (or data frame, AnnData, tensor on the CPU)"
    values = plain_array(raw, where, array=array, dtype="float32")
    _check_dtype(values.dtype, where)
    return values, rows, columns


def plain_array(raw: Any, where: str, *, array: str, dtype: str) -> NDArray[Any]:
    """Return what a model gave as a numpy array of any type, or refuse it.

    `array` says what is expected, `dtype` the type to convert to.
    """
    if np.ma.isMaskedArray(raw) and np.ma.getmaskarray(raw).any():
        masked = int(np.ma.getmaskarray(raw).sum())
        refuse(
            where,
            "a value everywhere",
            f"{masked} masked values",
            "fill them by .filled(value)",
        )
    if raw is None:
        refuse(where, array, "None", "return the prediction")
    if not hasattr(raw, "__array__"):
        refuse(where, array, _describe(raw), f"convert it, for example by np.asarray(x, dtype=np.{dtype})")
    try:
        values = np.asarray(raw)
    except Exception as error:  # noqa: BLE001  # every tensor library raises its own kinds
        found = f"{_describe(raw)} that does not become one ({type(error).__name__}: {error})"
        refuse(where, array, found, f"return for example tensor.detach().cpu(){_CAST[dtype]}.numpy()")
    return values


def _check_dtype(dtype: Any, where: str, what: str = "") -> None:
    native = dtype.newbyteorder("=") if isinstance(dtype, np.dtype) else None
    if native is not None and native in ALLOWED:
        return
    fix = "cast it by .astype(np.float32)"
    if native == np.float16:
        fix = "compute in float32, or cast by .astype(np.float32) (half precision keeps three digits)"
    refuse(where, "float32 (float64 is cast)", f"{what}dtype {dtype}", fix)


def claimed_shape(raw: object, asked: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that `raw` says it has where it is larger than what was `asked`, else the latter.

    A sparse matrix or a lazy array of the wrong shape may not fit into memory: nothing is made of it.
    """
    shape = getattr(raw, "shape", None)
    if not isinstance(shape, tuple) or not all(isinstance(length, int | np.integer) for length in shape):
        return asked
    claimed = tuple(int(length) for length in shape)
    return claimed if math.prod(claimed) > math.prod(asked) else asked


def check_names(found: list[str] | None, asked: Names, what: str, where: str) -> None:
    """Refuse names that are not those that were asked for, in their order; no names are fine."""
    wanted = [str(name) for name in asked]
    if found is None or found == wanted:
        return
    position = next(i for i, (a, b) in enumerate(zip(found, wanted, strict=True)) if a != b)
    source = "slide.units.obs_names" if what == "row" else "the genes asked for"
    if sorted(found) == sorted(wanted):
        note, fix = " (the same names in another order)", f"reorder the {what}s to {source}"
    else:
        note, fix = "", f"name the {what}s by {source}, or return a plain array"
    refuse(where, f"{what} {position} to be {wanted[position]!r}", f"{found[position]!r}{note}", fix)
