"""Where a run may write over a line of the terminal: where pytest's own reporter alone writes to it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_stbench.collection import progress

QUIET = {
    "verbose": 0, "capture": "fd", "usepdb": False, "trace": False, "setupshow": False, "log_cli_level": None,
}  # fmt: skip


OWN = type("TerminalReporter", (), {"__module__": "_pytest.terminal"})


def config(reporter=OWN, log_cli=False, **more):
    options = {**QUIET, **more}
    return SimpleNamespace(
        pluginmanager=SimpleNamespace(getplugin=lambda name: reporter and reporter()),
        getoption=lambda name, default=None: options[name],
        getini=lambda name: log_cli,
    )


@pytest.fixture(autouse=True)
def watched(monkeypatch):
    for name, value in {"TERM": "xterm", "NO_COLOR": "", "CI": ""}.items():
        monkeypatch.setenv(name, value)


def test_a_line_where_pytest_is_alone(monkeypatch):
    assert progress._is_alone(config())
    assert progress._is_alone(config(verbose=2))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not progress._is_alone(config())


@pytest.mark.parametrize(
    "change",
    [
        {"capture": "no"}, {"verbose": -1}, {"usepdb": True}, {"trace": True}, {"log_cli": True},
        {"log_cli_level": "INFO"}, {"setupshow": True}, {"reporter": None},
        {"reporter": type("SugarTerminalReporter", (), {"__module__": "pytest_sugar"})},
    ],
    ids=str,
)  # fmt: skip
def test_none_where_others_write(change):
    assert not progress._is_alone(config(**change))


def test_none_in_a_worker():
    worker = config()
    worker.workerinput = {}
    assert not progress._is_alone(worker)


def test_the_cursor_comes_back_to_where_pytest_left_it():
    told = progress.Progress.__new__(progress.Progress)
    for column, expected in ((0, "\x1b[1A"), (17, "\x1b[1A\x1b[17C")):
        writer = SimpleNamespace(width_of_current_line=column)
        told._config = SimpleNamespace(get_terminal_writer=lambda writer=writer: writer)
        assert told._back() == expected


def test_parts_of_work_within_an_item_are_told_and_the_item_again(monkeypatch):
    said = []

    class Line:
        def __init__(self, stream, text, **_):
            said.append(text)

        def tell(self, text):
            said.append(text)

        def end(self):
            said.append("gone")

    monkeypatch.setattr(progress, "Line", Line)
    told = progress.Progress.__new__(progress.Progress)
    told._config, told._terminal, told._labels, told._line, told._live = None, object(), [], None, True
    with told.item("contract[P1]"), told("ridge P1") as began:
        began("fit")
    assert said == ["contract[P1]", "ridge P1", "ridge P1: fit", "contract[P1]", "gone"]
    told._live = False
    with told.item("other"):
        pass
    assert said[-1] == "gone"
