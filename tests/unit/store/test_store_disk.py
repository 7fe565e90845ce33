from __future__ import annotations

import errno
import os
import subprocess
import sys

import filelock
import numpy as np
import pytest

from pytest_stbench.data import atomic
from pytest_stbench.store import lock
from pytest_stbench.store.keys import cell_key
from pytest_stbench.store.store import Store, StoreWarning

PARTS = {"task": {}, "dataset": "d", "train": [], "test": [], "seed": 0, "model": "m", "genes": []}
KEY = cell_key(PARTS)
VALUES = {"slide/1 ä": np.arange(6, dtype=np.float32).reshape(3, 2), "b": np.ones((1, 2), np.float32)}


def saved(root):
    held = Store(root)
    with held.claim(KEY, "m") as claim:
        assert claim.stored is None
        assert held.save(KEY, VALUES, {"seconds": 1.5})
    return held._prediction(KEY)


def left_in(root, folder):
    return sorted(path.name for path in (root / folder).rglob("*") if path.is_file())


def test_a_full_disk_is_one_warning_and_leaves_nothing(tmp_path, monkeypatch):
    held = Store(tmp_path)

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    def fit():
        with held.claim(KEY, "m"):
            monkeypatch.setattr(atomic.os, "fsync", full)
            assert held.save(KEY, VALUES, {}) is False
            assert held.save(KEY, VALUES, {}) is False
            held.remember("kind", "key", 1)

    with pytest.warns(StoreWarning, match="No space left on device.*: the run goes on in memory") as caught:
        fit()
    assert len(caught) == 1
    assert left_in(tmp_path, "predictions") == left_in(tmp_path, "starts") == []
    assert held.load(KEY) is None


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    held = Store(tmp_path)

    def interrupt(handle):
        raise KeyboardInterrupt

    def fit():
        with held.claim(KEY, "m"):
            monkeypatch.setattr(atomic.os, "fsync", interrupt)
            held.save(KEY, VALUES, {})

    with pytest.raises(KeyboardInterrupt):
        fit()
    assert left_in(tmp_path, "predictions") == left_in(tmp_path, "starts") == []


def test_a_root_that_is_a_file_is_one_warning(tmp_path):
    root = tmp_path / "file"
    root.write_text("")
    held = Store(root)

    def fit():
        with held.claim(KEY, "m") as claim:
            assert claim.stored is None
            assert held.save(KEY, VALUES, {}) is False

    with pytest.warns(StoreWarning, match="the run goes on in memory") as caught:
        fit()
    assert len(caught) == 1


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="a folder is never read-only to this user"
)
def test_a_read_only_store_is_read(tmp_path):
    saved(tmp_path)
    tmp_path.chmod(0o500)
    try:
        with Store(tmp_path).claim(KEY, "m") as claim:
            assert claim.stored is not None
    finally:
        tmp_path.chmod(0o700)


def test_without_locks_there_is_one_warning_and_no_marker(tmp_path, monkeypatch):
    def no_locks(self, *args, **options):
        raise NotImplementedError

    monkeypatch.setattr(filelock.FileLock, "acquire", no_locks)
    held = Store(tmp_path)

    def fit():
        with held.claim(KEY, "m") as claim:
            assert claim.stored is None
            claim.phase("fit")
            assert left_in(tmp_path, "starts") == []

    with pytest.warns(StoreWarning, match="has no file locks: two processes may compute the same") as caught:
        fit()
    fit()
    assert len(caught) == 1
    assert held.save(KEY, VALUES, {})
    with held.claim(KEY, "m") as claim:
        assert claim.stored is not None


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_lock_errors_of_file_systems_are_recognised(tmp_path, monkeypatch, number):
    def refuse(self, *args, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.warns(StoreWarning, match="has no file locks"), Store(tmp_path).claim(KEY, "m") as claim:
        assert claim.marker is None


def test_marker_file_locks_do_not_count_as_locks(tmp_path, monkeypatch):
    monkeypatch.setattr(filelock, "FileLock", filelock.SoftFileLock)
    with pytest.raises(lock.LocksUnsupportedError), lock.locked(tmp_path / "x.lock"):
        pass
    assert not (tmp_path / "x.lock").exists()


def test_an_error_of_the_model_is_not_chained_to_missing_locks(tmp_path, monkeypatch):
    monkeypatch.setattr(
        filelock.FileLock, "acquire", lambda self, *a, **k: (_ for _ in ()).throw(NotImplementedError)
    )
    with (
        pytest.warns(StoreWarning),
        pytest.raises(ZeroDivisionError) as caught,
        Store(tmp_path).claim(KEY, "m"),
    ):
        raise ZeroDivisionError
    assert caught.value.__context__ is None


PROBE = """
import sys
from pathlib import Path
from pytest_stbench.store.lock import locked
with locked(Path(sys.argv[1]), wait=False) as had:
    print(had)
"""


def test_a_lock_that_is_held_is_not_had_twice(tmp_path):
    with lock.locked(tmp_path / "a.lock") as had, lock.locked(tmp_path / "b.lock") as other:
        assert had
        assert other
        command = [sys.executable, "-c", PROBE, str(tmp_path / "a.lock")]
        probe = subprocess.run(command, capture_output=True, text=True, check=True)
    assert probe.stdout.strip() == "False"
    with lock.locked(tmp_path / "a.lock", wait=False) as had:
        assert had
