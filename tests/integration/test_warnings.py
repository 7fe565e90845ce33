"""Warnings of the package: said once, as wide as the terminal, and silenced or made errors by category."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from pytest_stbench.calls.guard import TimeoutUnsupportedWarning
from pytest_stbench.cli import COMMANDS, main
from pytest_stbench.collection.remarks import say_once
from pytest_stbench.errors import CheckWarning, StbenchWarning
from pytest_stbench.run.store import StoreWarning

FULL = "is 90% full: `stbench store list` says"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CHECKS = ("-k", "empty_units or too_few_patients", "-m", "stbench_check")


@pytest.fixture
def full(bench, monkeypatch):
    """A task that a check warns of, on a disk that is nearly full."""
    monkeypatch.setattr("pytest_stbench.store.store.disk_share", lambda folder: 0.9)
    bench.task(checks={"too_few_patients": {"approximate_max": 9, "reason": "test"}})
    return bench


def said(*texts, isatty=False, category=StoreWarning, filename="store.py"):
    """What a run with these warnings shows, one after the other."""
    reporter = SimpleNamespace(stats={"warnings": []}, isatty=isatty)
    config = SimpleNamespace(stash=pytest.Stash())
    for text in texts:
        reporter.stats["warnings"].append(SimpleNamespace(message=f"of pytest: {text}"))
        say_once(reporter, config, warnings.WarningMessage(category(text), category, filename, 3))
    return [report.message for report in reporter.stats["warnings"]]


def test_the_same_words_are_said_once():
    assert said("a", "b", "a", "a") == ["StoreWarning: a", "StoreWarning: b"]


def test_a_task_file_is_named_with_its_line():
    (found,) = said("a", category=StbenchWarning, filename="tasks/mini.stbench.yaml")
    assert found == "tasks/mini.stbench.yaml:3: StbenchWarning: a"


def test_what_a_check_warns_of_is_left_to_the_summary():
    assert said("a", "b", category=CheckWarning) == []


def test_a_terminal_is_given_lines_that_fit(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    text = "the disk is nearly full, " * 12
    (found,) = said(text, isatty=True)
    assert max(map(len, found.splitlines())) <= 58, "pytest indents by two"
    assert " ".join(found.split()) == f"StoreWarning: {text}".strip()
    assert said(text) == [f"StoreWarning: {text}"], "a file is read by programs"


def test_every_warning_has_the_category_that_the_docs_name():
    assert issubclass(StoreWarning, StbenchWarning)
    assert issubclass(CheckWarning, StbenchWarning)
    assert issubclass(TimeoutUnsupportedWarning, StbenchWarning)


def test_warnings_are_shown(full):
    run = full.run(*CHECKS)
    assert run.code == 0
    assert FULL in run.line("StoreWarning: the disk of")
    assert len([line for line in run.out.splitlines() if "intervals are approximate" in line]) == 1
    assert run.line("  WARN  too_few_patients[sim]  ")
    assert "1 warning" in run.out


def test_warnings_are_silenced_by_their_category(full):
    run = full.run(*CHECKS, "-W", "ignore::pytest_stbench.errors.StbenchWarning")
    assert run.code == 0
    assert run.warnings == []
    assert "StbenchWarning" not in run.out
    assert FULL not in run.out


def test_a_warning_of_the_store_made_an_error_is_a_message(full):
    run = full.run(*CHECKS, "-W", "error::pytest_stbench.errors.StbenchWarning")
    assert run.code == pytest.ExitCode.TESTS_FAILED
    assert "Traceback" not in run.out
    assert "contextlib.py" not in run.out
    messages = [run.message(name) for name in (*run.of("failed"), *run.of("error"))]
    assert sum(FULL in message for message in messages) == 1
    assert all(message.endswith("(warnings are errors in this run)") for message in messages)


def test_fixtures_of_task_files_are_listed(bench):
    bench.task("second")
    for options in ((), ("--stbench-model=ridge",), ("--stbench-model=ridge", "--stbench-model=mean")):
        run = bench.run("--fixtures", *options)
        assert run.code == 0, run.out
        assert re.search(r"^stbench_model -- .*\n    The model under test", run.out, re.MULTILINE), run.out
        assert not re.search(r"^(stbench_\w+|ridge) -- .*\n    no docstring", run.out, re.MULTILINE)


def coloured(*arguments, **environment):
    """Run a command on a terminal of its own; return its output."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("PY_COLORS", "FORCE_COLOR")}
    running = subprocess.Popen(
        [sys.executable, *arguments], stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL,
        env={**kept, "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(theirs)
    found = b""
    try:
        while part := os.read(ours, 65536):
            found += part
    except OSError:  # how a terminal ends on Linux
        pass
    running.wait(60)
    os.close(ours)
    return found.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal")
def test_no_colour_holds_in_the_summary(full):
    named = ("-p", "pytest_stbench.plugin", "-p", "no:cacheprovider")
    run = ("-m", "pytest", *named, "--rootdir", full.folder, full.folder, *CHECKS)
    store = f"--stbench-store={full.folder / 'store'}"
    for wanted, environment in ((True, {}), (False, {"NO_COLOR": "1"})):
        found = coloured(*run, store, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", **environment)
        (line,) = [line for line in found.splitlines() if "WARN  too_few_patients[sim]" in line]
        assert bool(COLOUR.search(line)) == wanted
        assert bool(COLOUR.search(found)) == wanted


@pytest.mark.parametrize("command", COMMANDS)
def test_no_colour_holds_in_every_command(command, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    for arguments in (("--help",), ("--no-such-option",)):
        found = CliRunner().invoke(main, [command, *arguments], color=True)
        assert "Usage: " in found.output
        assert not COLOUR.search(found.output)
