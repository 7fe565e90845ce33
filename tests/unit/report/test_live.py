"""The line that tells what is at work: on a terminal that a person watches, and gone at the end."""

from __future__ import annotations

import io
import os
import re
import sys

import pytest

from pytest_stbench.report import live

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal")
WATCHED = {"TERM": "xterm-256color", "NO_COLOR": "", "CI": ""}


@pytest.fixture
def terminal(monkeypatch):
    """A terminal; its ``said`` is what was written so far."""
    import fcntl
    import pty
    import struct
    import termios

    for name, value in WATCHED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(live, "AFTER", 0.0)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    stream = os.fdopen(theirs, "w", encoding="utf-8")
    stream.said = lambda: read_all(ours)
    yield stream
    stream.close()
    os.close(ours)


def read_all(terminal):
    """What was written; the system hands it out in parts."""
    os.set_blocking(terminal, False)
    found = b""
    try:
        while part := os.read(terminal, 1 << 16):
            found += part
    except BlockingIOError:
        return found.decode()


def drawn(line):
    line._timer.join(10)


def test_a_line_is_drawn_within_the_terminal_and_goes(terminal):
    line = live.Line(terminal, "[bold]reading " + "x" * 90, before="<\r", after=lambda: ">")
    drawn(line)
    line.end()
    said = terminal.said()
    assert said.startswith("<\r")
    assert "[bold]reading xxx" in said, "what it tells is no markup"
    assert said.endswith("\x1b[1A\x1b[2K>")
    assert "\x1b[?25" not in said, "the cursor is never hidden"
    for frame in said.replace("\x1b[2K", "\r").split("\r"):
        assert len(live_text(frame)) < 60


def live_text(frame):
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", frame).strip("\n")


def test_work_that_is_interrupted_leaves_no_line(terminal):
    def work():
        with live.working("w", 3, terminal) as tell:
            drawn(tell.__self__)
            tell("second", 2, None)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    said = terminal.said()
    assert "━" in said, "its total is known"
    assert said.endswith("\x1b[1A\x1b[2K")


def test_short_work_says_nothing(terminal, monkeypatch):
    monkeypatch.setattr(live, "AFTER", 60.0)
    with live.working("w", None, terminal) as tell:
        tell("more", None, None)
    terminal.write("end")
    terminal.flush()
    assert terminal.said() == "end"


@pytest.mark.parametrize("change", [{"NO_COLOR": "1"}, {"CI": "true"}, {"TERM": "dumb"}])
def test_plain_where_it_is_asked_for(terminal, monkeypatch, change):
    assert live.is_live(terminal)
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    assert not live.is_live(terminal)


def test_files_pipes_and_closed_streams_are_no_terminal(tmp_path, monkeypatch):
    for name, value in WATCHED.items():
        monkeypatch.setenv(name, value)
    closed = io.StringIO()
    closed.close()
    with (tmp_path / "a").open("w") as file:
        for stream in (file, io.StringIO(), closed):
            assert not live.is_live(stream)
            with live.working("w", None, stream) as tell:
                tell("", 1, 2)
    assert (tmp_path / "a").read_text() == ""
