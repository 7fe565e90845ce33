"""Labels of a data set under the names of an ontology."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.errors import DataError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

UNLABELLED = frozenset({"", "undetermined", "na", "nan", "none", "unknown", "unassigned", "unlabelled"})


def harmonise(
    labels: NDArray[np.object_],
    renamed: Mapping[str, str],
    ontology: Mapping[str, str] | None,
    *,
    where: str,
    key: str,
) -> NDArray[np.object_]:
    """Return the class of each label (n,), None where a unit has none.

    Parameters
    ----------
    labels
        Labels as the data has them; None, blank, ``undetermined``, ``unknown`` and the like are none.
    renamed
        The ``map`` of the task file: label of the data to class. It goes before the ontology.
    ontology
        Label to class, compared without case, spaces and punctuation; None leaves labels as they are.
    where, key
        Slide and key of the task file, for messages.

    Raises
    ------
    DataError
        For labels that neither names, with the nearest known one and what to write.
    """
    names = {label: str(label).strip() for label in set(labels.tolist()) if label is not None}
    by_map = {plain(label): target for label, target in renamed.items()}
    by_table = None if ontology is None else {plain(label): target for label, target in ontology.items()}
    known = set() if ontology is None else set(ontology.values()) | set(renamed.values())
    classes: dict[object, str | None] = {None: None}
    unknown: list[str] = []
    for label, name in names.items():
        simple = plain(name)
        if simple in by_map:
            classes[label] = by_map[simple]
        elif simple in UNLABELLED:
            classes[label] = None
        elif by_table is None:
            classes[label] = name
        elif simple in by_table or name in known:
            classes[label] = by_table.get(simple, name)
        else:
            unknown.append(name)
    if unknown:
        raise DataError(_unknown(sorted(unknown), known, where, key))
    return np.array([classes[label] for label in labels.tolist()], dtype=object)


def plain(label: str) -> str:
    """Return a label case-folded, letters and digits only."""
    return "".join(character for character in label.casefold() if character.isalnum())


def _unknown(names: list[str], known: Collection[str], where: str, key: str) -> str:
    first = names[0]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return (
        f"{where}: label {first!r}{more} is not in the ontology{nearest(first, known)}; name its class in "
        f"the task file: `{key}: {{map: {{{first}: CLASS}}}}` with CLASS one of {', '.join(sorted(known))}"
    )
