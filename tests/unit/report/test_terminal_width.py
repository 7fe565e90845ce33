"""Long lines of the summary are broken to the width of a terminal, or of a log of CI."""

from __future__ import annotations

import pytest

from pytest_stbench.collection import terminal


class Reporter:
    """Takes lines as the one of pytest does."""

    def __init__(self):
        self.lines = []

    def write_line(self, line, **markup):
        self.lines.append((line, markup))


@pytest.fixture
def shown():
    """Return what a terminal of 60 columns is given."""

    def lines(text, **markup):
        reporter = Reporter()
        terminal._Wrapped(reporter, 60).write_line(text, **markup)
        return reporter.lines

    return lines


def test_prose_is_broken_between_words(shown):
    text = "  WARN  " + " ".join(f"word{number}" for number in range(30))
    found = shown(text, yellow=True)
    assert len(found) > 1
    assert all(len(line) <= 60 and markup == {"yellow": True} for line, markup in found)
    assert " ".join(line.strip() for line, _ in found) == text.strip()
    assert found[1][0].startswith(" " * 10 + "word")


@pytest.mark.parametrize("text", ["short", "  rmse   " + "0.1   " * 8, "x" * 70])
def test_lines_that_fit_and_long_words_stay(shown, text):
    assert [line for line, _ in shown(text)] == [text]
