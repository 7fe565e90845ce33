"""Genes, niches and whatever else has single scores: what each gained or lost, from what both runs kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.results.kept_scores import MARKER, PATIENT, SLIDE
from pytest_stbench.results.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_stbench.report.comparing.compared import Compared, Comparison
    from pytest_stbench.results.earlier import Earlier

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
    from pytest_stbench.report.page.sources import open_kept

    if isinstance(side.results, Reference):
        notices.append(f"genes and niches are not compared: {side.path.name} keeps patients and slides alone")
        return None
    if side.results.kept is None:
        notices.append(f"genes and niches are not compared: {side.name} has no single scores beside it")
        return None
    found = open_kept(side.path, side.results.kept)
    notices += found.notices
    return found.scores


def _table(path: Path, scores: Sequence[Any], notices: list[str]) -> Any:
    """Return the mean of each name and patient of some scores; None, with a sentence, if unreadable."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = [("role", "=", "model"), ("level", "not in", [SLIDE, PATIENT, MARKER])]
    wanted += [(name, "in", sorted({getattr(score, name) for score in scores})) for name in PLACE]
    try:
        table = pq.read_table(path, columns=[*PLACE, *NAME, "patient", "value"], filters=wanted)
        text = {name: table[name].cast(pa.string()) for name in (*PLACE, *NAME, "patient")}
        table = pa.table({**text, "value": table["value"].cast(pa.float64())})
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        notices.append(
            f"genes and niches are not compared: {path.name} cannot be read ({str(error).splitlines()[0]})"
        )
        return None
    table = table.filter(pc.is_finite(table["value"]))
    return table.group_by([*PLACE, *NAME, "patient"]).aggregate([("value", "mean")])


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
