"""Moves of the numbers: listed once, in order, and named to those whose numbers moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec.numbers import MOVES, NUMBERS, Move, moves

ROOT = Path(__file__).parents[3]
THERE = "in the stored run"
KNOWN = (
    Move(version=2, what="intervals", why="other resamples"),
    Move(version=3, what="rmse of maps", why="edges were counted twice", families=frozenset({"expression"})),
    Move(version=4, what="ARI", why="ties", families=frozenset({"niches"})),
)


def named(current, stored, *families):
    return moves(current, stored, families, there=THERE, known=KNOWN)


def test_versions_count_on_from_2_and_the_last_is_that_of_the_build():
    assert [move.version for move in MOVES] == list(range(2, NUMBERS + 1))
    assert all(move.what and move.why and not move.why.endswith(".") for move in MOVES)


def test_families_of_moves_exist():
    assert {name for move in MOVES for name in move.families} <= set(builtin_registry().families.names)


def test_the_changelog_has_a_row_for_every_move():
    page = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    section = page.partition("## Numbers that moved")[2].partition("\n## ")[0]
    assert [line for line in section.splitlines() if line.startswith("|")]
    for move in MOVES:
        assert f"| {move.version} |" in section


def test_equal_versions_have_nothing_between_them():
    for version in (1, 2, 4):
        assert named(version, version, "expression") == []


def test_every_move_between_is_named_once_with_what_to_do():
    (line,) = named(4, 1, "expression", None)
    assert line.startswith("numbers of version 4 here, 1 in the stored run. What moved: intervals (other")
    assert "rmse of maps (edges were counted twice)" in line
    assert "ARI" not in line
    assert "Score the earlier model again" in line
    assert "CHANGELOG.md" in line


def test_only_moves_after_the_stored_version_are_named():
    (line,) = named(3, 2, "expression")
    assert "intervals" not in line
    assert "rmse of maps" in line


def test_a_move_of_another_family_keeps_no_runs_apart():
    assert named(4, 2, "coexpression", None) == []
    assert named(3, 2, "niches") == []


def test_a_family_that_wraps_another_moves_with_it():
    (line,) = named(4, 2, "robustness", "expression")
    assert "rmse of maps" in line


@pytest.mark.parametrize("families", [(), (None,), ("expression",)])
def test_numbers_of_a_later_build_are_never_compared(families):
    (line,) = named(4, 5, *families)
    assert line == (
        "numbers of version 4 here, 5 in the stored run: a later version of pytest-stbench wrote that, "
        "compare with it or a later one"
    )
