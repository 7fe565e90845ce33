"""Genes, niches and whatever else has single scores: what each gained or lost, from what both runs kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.results.reference import Reference
from pytest_stbench.results.single_scores import MARKER, PATIENT, SLIDE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pytest_stbench.report.comparing.compared import Compared, Comparison
    from pytest_stbench.results.earlier import Earlier
    from pytest_stbench.results.record import ScoreRecord

PLACE = ("task", "dataset", "variant", "split", "model", "metric")
NAME = ("level", "name")
Changes = dict[str, list[tuple[str, float]]]
"""Of each level (gene, niche ...) its names with what they gained, the largest loss first."""


def named_changes(comparison: Comparison, shown: Sequence[Compared]) -> tuple[list[Changes], list[str]]:
    """Return what every name of the scores `shown` gained or lost, and why there is nothing of some.

    A difference is that of a patient (of the mean over its slides), then the mean over patients with a value
    in both runs, in the units of the metric, positive = better now.
    """
    nothing: list[Changes] = [{} for _ in shown]
    if not shown:
        return nothing, []
    notices: list[str] = []
    tables = []
    sides = (
        (comparison.earlier, [one.before for one in shown]),
        (comparison.later, [one.after for one in shown]),
    )
    for side, scores in sides:
        path = _kept(side, notices)
        table = _table(path, scores, notices) if path is not None else None
        if table is None:
            return nothing, notices
        tables.append(table)
    return [_of(one, *tables) for one in shown], notices


def _kept(side: Earlier, notices: list[str]) -> Path | None:
    """Return the table of single scores of a run; None, with a sentence, where there is none."""
    from pytest_stbench.report.page.sources import open_details

    if isinstance(side.results, Reference):
        notices.append(f"genes and niches are not compared: {side.path.name} keeps patients and slides alone")
        return None
    if side.results.kept is None:
        notices.append(f"genes and niches are not compared: {side.name} has no single scores beside it")
        return None
    found = open_details(side.path, side.results.kept)
    notices += found.notices
    return found.scores


def _table(path: Path, scores: Sequence[ScoreRecord], notices: list[str]) -> Any:
    """Return the mean of each name and patient of some scores; None, with a sentence, if unreadable."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = [*PLACE, *NAME, "role", "patient", "value"]
            groups = (file.read_row_group(n, columns) for n in range(file.num_row_groups))
            table = pa.concat_tables([_rows_of(group, scores) for group in groups])
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        notices.append(
            f"genes and niches are not compared: {path.name} cannot be read ({str(error).splitlines()[0]})"
        )
        return None
    table = table.filter(pc.is_finite(table["value"]))
    return table.group_by([*PLACE, *NAME, "patient"]).aggregate([("value", "mean")])


def _rows_of(group: Any, scores: Sequence[ScoreRecord]) -> Any:
    """Return the rows of names of some scores, as text: of all of a file they would fill the memory."""
    import numpy as np
    import pyarrow as pa

    group = group.unify_dictionaries().combine_chunks()
    place = np.zeros(len(group), dtype=np.int64)
    wanted = np.zeros(len(scores), dtype=np.int64)
    for name in PLACE:
        asked = [getattr(score, name) for score in scores]
        known = {value: code for code, value in enumerate(dict.fromkeys(asked), start=1)}
        place = place * (len(known) + 1) + _codes(group[name], known)
        wanted = wanted * (len(known) + 1) + np.array([known[value] for value in asked], dtype=np.int64)
    whole = _codes(group["level"], dict.fromkeys((SLIDE, PATIENT, MARKER), 1)) > 0
    kept = np.isin(place, wanted) & ~whole & (_codes(group["role"], {"model": 1}) > 0)
    group = group.take(np.flatnonzero(kept))
    text = {name: group[name].cast(pa.string()) for name in (*PLACE, *NAME, "patient")}
    return pa.table({**text, "value": group["value"].cast(pa.float64())})


def _codes(column: Any, known: Mapping[str, int]) -> NDArray[np.int64]:
    """Return the number of each value of a dictionary column; 0 of what is not known."""
    import numpy as np

    values = column.chunk(0) if column.num_chunks else None
    if values is None:
        return np.zeros(0, dtype=np.int64)
    codes = np.array([known.get(value, 0) for value in values.dictionary.to_pylist()], dtype=np.int64)
    found: NDArray[np.int64] = codes[values.indices.to_numpy()]
    return found


def _of(one: Compared, earlier: Any, later: Any) -> Changes:
    import numpy as np
    import pyarrow.compute as pc

    def own(table: Any, score: Any) -> Any:
        for name in PLACE:
            table = table.filter(pc.equal(table[name], getattr(score, name)))
        return table.select([*NAME, "patient", "value_mean"])

    both = own(later, one.after).join(
        own(earlier, one.before), [*NAME, "patient"], join_type="inner", right_suffix="_before"
    )
    sign = 1.0 if one.better == "up" else -1.0
    gained = pc.multiply(pc.subtract(both["value_mean"], both["value_mean_before"]), sign)
    means = both.append_column("gained", gained).group_by(list(NAME)).aggregate([("gained", "mean")])
    means = means.sort_by([("level", "ascending"), ("name", "ascending")])
    levels, names = (np.array(means[name].to_pylist(), dtype=object) for name in NAME)
    values = means["gained_mean"].to_numpy()
    found: Changes = {}
    for level in dict.fromkeys(levels.tolist()):
        at = np.flatnonzero(levels == level)
        at = at[np.argsort(values[at], kind="stable")]
        found[level] = [(names[place], float(values[place])) for place in at]
    return found
