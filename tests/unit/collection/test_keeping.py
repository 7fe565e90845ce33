"""Where the processes of a run put down what is kept: beside the results file, and gone with the run."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_stbench.collection import keep_option
from pytest_stbench.collection.keep_option import FOLDER, KEEP_ERROR, PARTS, begin, files, level_of, parts_of
from pytest_stbench.store.lock import locked


def config_of(path="v1.json", *, keep=None, collectonly=False, plugins=(), **attributes):
    options = {"stbench_save": path, "stbench_keep": keep, "collectonly": collectonly}
    cleanups = []
    return SimpleNamespace(
        getoption=options.__getitem__,
        pluginmanager=SimpleNamespace(has_plugin=lambda name: name in plugins),
        stash={},
        cleanups=cleanups,
        add_cleanup=cleanups.append,
        **attributes,
    )


@pytest.fixture
def begun(tmp_path):
    config = config_of()
    begin(config, tmp_path / "v1.json")
    yield config
    for cleanup in config.cleanups:
        cleanup()


def test_parts_lie_beside_the_results_file_and_go_with_the_run(tmp_path, begun):
    folder = parts_of(begun)
    assert folder.parent == tmp_path
    assert folder.name.startswith(".v1.parts-")
    assert folder.is_dir()
    for cleanup in begun.cleanups:
        cleanup()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["v1", "run[1]"])
def test_what_a_killed_run_left_is_removed_and_what_another_holds_stays(tmp_path, name):
    left, held, other = (
        tmp_path / f".{found}" for found in (f"{name}.parts-left", f"{name}.parts-held", "v2.parts-left")
    )
    for folder in (left, held, other):
        (folder / "scores").mkdir(parents=True)
        (folder / "scores" / "a.arrow").write_bytes(b"half")
    config = config_of()
    with locked(held / "lock"):
        begin(config, tmp_path / f"{name}.json")
    assert not left.exists()
    assert held.is_dir()
    assert other.is_dir()
    for cleanup in config.cleanups:
        cleanup()


@pytest.mark.parametrize(
    ("config", "level"),
    [
        (config_of(), "scores"),
        (config_of(keep="all"), "all"),
        (config_of(path=None), None),
        (config_of(keep="maps", plugins=("pytest_stbench.collection.afresh",)), None),
    ],
)
def test_what_is_kept(config, level):
    assert level_of(config) == level


@pytest.mark.parametrize(
    "config", [config_of(path=None), config_of(collectonly=True), config_of(workerinput={PARTS: "/there"})]
)
def test_who_keeps_nothing_makes_no_folder(tmp_path, config):
    begin(config, tmp_path / "v1.json")
    assert FOLDER not in config.stash
    assert list(tmp_path.iterdir()) == []


def test_a_worker_puts_down_where_the_run_says():
    assert str(parts_of(config_of(workerinput={PARTS: "/there"}))) == "/there"


def test_files_are_made_of_the_parts(tmp_path, begun):
    staged = files(begun, tmp_path / "v1.json", set(), None)
    assert staged.record.level == "scores"
    assert KEEP_ERROR not in begun.stash


def test_what_a_worker_could_not_put_down_is_told_and_nothing_is_made(tmp_path, begun):
    assert files(begun, tmp_path / "v1.json", {"no space in b", "no space in a"}, None) is None
    assert begun.stash[KEEP_ERROR] == "no space in a"


def test_a_disk_that_takes_no_files_is_told(tmp_path, begun, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pytest_stbench.results.details.stage", full)
    assert files(begun, tmp_path / "v1.json", set(), None) is None
    assert begun.stash[KEEP_ERROR].startswith(f"single scores and maps are not kept, {tmp_path} cannot be")


def test_a_folder_that_cannot_be_made_stops_nothing_yet(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    config = config_of()
    begin(config, tmp_path / "file" / "v1.json")
    assert config.stash[keep_option.FOLDER].parent == tmp_path / "file"
    for cleanup in config.cleanups:
        cleanup()
