"""The leaderboard in every form: ranks are those of the report, nothing breaks a table."""

from __future__ import annotations

import csv
import io

import pytest

from pytest_stbench.errors import ResultsError
from pytest_stbench.report.leaderboard import FORMS, leaderboard
from pytest_stbench.report.page.boards import boards_of
from pytest_stbench.report.page.ranks import groups_of
from pytest_stbench.report.page.sources import read_by, read_sources
from pytest_stbench.results import Results, load_pooled


def sources(*paths):
    return read_by(load_pooled, paths)


@pytest.fixture
def several(made, saved):
    """One run of two models, and another one of a third."""
    return saved(made(("a", 0.5), ("b", 0.45)), "first"), saved(made(("c", 0.6)), "second")


def test_rows_are_the_ranks_of_the_report(several):
    (board,) = boards_of(read_sources(several))
    expected = [e for group in groups_of(board) if group[0].score.role != "control" for e in group]
    rows = list(csv.DictReader(io.StringIO(leaderboard(sources(*several), "csv"))))
    assert [row["model"] for row in rows] == [entry.score.model for entry in expected]
    ranked = [(row, entry) for row, entry in zip(rows, expected, strict=True) if entry.rank]
    assert len(ranked) >= 5
    for row, entry in ranked:
        rank = entry.rank
        found = tuple(int(row[name]) for name in ("rank", "rank_best", "rank_worst", "of"))
        assert found == (rank.place, rank.best, rank.worst, rank.of)
        assert float(row["value"]) == entry.score.value
        assert row["skill"] == ("" if entry.score.skill is None else repr(entry.score.skill))
    best = next(row for row in rows if row["rank"] == "1")
    assert (best["model"], best["run"]) == ("c", "second")
    assert "shuffled(a)" not in {row["model"] for row in rows}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_every_model(several, form):
    text = leaderboard(sources(*several), form)
    for name in ("a", "b", "c", "gene", "train"):
        assert name in text
    assert "cohort-imputation" in text.replace("\\", "")


def test_the_page_is_whole_and_offline(several, page):
    found = page(leaderboard(sources(*several), "html"))
    assert "cohort-imputation v2, d, lopo, 8 patients: spearman_gene, higher is better" in found.said
    assert all(link.startswith(("#", "data:")) for link in found.links)
    assert len(found.numbers) > 10
    assert found.loose == []


def test_names_break_no_table(made, saved):
    path = saved(made(("a|b <i>*x*</i>", 0.5)))
    markdown = leaderboard(sources(path), "markdown")
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert "a\\|b \\<i>\\*x\\*\\</i>" in markdown
    assert {line.replace("\\|", "").count("|") for line in rows} == {9}
    assert "<i>" not in leaderboard(sources(path), "html")
    (row,) = [
        r for r in csv.DictReader(io.StringIO(leaderboard(sources(path), "csv"))) if r["role"] == "model"
    ]
    assert row["model"] == "a|b <i>*x*</i>"


def test_runs_of_other_data_are_apart_and_it_says_why(made, saved):
    import dataclasses

    first = made(("a", 0.5))
    other = dataclasses.replace(
        made(("b", 0.6)), datasets=(dataclasses.replace(first.datasets[0], checksum="x"),)
    )
    text = leaderboard(sources(saved(first, "first"), saved(other, "second")), "text")
    assert text.count("cohort-imputation v2, d, lopo") == 2
    assert "The data set d of cohort-imputation is not the same in first and second (checksum x here" in text


def test_without_scores_there_is_nobody_to_rank(saved, made):
    path = saved(Results(checks=made().checks))
    with pytest.raises(ResultsError, match="run: no score over all folds stands there"):
        leaderboard(sources(path), "text")
