"""What a store costs, and making room beside sessions that run."""

from __future__ import annotations

import os
import time
import warnings

import numpy as np
import pytest
from click.testing import CliRunner

from pytest_stbench.cli import main
from pytest_stbench.cli.store import byte_number
from pytest_stbench.data.wording import byte_size
from pytest_stbench.store import housekeeping, lock, store
from pytest_stbench.store.housekeeping import DAY, costs, prune
from pytest_stbench.store.keys import cell_key
from pytest_stbench.store.store import Store, StoreWarning

PARTS = {"task": {}, "dataset": "d", "train": [], "test": [], "model": "m", "genes": []}
KEYS = [cell_key({**PARTS, "seed": number}) for number in range(4)]


@pytest.fixture
def kept(tmp_path):
    """Return a store of four predictions, of 3, 2, 1 and 0 days ago, of two models, and a small fact."""
    held = Store(tmp_path / "kept")
    for number, key in enumerate(KEYS):
        meta = {"model": "slow" if number < 3 else "quick", "task": "t", "seconds": 10.0}
        with held.claim(key, "m"):
            held.save(key, {"s": np.ones((1000, 10), np.float32)}, meta)
        aged(held._prediction(key), 3 - number)
    held.remember("statistics", "a", 1)
    return held


def aged(path, days):
    past = time.time() - days * DAY - 60
    os.utime(path, (past, past))


def there(held):
    return [held._prediction(key).exists() for key in KEYS]


def command(*arguments):
    done = CliRunner().invoke(main, ["store", *map(str, arguments)])
    return done.exit_code, done.output


def test_what_each_model_costs(kept):
    found = costs(kept.root)
    slow = found["slow", "t"]
    assert (slow.files, slow.seconds) == (3, 30.0)
    assert slow.size == sum(kept._prediction(key).stat().st_size for key in KEYS[:3])
    assert found["quick", "t"].files == found["statistics", ""].files == 1
    code, text = command("list", "--stbench-store", kept.root)
    assert code == 0
    assert text.splitlines()[1].split()[:7] == ["slow", "t", "3", *byte_size(slow.size).split(), "30", "s"]
    total = byte_size(sum(cost.size for cost in found.values()))
    assert f"{kept.root}: {total}; its disk is" in text.splitlines()[-1]


def test_a_damaged_file_is_listed_and_may_go(kept):
    kept._prediction(KEYS[0]).write_bytes(b"x")
    aged(kept._prediction(KEYS[0]), 30)
    assert costs(kept.root)[housekeeping.UNNAMED, ""].size == 1
    assert prune(kept.root, keep_days=20).removed == 1


def test_what_was_not_used_for_long_goes(kept):
    done = prune(kept.root, keep_days=1.5)
    assert (done.removed, there(kept)) == (2, [False, False, True, True])
    assert kept.load(KEYS[0]) is None
    assert kept.recall("statistics", "a", int) == 1


def test_use_is_noted(kept):
    kept.load(KEYS[0])
    prune(kept.root, keep_days=1.5)
    assert there(kept) == [True, False, True, True]


def test_the_longest_unused_goes_first(kept):
    size = kept._prediction(KEYS[0]).stat().st_size
    code, text = command("prune", "--stbench-store", kept.root, "--max-size", f"{2.5 * size / 1000:.3f} kB")
    assert code == 0, text
    assert there(kept) == [False, False, True, True]
    assert text.startswith("removed 2 files (")
    assert prune(kept.root, max_size=0).left == 0
    assert there(kept) == [False] * 4


def test_what_a_running_session_holds_stays(kept):
    with lock.locked(kept._lock(KEYS[1])):
        code, text = command("prune", "--stbench-store", kept.root, "--keep-days", "0")
    assert code == 0
    assert there(kept) == [False, True, False, False]
    assert "1 files stay: a running session holds them" in text
    assert kept._lock(KEYS[0]).exists()  # who waits for it must not be split from who comes


def test_marks_of_models_that_run_stay(kept):
    with kept.claim(cell_key({**PARTS, "seed": 9}), "m") as claim:
        prune(kept.root, keep_days=0, max_size=0)
        assert claim.marker.path.exists()


def test_without_locks_nothing_goes(kept, monkeypatch):
    def none(*_, **__):
        raise lock.LocksUnsupportedError(38, "none")

    monkeypatch.setattr(housekeeping, "locked", none)
    code, text = command("prune", "--stbench-store", kept.root, "--keep-days", "0")
    assert (code, there(kept)) == (2, [True] * 4)
    assert "has no locks" in text


@pytest.mark.parametrize("arguments", [["list"], ["prune", "--keep-days", "0"]])
def test_another_folder_is_never_touched(tmp_path, arguments):
    (tmp_path / "predictions" / "ab").mkdir(parents=True)
    (tmp_path / "predictions" / "ab" / "mine.npz").write_bytes(b"x")
    (tmp_path / ".gitignore").write_text("*.npz\n")
    code, text = command(*arguments, "--stbench-store", tmp_path)
    assert code == 2
    assert "no store of stbench; name its folder (--stbench-store)" in text
    assert (tmp_path / "predictions" / "ab" / "mine.npz").exists()


def test_something_must_be_said(kept):
    code, text = command("prune", "--stbench-store", kept.root)
    assert (code, there(kept)) == (2, [True] * 4)
    assert "--keep-days N, --max-size SIZE, or both" in text


@pytest.mark.parametrize(
    ("text", "size"), [("500MB", 5e8), ("2.5 gb", 2.5e9), ("7", 7), ("1T", 1e12), ("3kB", 3000)]
)
def test_sizes(text, size):
    assert byte_number(text) == size


@pytest.mark.parametrize("text", ["", "many", "-1", "1 PB", "1e3"])
def test_what_is_no_size(kept, text):
    code, output = command("prune", "--stbench-store", kept.root, "--max-size", text)
    assert code == 2
    assert "is no size; write for example 500MB" in output


@pytest.mark.parametrize(("share", "warned"), [(0.79, 0), (0.81, 1)])
def test_a_full_disk_is_said_once_and_in_time(tmp_path, monkeypatch, share, warned):
    monkeypatch.setattr(store, "disk_share", lambda _: share)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        held = Store(tmp_path)
        held.remember("kind", "a", 1)
        held.remember("kind", "b", 1)
    assert [one.category for one in caught] == [StoreWarning] * warned
    if warned:
        assert "81% full: `stbench store list`" in str(caught[0].message)


def test_the_share_of_a_disk(tmp_path):
    assert 0 < housekeeping.disk_share(tmp_path) <= 1
    assert housekeeping.disk_share(tmp_path / "absent") == 0
