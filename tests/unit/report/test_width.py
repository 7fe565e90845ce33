"""Tables have the columns that fit a terminal, and name the others."""

from __future__ import annotations

import pytest

from pytest_stbench.report.tables import FIRST
from pytest_stbench.report.width import aligned, fitted, left_out_line, wrapped

HEADER = ["", "metric", "value", "[95% CI]", "T", "S", "libsize", "ceiling", "skill", "patients", "verdict"]
ROWS = [
    HEADER,
    ["*", "coexpression_ssim_normalised", "0.512", "[0.433, 0.577]", *["0.123"] * 5, "6", "underpowered"],
]


@pytest.mark.parametrize("width", [40, 58, 78, 118, 400])
def test_no_line_is_wider_and_every_column_is_told(width):
    lines, left_out = fitted(ROWS, FIRST, width)
    assert max(map(len, lines)) <= max(width, 40)
    shown = lines[0].replace("95% CI", "95%_CI").split()
    assert len(shown) + len(left_out) == len(HEADER) - (0 if "" in left_out else 1)
    assert lines[0].split()[0] == "metric"
    assert "0.512" in lines[1]


def test_all_columns_where_nobody_says_how_wide():
    assert fitted(ROWS, FIRST, None) == (aligned(ROWS), [])
    assert fitted(ROWS, FIRST, 400) == (aligned(ROWS), [])
    assert left_out_line([]) == []
    assert left_out_line(["T", "S"]) == ["left out for lack of width: T, S"]


def test_prose_is_broken_between_words(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    lines = wrapped("  WARN  check   " + "what it found " * 9)
    assert max(map(len, lines)) <= 60
    assert lines[1].startswith(" " * 10)
