"""Pictures of results as matplotlib axes; nothing is shown or saved here."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.errors import ResultsError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes

    from pytest_stbench.results.record import ScoreRecord
    from pytest_stbench.results.schema import Results

COLOURS = {"model": "#0072B2", "baseline": "#999999", "control": "#CC79A7", "ceiling": "#009E73"}
"""Told apart by colour-blind readers as well (Okabe and Ito)."""
STATUSES = {"pass": "#009E73", "warn": "#E69F00", "fail": "#D55E00", "skip": "#999999"}


def scores(results: Results, metric: str | None, ax: Axes | None) -> Axes:
    """Plot pooled scores with their intervals."""
    metric, found = _of_metric(results, metric)
    ax = _axes(ax)
    places = np.arange(len(found))[::-1]
    for place, score in zip(places, found, strict=True):
        if score.value is None:
            continue
        low, high = (score.value if end is None else end for end in (score.ci_low, score.ci_high))
        ax.plot([low, high], [place, place], color=COLOURS[score.role], linewidth=1)
        ax.plot([score.value], [place], "o", color=COLOURS[score.role], gid=f"{_name(score, found)}")
    ceilings = {score.ceiling for score in found if score.ceiling is not None}
    if len(ceilings) == 1:
        ax.axvline(ceilings.pop(), color=COLOURS["ceiling"], linestyle="--", linewidth=1, label="ceiling")
        ax.legend(frameon=False)
    ax.set_yticks(places, [_name(score, found) for score in found])
    ax.set_xlabel(f"{metric}, mean over patients and 95% interval")
    return ax


def patients(results: Results, metric: str | None, ax: Axes | None) -> Axes:
    """Plot the value of each patient."""
    metric, found = _of_metric(results, metric)
    ax = _axes(ax)
    names = list(dict.fromkeys(name for score in found for name in score.per_patient))
    marks = {"trivial": ("_", "T"), "simple": ("x", "S")}
    yardsticks = _yardsticks(found)
    for score in found:
        mark, letter = (
            ("o", "") if score.role == "model" else marks.get(yardsticks.get(score.model, ""), ("", ""))
        )
        if score.role == "control" or not mark:
            continue
        values = [score.per_patient.get(name) for name in names]
        drawn = [np.nan if value is None else value for value in values]
        colour = None if score.role == "model" else COLOURS["baseline"]
        label = f"{letter} {_name(score, found)}".strip()
        ax.plot(np.arange(len(names)), drawn, mark, markersize=8, color=colour, label=label)
    ax.set_xticks(np.arange(len(names)), names, rotation=90 if len(names) > 8 else 0)
    ax.set_ylabel(metric)
    ax.legend(frameon=False)
    return ax


def singles(results: Results, table: pd.DataFrame, metric: str | None, ax: Axes | None) -> Axes:
    """Plot how single scores spread, a box for every contestant."""
    metric, _ = _of_metric(results, metric)
    rows = table[(table["metric"] == metric) & ~table["level"].isin(["slide", "patient"])]
    rows = rows[rows["value"].notna()]
    if not len(rows):
        raise ResultsError(f"{metric} has no single scores with a value: its values are of slides as a whole")
    order = list(COLOURS)
    groups = [
        ((str(key[0]), str(key[1])), own)
        for key, own in rows.groupby(["role", "model"], observed=True)["value"]
    ]
    groups.sort(key=lambda group: (order.index(group[0][0]), group[0][1]))
    ax = _axes(ax)
    places = np.arange(len(groups))[::-1]
    values = [values.to_numpy() for _, values in groups]
    drawn = ax.boxplot(
        values, positions=places, widths=0.6, patch_artist=True, flierprops={"markersize": 2}, **_lying()
    )
    for box, ((role, _), _) in zip(drawn["boxes"], groups, strict=True):
        box.set_facecolor(COLOURS[role])
    ax.set_yticks(places, [model for (_, model), _ in groups])
    ax.set_xlabel(f"{metric} of each {rows['level'].iloc[0]}")
    return ax


def checks(results: Results, ax: Axes | None) -> Axes:
    """Plot counts of checks by status."""
    if not results.checks:
        raise ResultsError("there are no checks in these results")
    ax = _axes(ax)
    found: Counter[tuple[str, str]] = Counter(
        (check.dataset or check.task, check.status) for check in results.checks
    )
    names = list(dict.fromkeys(name for name, _ in found))
    left = np.zeros(len(names))
    for status, colour in STATUSES.items():
        counts = np.array([found[name, status] for name in names], dtype=np.float64)
        ax.barh(names, counts, left=left, color=colour, label=status)
        left += counts
    ax.set_xlabel("checks")
    ax.legend(frameon=False)
    return ax


def gene_map(slide: AnnData, gene: str, model: str, ax: Axes | None) -> Axes:
    """Plot one gene of one layer at the places of its units, in um."""
    about = slide.uns["stbench"]
    keys = dict(zip(about["models"], about["layers"], strict=True))
    for what, name, known in (("gene", gene, list(slide.var_names)), ("model", model, list(keys))):
        if name not in known:
            message = f"the map of {about['slide']} has no {what} {name!r}; it has {', '.join(known[:20])}"
            raise ResultsError(message)
    values = np.asarray(slide[:, gene].layers[keys[model]]).ravel()
    x, y = np.asarray(slide.obsm["spatial"]).T
    ax = _axes(ax)
    drawn = ax.scatter(x, y, c=values, s=_size(len(x)), cmap="viridis", linewidths=0)
    ax.figure.colorbar(drawn, ax=ax, label=gene)
    ax.set_aspect("equal")
    ax.invert_yaxis()  # images and slides have their origin above
    ax.set_title(f"{gene}, {model}, {about['slide']}")
    ax.set_xlabel("um")
    return ax


def _of_metric(results: Results, metric: str | None) -> tuple[str, list[ScoreRecord]]:
    """Return the metric and its pooled scores in the main setting of the first place that has some."""
    pooled = [score for score in results.scores if score.fold is None and not score.variant]
    known = list(dict.fromkeys(score.metric for score in pooled))
    if not known:
        raise ResultsError("there are no pooled scores in these results: no metric was scored over all folds")
    primary = next((task.primary for task in results.tasks if task.primary in known), known[0])
    chosen = metric or primary
    if chosen not in known:
        raise ResultsError(f"{chosen}: there is no pooled score of this metric; there is {', '.join(known)}")
    first = next(score for score in pooled if score.metric == chosen)
    place = (first.task, first.dataset, first.split)
    found = [
        score
        for score in pooled
        if score.metric == chosen and (score.task, score.dataset, score.split) == place
    ]
    found.sort(key=lambda score: list(COLOURS).index(score.role))
    return chosen, found


def _yardsticks(found: list[ScoreRecord]) -> dict[str, str]:
    """Return which baselines are the trivial and the simple one of the family."""
    from pytest_stbench.run.installed import builtin_registry

    family = builtin_registry().families[found[0].family]
    there = {score.model for score in found if score.role == "baseline"}
    simple = next((name for name in family.simple if name in there), "")
    return {simple: "simple", family.trivial: "trivial"}


def _name(score: ScoreRecord, found: list[ScoreRecord]) -> str:
    """Return the name of a contestant; a baseline in the place of a model stands twice."""
    twice = sum(other.model == score.model for other in found) > 1
    return f"{score.model} ({score.role})" if twice else score.model


def _axes(ax: Axes | None) -> Any:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def _size(units: int) -> float:
    return float(np.clip(20_000 / max(units, 1), 0.5, 40))


def _lying() -> dict[str, Any]:
    """Return what lays boxes on their side: matplotlib 3.10 gave it another name."""
    import matplotlib as mpl

    newer = tuple(map(int, mpl.__version__.split(".")[:2])) >= (3, 10)
    return {"orientation": "horizontal"} if newer else {"vert": False}
