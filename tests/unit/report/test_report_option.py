"""``--stbench-report`` where the page cannot be written."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_stbench.collection import reports
from pytest_stbench.collection.reports import GATHERED, REPORT_ERROR, Gathered, tell_report, write_report


@pytest.fixture
def session(tmp_path):
    """A session that ran one item, without a results file."""
    options = {"stbench_report": "r.html", "stbench_save": None}
    stash = pytest.Stash()
    stash[GATHERED] = Gathered(_reported=[{"order": ["t"]}])
    config = SimpleNamespace(
        stash=stash,
        getoption=options.__getitem__,
        invocation_params=SimpleNamespace(dir=tmp_path, args=()),
    )
    return SimpleNamespace(config=config, exitstatus=pytest.ExitCode.OK)


def said(session):
    lines = []
    tell_report(SimpleNamespace(write_line=lambda line, **_: lines.append(line)), session.config)
    return lines[0]


def test_a_full_disk_fails_the_run_in_one_sentence_and_leaves_the_old_page(session, tmp_path, monkeypatch):
    (tmp_path / "r.html").write_text("old")

    def full(path, write):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pytest_stbench.data.atomic.write_atomically", full)
    write_report(session, 0.0)
    assert session.exitstatus == pytest.ExitCode.TESTS_FAILED
    assert said(session).startswith("report  NOT written: ")
    assert said(session).endswith("r.html: the report cannot be written: No space left on device")
    assert (tmp_path / "r.html").read_text() == "old"


def test_a_run_without_items_has_no_report(session, tmp_path):
    session.config.stash[GATHERED] = Gathered()
    write_report(session, 0.0)
    assert "nothing to report" in session.config.stash[REPORT_ERROR]
    assert not (tmp_path / "r.html").exists()


def test_the_page_is_written(session, tmp_path):
    write_report(session, 0.0)
    assert "r.html" in said(session)
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert reports.report_path(session.config) == (tmp_path / "r.html").resolve()
