"""What class a label is: one name, whatever file and column it came from.

Samples tables are read with this, so the module loads no numpy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from pytest_stbench.spec.model import KeysSpec, LabelsSpec

MISSING = frozenset({"", "na", "n/a", "nan", "none", "null", "<na>", "#n/a", "#na", "nat"})
"""Words for "no value", in lower case: of R, pandas, spreadsheets."""

_WHOLE = re.compile(r"\+?(-?\d+)\.0*")


def class_name(value: Any) -> str | None:
    """Return the name of the class that a label means; None where it is missing.

    A whole number is written without a point, also where a hole in its column made it a float, or
    a table holds it as ``1.0``; truth values are ``True`` and ``False`` however they are written. Other
    text stays as it is, without blanks around it.
    """
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if hasattr(value, "is_integer") and not isinstance(value, bool) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    low = text.casefold()
    if low in MISSING:
        return None
    return low.capitalize() if low in ("true", "false") else whole_number(text)


def whole_number(text: str) -> str:
    """Return `text`, without the point where it is a whole number: ``1.0`` is ``1``, ``01.0`` is ``01``.

    The rule for names of cells, classes, slides and patients alike; what has no point stays as it is.
    """
    number = _WHOLE.fullmatch(text)
    return text if number is None else "0" if number[1] == "-0" else number[1]


def labels_of(values: Any) -> NDArray[np.object_]:
    """Return the labels of a column, (n,) objects: the name of a class, or None.

    `values` is an array or a pandas column of any type: numbers, nullable ones, truth values,
    categories (those without a row do not matter), text, bytes.
    """
    import numpy as np

    from pytest_stbench.kernels.levels import factorized

    codes, levels = factorized(values)
    names = np.array([*map(class_name, levels), None], dtype=object)
    found: NDArray[np.object_] = names[codes]
    return found


def text(values: Iterable[object]) -> list[str]:
    """Return values as text; bytes are decoded."""
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def label_columns(keys: KeysSpec | LabelsSpec) -> dict[str, str]:
    """Return the columns of labels that a data set names, by label (``niche``, ``cell_type``)."""
    named = {"niche": keys.niche, "cell_type": keys.cell_type}
    return {label: column for label, column in named.items() if column is not None}
