"""Hits and misses of niche signatures: the lists of a run, and the index that stands in its results file."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pytest_stbench.report.page import report_page as module
from pytest_stbench.report.page.boards import boards_of
from pytest_stbench.report.page.markers import signatures_of
from pytest_stbench.report.page.report_page import report_page
from pytest_stbench.report.page.sources import Details, source_of

LISTS = {
    "core": (["A", "B", "C"], ["C", "X", "A"]),
    "rim <b>": (["A", "D"], []),
}
SLIDES = ("S0", "S1", "S2")


@pytest.fixture
def results(made, scored):
    of = {"task": "t", "dataset": "d", "family": "niche_signatures", "split": "lopo"}
    values = dict(zip(SLIDES, (0.1, 0.25, 0.9), strict=True))
    given = made(name="t")
    scores = [
        replace(scored("a", 0.5, metric=metric, **of), per_slide=values)
        for metric in ("niche_jaccard_normalised", "niche_jaccard")
    ]
    tasks = [replace(task, family="niche_signatures", primary=scores[0].metric) for task in given.tasks]
    return replace(given, scores=tuple(scores), tasks=tuple(tasks), verdicts=())


def table(seeds=(np.nan,)):
    rows = [
        (slide, "P", seed, niche, metric, gene, place)
        for seed in seeds
        for slide in SLIDES
        for niche, lists in LISTS.items()
        for metric, genes in zip(("true_markers", "predicted_markers"), lists, strict=True)
        for place, gene in enumerate(genes, 1)
    ]
    found = pd.DataFrame(rows, columns=["slide", "fold", "seed", "niche", "metric", "name", "value"])
    return found.assign(
        model="a", role="model", task="t", dataset="d", variant="", split="lopo", level="marker", patient="P",
        reason="",
    )  # fmt: skip


def test_found_missed_and_wrongly_named_of_the_median_slide(results):
    (board,) = boards_of([source_of(results)])
    (one,) = signatures_of(board, {0: table()})
    assert (one.model, one.slide, one.further) == ("a", "S1", 2)
    core, rim = one.niches
    assert (core.found, core.missed, core.wrong) == (("A", "C"), ("B",), ("X",))
    assert (core.jaccard, rim.jaccard) == (0.5, 0.0)
    # The mean over niches that the page shows is the value of the slide in the results file.
    assert one.mean.value == np.mean([niche.jaccard for niche in one.niches]) == 0.25
    assert one.mean.at == "0:scores.1.per_slide.S1"
    assert [found.slide for found in signatures_of(board, {0: table()}, every=True)] == list(SLIDES)


def test_of_several_seeds_the_first_without_the_mean_of_all(results):
    (board,) = boards_of([source_of(results)])
    (one,) = signatures_of(board, {0: table(seeds=(0, 1))})
    assert one.mean is None
    assert one.niches[0].found == ("A", "C")


def test_the_page_lists_genes_in_words(results, page, tmp_path, monkeypatch):
    table().to_parquet(tmp_path / "scores.parquet")
    monkeypatch.setattr(module, "details_of", lambda source: Details(scores=tmp_path / "scores.parquet"))
    text = report_page([source_of(results)])
    said = page(text).said
    assert "on average" in said
    assert re.search(r"core Jaccard 0.500 ✓ found \(2\) A, C – missed \(1\) B × wrongly named \(1\) X", said)
    assert "rim <b>" in said
    assert "<b></b>" not in text


def test_a_table_of_a_version_without_markers_shows_none(results, tmp_path, monkeypatch):
    table().drop(columns="niche").to_parquet(tmp_path / "scores.parquet")
    monkeypatch.setattr(module, "details_of", lambda source: Details(scores=tmp_path / "scores.parquet"))
    assert "Niche signatures:" not in report_page([source_of(results)])
