from __future__ import annotations

import sys

import pytest

from pytest_stbench.data.roots import data_roots, resolve, resolve_one
from pytest_stbench.errors import DataError, DataMissing


@pytest.fixture
def two_roots(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for name in (
        "first/a/2.h5ad",
        "second/a/1.h5ad",
        "second/b/x.csv",
        "second/b/[odd].csv",
        "first/a/.h.h5ad",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return [first, second]


def test_roots_order_is_option_environment_folder(tmp_path):
    cache = {"STBENCH_CACHE": str(tmp_path / "cache")}
    roots = data_roots(tmp_path / "task", "opt", {"STBENCH_DATA": "env", **cache})
    assert [str(root) for root in roots] == ["opt", "env", str(tmp_path / "task")]
    assert data_roots(tmp_path, None, cache) == (tmp_path,)


def test_what_was_fetched_comes_last_where_there_is_any(tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    assert data_roots(tmp_path / "task", None, {"STBENCH_CACHE": str(cache)}) == (tmp_path / "task", cache)


def test_the_first_root_with_a_match_wins_and_matches_are_sorted(two_roots):
    first, second = two_roots
    (first / "a/10.h5ad").touch()
    assert resolve("a/*.h5ad", two_roots) == [first / "a/10.h5ad", first / "a/2.h5ad"]
    assert resolve("b/x.csv", two_roots) == [second / "b/x.csv"]
    assert resolve("a/1.h5ad", two_roots) == [second / "a/1.h5ad"]
    assert resolve("**/x.csv", two_roots) == [second / "b/x.csv"]
    assert resolve("a/.*.h5ad", two_roots) == [first / "a/.h.h5ad"]


@pytest.mark.parametrize("pattern", ["/etc/passwd", "C:/x", "C:x", "\\\\host\\x"])
def test_absolute_paths_are_refused(pattern, two_roots):
    with pytest.raises(DataError, match="absolute paths are refused"):
        resolve(pattern, two_roots)


@pytest.mark.parametrize("pattern", ["../second/b/x.csv", "a/../../second/b/x.csv", "*/../../second/*", ".."])
def test_paths_that_climb_out_are_refused(pattern, two_roots):
    with pytest.raises(DataError, match="climbs out of the data folder"):
        resolve(pattern, two_roots)


def test_dots_that_stay_inside_are_allowed(two_roots):
    assert resolve("a/../b/x.csv", two_roots) == [two_roots[1] / "b/x.csv"]


@pytest.mark.parametrize("pattern", ["", "a\0b"])
def test_what_is_no_path_is_refused(pattern, two_roots):
    with pytest.raises(DataError, match="not a path"):
        resolve(pattern, two_roots)


@pytest.mark.parametrize("pattern", ["a/link.h5ad", "a/*.h5ad", "away/x.csv"])
def test_links_that_leave_the_root_are_refused(pattern, two_roots):
    first, second = two_roots
    (first / "a/link.h5ad").symlink_to(second / "a/1.h5ad")
    (first / "away").symlink_to(second / "b")
    with pytest.raises(DataError, match="is a link to"):
        resolve(pattern, two_roots)


def test_a_root_that_is_a_link_and_links_inside_are_fine(two_roots, tmp_path):
    (tmp_path / "link").symlink_to(two_roots[0])
    (two_roots[0] / "a/3.h5ad").symlink_to(two_roots[0] / "a/2.h5ad")
    assert len(resolve("a/*.h5ad", [tmp_path / "link"])) == 2


def test_nothing_found_names_roots_and_how_to_get_the_data(two_roots):
    with pytest.raises(DataMissing, match=r"first, .*second; fetch it from example\.org"):
        resolve("c/*.h5ad", two_roots, get="fetch it from example.org")
    with pytest.raises(DataMissing, match="--stbench-data"):
        resolve("c.h5ad", two_roots)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="Python 3.13 takes `**x` for `*x`")
def test_an_invalid_pattern_is_an_error(two_roots):
    with pytest.raises(DataError, match="not a valid pattern"):
        resolve("a/**x/y", two_roots)


def test_one_file_is_one_file(two_roots):
    with pytest.raises(DataError, match="one file is needed, found"):
        resolve_one("b/*.csv", two_roots)
    with pytest.raises(DataError, match="is a folder"):
        resolve_one("b", two_roots)
