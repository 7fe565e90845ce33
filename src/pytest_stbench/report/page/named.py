"""Single scores by name: tables of genes, niches, pairs and signatures that sort and search."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from pytest_stbench.report.page.boards import Board

BUDGET = 1_000_000
"""Most numbers of all tables of a page: about 8 MB."""
DIGITS = 5
PLACE = ["task", "dataset", "split"]
WHO = ["metric", "level", "name", "role", "model"]


@dataclass(frozen=True, slots=True)
class Named:
    """What one metric has a value for, on one board: names, a column a model, and why values are missing.

    ``values`` are means over patients (of the mean over the slides of each), in the units of the metric.
    """

    metric: str
    level: str
    columns: tuple[str, ...]
    names: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    missing: tuple[str, ...]
    left_out: int = 0

    @property
    def data(self) -> dict[str, Any]:
        """Return what the page holds, as JSON can."""
        return {
            "metric": self.metric, "level": self.level, "columns": self.columns, "names": self.names,
            "values": self.values, "missing": self.missing, "leftOut": self.left_out,
        }  # fmt: skip

    @property
    def size(self) -> int:
        """Number of numbers."""
        return len(self.columns) * len(self.names)


class Tables:
    """The tables of a page, within its budget: those of primary metrics first."""

    def __init__(self, scores: Mapping[int, pd.DataFrame], boards: Sequence[Board]) -> None:
        self._means = {number: _means(table) for number, table in scores.items()}
        self.of: dict[int, list[Named]] = {}
        left = BUDGET
        for primary in (True, False):
            for board in boards:
                for metric in board.metrics:
                    if (metric == board.primary) == primary:
                        share = left // max(1, len(boards)) if primary else left
                        found = [table for table in self._tables(board, metric) if table.size]
                        for table in found:
                            kept = _within(table, max(share, 0)) if primary else table
                            if kept.size and kept.size <= left:
                                self.of.setdefault(id(board), []).append(kept)
                                left -= kept.size

    def _tables(self, board: Board, metric: str) -> Iterable[Named]:
        """Return the tables of one metric, one for each level that it has names on."""
        simple = board.reference("simple")
        entries = [e for e in board.head() if e.score.role == "model"]
        entries += [simple] if simple is not None else []
        columns: dict[str, pd.DataFrame] = {}
        for entry in entries:
            means = self._means.get(entry.source.number)
            if means is not None:
                score = entry.score
                key = (board.name, board.dataset, board.split, metric, score.role, score.model)
                part = means.get(key)
                if part is not None:
                    label = entry.label + (" (S)" if score.role == "baseline" else "")
                    columns[label] = part
        levels = dict.fromkeys(level for part in columns.values() for level in part["level"])
        for level in levels:
            own = {label: part[part["level"] == level].set_index("name") for label, part in columns.items()}
            names = list(dict.fromkeys(name for part in own.values() for name in part.index))
            found = [part.reindex(names) for part in own.values()]
            missing = [_missing(parts) for parts in zip(*(part["missing"] for part in found), strict=True)]
            yield Named(
                metric,
                level,
                tuple(own),
                tuple(names),
                tuple(tuple(map(_number, part["value"])) for part in found),
                tuple(missing),
            )


def _means(table: pd.DataFrame) -> dict[tuple[str, ...], pd.DataFrame]:
    """Return mean over patients, and what is missing, by place, metric, role and model."""
    text = [*PLACE, *WHO, "patient"]
    by_patient = table.groupby(text, observed=True, sort=False)["value"].mean()
    values = by_patient.groupby(level=[*PLACE, *WHO], observed=True, sort=False).mean()
    found = values.rename("value").to_frame()
    found["missing"] = _reasons(table[table["value"].isna()]).reindex(found.index).fillna("")
    found = found.reset_index()
    key = [*PLACE, "metric", "role", "model"]
    for name in (*key, "level", "name"):
        found[name] = found[name].astype(object)
    return {tuple(map(str, place)): part for place, part in found.groupby(key, observed=True, sort=False)}


def _reasons(gone: pd.DataFrame) -> pd.Series[str]:
    """Return on how many slides a name has no value, by reason, in words."""
    import pandas as pd

    places = [*PLACE, *WHO]
    counts = gone.groupby([*places, "reason"], observed=True, sort=False).size().rename("n").reset_index()
    counts["said"] = counts["reason"].astype(str) + " on " + counts["n"].astype(str)
    several = counts.duplicated(places, keep=False)
    joined = counts[several].groupby(places, observed=True, sort=False)["said"].agg(", ".join)
    alone: pd.Series[str] = counts[~several].set_index(places)["said"]
    return alone if joined.empty else pd.concat([alone, joined])


def _missing(parts: Sequence[Any]) -> str:
    return "; ".join(dict.fromkeys(part for part in parts if isinstance(part, str) and part))


def _number(value: float) -> float | None:
    return None if not math.isfinite(value) else float(f"{value:.{DIGITS}g}")


def _within(table: Named, most: int) -> Named:
    """Return the best and the worst names of a table that is larger than `most` numbers."""
    rows = most // max(1, len(table.columns))
    if len(table.names) <= rows:
        return table
    values = np.array(table.values, dtype=np.float64)
    defined = np.isfinite(values)
    sums = np.where(defined, values, 0.0).sum(axis=0)
    mean = np.divide(sums, defined.sum(axis=0), out=np.full(len(sums), np.nan), where=defined.any(axis=0))
    order = np.argsort(mean, kind="stable")
    half = rows // 2
    chosen = sorted({*order[:half].tolist(), *order[len(order) - (rows - half) :].tolist()})
    return replace(
        table,
        names=tuple(table.names[i] for i in chosen),
        values=tuple(tuple(column[i] for i in chosen) for column in table.values),
        missing=tuple(table.missing[i] for i in chosen),
        left_out=len(table.names) - len(chosen),
    )
