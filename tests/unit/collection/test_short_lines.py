"""Titles of failures that fit a line, and long messages broken where CI keeps the log."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_stbench.collection.item_outcomes import GateNotMet
from pytest_stbench.collection.properties import add_properties
from pytest_stbench.collection.short_lines import break_lines, shorten_title

GENES = ", ".join(f"GENE{number}" for number in range(200))


def failed(message, nodeid="tasks/a.stbench.yaml::rmse[d-lopo]"):
    """Return a report as pytest makes it of a gate that was not met."""
    with pytest.raises(GateNotMet) as caught:
        raise GateNotMet(message)
    return SimpleNamespace(nodeid=nodeid, longrepr=caught.getrepr(style="value"), stbench={})


def reporter(*reports, isatty=False):
    return SimpleNamespace(isatty=isatty, stats={"failed": list(reports), "": [SimpleNamespace()]})


def test_a_title_is_the_first_line_and_fits_beside_the_name():
    report = failed(f"worse on {GENES}\nmore below")
    whole = str(report.longrepr)
    shorten_title(report)
    title = report.longrepr.reprcrash.message
    assert title.startswith("GateNotMet: worse on GENE0, GENE1")
    assert title.endswith(" ...")
    assert len(f"NOT EVALUABLE {report.nodeid} - {title}") <= 160
    assert str(report.longrepr) == whole


def test_a_short_title_stays_and_a_long_name_leaves_room_for_one():
    report = failed("worse by 0.1")
    shorten_title(report)
    assert report.longrepr.reprcrash.message == "GateNotMet: worse by 0.1"
    report = failed(GENES, nodeid="x" * 300)
    shorten_title(report)
    assert len(report.longrepr.reprcrash.message) == 40
    for longrepr in (None, "skipped by something", ("file", 1, "reason")):
        shorten_title(SimpleNamespace(nodeid="a", longrepr=longrepr))


def test_messages_are_broken_between_words_in_a_log_of_ci(monkeypatch):
    report, text = failed(f"worse on {GENES}\nWARN  {GENES}"), SimpleNamespace(longrepr=GENES, stbench={})
    words = str(report.longrepr).split()
    monkeypatch.delenv("CI", raising=False)
    break_lines(reporter(report, text))
    monkeypatch.setenv("CI", "true")
    break_lines(reporter(report, isatty=True))
    break_lines(None)
    assert len(str(report.longrepr).splitlines()) == 2
    break_lines(reporter(report, text))
    for shown in (str(report.longrepr), text.longrepr):
        assert 160 >= max(map(len, shown.splitlines())) > 140
    assert str(report.longrepr).split() == words


def test_reports_of_others_stay_as_they_are(monkeypatch):
    monkeypatch.setenv("CI", "true")
    report = failed(GENES)
    del report.stbench
    break_lines(reporter(report))
    assert len(str(report.longrepr).splitlines()) == 1


def test_properties_are_short():
    item = SimpleNamespace(user_properties=[])
    values = {
        "value": 0.5100141120665921,
        "n_units": 1234567,
        "model": "m" * 300,
        "seed": None,
        "skill": float("nan"),
    }
    add_properties(item, values)
    assert item.user_properties[:2] == [("stbench.value", 0.510014), ("stbench.n_units", 1234567)]
    (name, text) = item.user_properties[2]
    assert (name, len(text), text[-4:]) == ("stbench.model", 100, " ...")
    assert len(item.user_properties) == 3
