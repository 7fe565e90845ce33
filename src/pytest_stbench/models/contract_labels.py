"""Labels, proportions and masks a model returned, checked before anything is scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.models.contract import Asked, check_names, claimed_shape, plain_array, refuse
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.models.contract import Names

SUM_TOLERANCE = 1e-3


def accept_labels(
    raw: object, *, classes: Sequence[str], unit_names: Names, where: str = "predict_labels"
) -> NDArray[np.float32]:
    """Return checked class probabilities, (n, k) float32 whose rows sum to 1.

    Parameters
    ----------
    raw
        (n, k) probabilities (array, data frame, AnnData, sparse), or n labels among `classes`
        (list, array, series); labels become rows of one 1.
    classes, unit_names
        The columns and rows that were asked for, in order.
    where
        What is named in the message.

    Raises
    ------
    ContractError
        What was expected, what was found and what to do.
    """
    _refuse_other_rows(raw, unit_names, where)
    labels = _as_labels(raw, unit_names, where)
    if getattr(raw, "ndim", 0) == 1 and getattr(getattr(raw, "dtype", None), "kind", "") in "iu":
        fix = "name them: [classes[place] for place in answer]"
        refuse(where, "probabilities (units, classes), or names of classes", "numbers of classes", fix)
    if labels is None:
        fix = "return probabilities, for example a softmax over the classes, or one label per unit"
        return _accept_simplex(raw, classes, unit_names, where, column_word="class", fix=fix)
    _refuse_length(len(labels), len(unit_names), where)
    place = {name: column for column, name in enumerate(classes)}
    unknown = [label for label in labels if label not in place]
    if unknown:
        refuse(
            where,
            f"labels among {', '.join(map(repr, classes))}",
            f"{unknown[0]!r} ({len(unknown)} of {len(labels)} are unknown)",
            f"use the names of the classes that were asked for{nearest(unknown[0], place)}",
        )
    result = np.zeros((len(labels), len(classes)), dtype=np.float32)
    result[np.arange(len(labels)), [place[label] for label in labels]] = 1.0
    return result


def accept_clusters(raw: object, n: int, *, unit_names: Names, where: str = "cluster") -> NDArray[np.int32]:
    """Return the cluster of each unit as a number from 0, (units, 1) int32.

    Parameters
    ----------
    raw
        One label a unit (text or whole numbers, in a list, array or series), or memberships (units, `n`)
        whose rows sum to 1, of which the largest counts, the first of equal ones.
    n
        How many clusters were asked for; fewer are fine.
    unit_names
        The rows that were asked for, in order.
    where
        What is named in the message.

    Raises
    ------
    ContractError
        What was expected, what was found and what to do.
    """
    _refuse_other_rows(raw, unit_names, where)
    labels = _numbers(raw)
    found: Sequence[str] | NDArray[Any] | None = (
        _as_labels(raw, unit_names, where) if labels is None else labels
    )
    if found is None:
        fix = "return one label a unit, or memberships: divide each row by its sum"
        columns = [f"cluster {number}" for number in range(1, n + 1)]
        shares = _accept_simplex(raw, columns, unit_names, where, column_word="cluster", fix=fix)
        return shares.argmax(axis=1).astype(np.int32)[:, None]
    _refuse_length(len(found), len(unit_names), where)
    names, codes = np.unique(found, return_inverse=True)
    if len(names) > n:
        refuse(where, f"{n} clusters at most", f"{len(names)}", "merge clusters, or lower the resolution")
    return codes.astype(np.int32).reshape(-1, 1)


def accept_proportions(
    raw: object, *, types: Sequence[str], unit_names: Names, where: str = "predict_proportions"
) -> NDArray[np.float32]:
    """Return checked proportions, (n, k) float32, not negative, rows sum to 1.

    Parameters and errors as in :func:`accept_labels`, without labels.
    """
    fix = "divide each row by its sum; a spot without any cell still needs a best guess"
    return _accept_simplex(raw, types, unit_names, where, column_word="type", fix=fix)


def _accept_simplex(
    raw: object, columns: Sequence[str], unit_names: Names, where: str, *, column_word: str, fix: str
) -> NDArray[np.float32]:
    asked = Asked(where=where, units=unit_names, columns=columns, column_word=column_word)
    values = asked.matrix(raw, len(unit_names))
    if (values < -SUM_TOLERANCE).any():
        lowest = float(values.min())
        refuse(where, "values of at least 0", f"{lowest:.4g}", fix)
    values = np.clip(values.astype(np.float64), 0.0, None)
    sums = values.sum(axis=1)
    off = np.abs(sums - 1.0) > SUM_TOLERANCE
    if off.any():
        unit = int(np.argmax(off))
        refuse(
            where,
            f"rows that sum to 1 (within {SUM_TOLERANCE:g})",
            f"{sums[unit]:.4g} at unit {str(unit_names[unit])!r} ({int(off.sum())} of {len(off)} rows)",
            fix,
        )
    return asked.as_float32(values / sums[:, None])


def _refuse_length(found: int, asked: int, where: str) -> None:
    if found != asked:
        fix = "return one label for each row of slide.units, in its order"
        refuse(where, f"{asked} labels, one per unit", f"{found}", fix)


def _refuse_other_rows(raw: Any, unit_names: Names, where: str) -> None:
    """Refuse a series whose index has the units, or their numbers, in another order."""
    index = getattr(raw, "index", None) if hasattr(raw, "to_numpy") else None
    if index is None or getattr(raw, "ndim", 0) != 1:
        return
    names, numbers = [str(name) for name in index], [str(number) for number in range(len(unit_names))]
    orders = (list(map(str, unit_names)), numbers)
    for asked in () if names in orders else orders:
        if sorted(names) == sorted(asked):
            check_names(names, asked, "row", where)


def _numbers(raw: Any) -> NDArray[Any] | None:
    """Return one whole number per unit, None where `raw` holds something else."""
    if isinstance(raw, list | tuple):
        whole = all(isinstance(value, int | np.integer) for value in raw)
        return np.array(raw, dtype=object) if raw and whole else None  # of whatever width
    if getattr(raw, "ndim", 0) != 1 or not hasattr(raw, "__array__"):
        return None
    values = np.asarray(raw)
    return values if values.dtype.kind in "iub" else None


def _as_labels(raw: Any, unit_names: Names, where: str) -> list[str] | None:
    """Return one label per unit where `raw` holds labels, None where it is a matrix."""
    if raw is None or isinstance(raw, str | bytes) or not hasattr(raw, "__len__"):
        return None
    if hasattr(raw, "to_numpy") and getattr(raw, "ndim", 0) == 1:
        raw = raw.to_numpy()
    if isinstance(raw, list | tuple):
        return [str(label) for label in raw] if all(isinstance(label, str) for label in raw) else None
    kind = getattr(getattr(raw, "dtype", None), "kind", "")
    if getattr(raw, "ndim", 0) == 1 and kind in "UOST":
        _refuse_missing(raw, unit_names, where)
        return [str(label) for label in raw]
    return None


def _refuse_missing(raw: Any, unit_names: Names, where: str) -> None:
    """Refuse None and nan, which as text would be one more label."""
    import pandas as pd

    missing = pd.isna(np.asarray(raw, dtype=object))
    if missing.any() and len(missing) == len(unit_names):
        first = str(unit_names[int(np.argmax(missing))])
        found = f"none at unit {first!r} ({int(missing.sum())} of {len(missing)} are missing)"
        refuse(where, "a label for every unit", found, "give these units a label as well: a best guess")


_LARGEST = int(np.iinfo(np.int32).max)


def accept_mask(raw: object, shape: tuple[int, int], where: str = "segment") -> NDArray[np.int32]:
    """Return a checked copy of an instance mask, (H, W) int32: 0 background, 1..N instances.

    Parameters
    ----------
    raw
        What the model returned: an array of whole numbers of any width, or anything with
        ``__array__`` (a tensor on the CPU). Numbers need not be consecutive; all pixels of one
        number are one instance.
    shape
        Rows and columns that were asked for.
    where
        What is named in the message.

    Raises
    ------
    ContractError
        What was expected, what was found and what to do.
    """
    claimed = claimed_shape(raw, shape)
    if claimed != shape:
        refuse(where, f"shape {shape} (rows, columns)", f"shape {claimed}", _to_shape(claimed, shape))
    values = plain_array(raw, where, array="a numpy array of int32 (or tensor on the CPU)", dtype="int32")
    if values.dtype.kind not in "iu":
        refuse(where, "whole numbers, one for each instance", f"dtype {values.dtype}", _to_instances(values))
    if values.shape != shape:
        found, fix = f"shape {values.shape}", _to_shape(values.shape, shape)
        refuse(where, f"shape {shape} (rows, columns)", found, fix)
    if values.size:
        low, high = int(values.min()), int(values.max())
        if low < 0:
            number = int((values < 0).sum())
            fix = "0 is background, instances are 1 to N; write 0 where there is none"
            refuse(
                where, "labels of at least 0", f"{low} ({number} of {values.size} pixels are below 0)", fix
            )
        if high > _LARGEST:
            fix = "number the instances anew, for example by skimage.segmentation.relabel_sequential"
            refuse(where, f"labels up to {_LARGEST}", f"{high}", fix)
    return np.array(values, dtype=np.int32, order="C", copy=True)


def _to_instances(values: NDArray[Any]) -> str:
    if values.dtype == bool:
        return "tell instances apart, for example by skimage.measure.label(mask)"
    if values.dtype.kind == "f":
        return "cast labels by .astype(np.int32); make labels of probabilities first (threshold, label)"
    return "return an integer array: 0 background, 1..N instances"


def _to_shape(found: tuple[int, ...], shape: tuple[int, int]) -> str:
    if found == shape[::-1]:
        return "the mask is transposed: rows are y, columns are x (.T)"
    if tuple(length for length in found if length != 1) == tuple(x for x in shape if x != 1):
        return "drop the axes of length 1 (.squeeze())"
    return "return one label for each pixel of region.image, at its resolution"
