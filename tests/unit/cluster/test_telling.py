"""Lines of a command that predicts: short, one a cell, a percentage where nothing else comes."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from pytest_stbench.cluster import telling
from pytest_stbench.cluster.orders import Done, Job
from pytest_stbench.cluster.telling import Telling


def job(label):
    return Job(label=label)


@given(label=st.text(min_size=1, max_size=400), message=st.text(max_size=400), worker=st.text(max_size=40))
def test_no_line_of_a_log_is_longer_than_a_phone_shows(label, message, worker):
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CI", "true")
        patch.setattr(telling.click, "echo", lambda text, err: said.append(text))
        told = Telling(1000, "/store")
        told.done(job(label), Done(outcome="failed", message=message, worker=worker))
        told.done(job(label), Done(outcome="done", remarks=(message,), worker=worker))
        told.end()
    assert all(len(line) <= 160 for line in said)


def test_different_messages_are_shown_once_and_counted(capsys):
    told = Telling(30, "/store")
    for number in range(30):
        told.done(
            job(f"m t c{number}"),
            Done(outcome="failed", message=f"m t c{number % 15}: no\nmore {number % 15}"),
        )
    assert told.end() == 1
    out = capsys.readouterr().out
    assert out.count("more 9\n") == 1
    assert "\n5 more messages: " in out
    assert "0 of 30 jobs done, 30 failed; 0 predictions computed, 0 reused: /store" in out


def test_where_nothing_ends_for_a_minute_a_percentage_is_told(capsys, monkeypatch):
    told = Telling(8, "/store")
    told.done(job("m t c"), Done(outcome="done", computed=2))
    capsys.readouterr()
    told.waiting()
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(telling, "SILENT_SECONDS", -1.0)
    told.waiting()
    assert capsys.readouterr().out == "1 of 8 jobs (12%), the others go on\n"


def test_a_skip_is_no_failure_and_a_blocked_cell_is_one():
    for outcome, code in (("skipped", 0), ("blocked", 1), ("unfit", 1), ("done", 0)):
        told = Telling(1, "/store")
        told.done(job("m t c"), Done(outcome=outcome, message="why"))
        assert told.end() == code
