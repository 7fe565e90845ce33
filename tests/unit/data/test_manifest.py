from __future__ import annotations

import contextlib
import hashlib
import os
import time

import pytest

from pytest_stbench.data import checksums
from pytest_stbench.data.atomic import sealed, unsealed
from pytest_stbench.data.checksums import Checksums, file_sha256, load_manifest
from pytest_stbench.errors import DataError


def sha_of(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def listed(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.txt").write_text("alpha")
    (tmp_path / "b.txt").write_text("beta")
    (tmp_path / "SUMS").write_text(f"{sha_of('alpha')}  d/a.txt\n\n{sha_of('beta').upper()} *./b.txt\n")
    return tmp_path


def test_files_that_match_pass(listed):
    manifest = load_manifest(listed / "SUMS")
    manifest.verify([listed / "d/a.txt", listed / "b.txt"])
    assert manifest.lists(listed / "b.txt")
    assert not manifest.lists(listed / "SUMS")


def test_a_change_names_file_expected_and_found(listed):
    (listed / "b.txt").write_text("other")
    with pytest.raises(DataError) as caught:
        load_manifest(listed / "SUMS").verify([listed / "b.txt"])
    for part in ("b.txt", sha_of("beta"), sha_of("other")):
        assert part in str(caught.value)


def test_a_file_that_is_not_listed_is_an_error(listed, tmp_path):
    (listed / "c.txt").write_text("c")
    with pytest.raises(DataError, match="not listed in"):
        load_manifest(listed / "SUMS").verify([listed / "c.txt"])


def test_a_file_outside_of_the_manifests_folder_is_not_listed(listed):
    (listed / "d/SUMS").write_text(f"{sha_of('alpha')}  a.txt\n")
    with pytest.raises(DataError, match="not listed in"):
        load_manifest(listed / "d/SUMS").verify([listed / "b.txt"])


def test_a_link_inside_the_folder_is_listed_under_its_own_name(listed):
    (listed / "d/link.txt").symlink_to(listed / "b.txt")
    (listed / "d/SUMS").write_text(f"{sha_of('beta')}  link.txt\n")
    load_manifest(listed / "d/SUMS").verify([listed / "d/link.txt"])


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x"])
def test_path_tricks_are_refused(listed, name):
    (listed / "SUMS").write_text(f"{sha_of('alpha')}  {name}\n")
    with pytest.raises(DataError, match=r"SUMS:1: path .*(absolute|climbs out)"):
        load_manifest(listed / "SUMS")


@pytest.mark.parametrize("line", ["abc  d/a.txt", "just text", f"\\{'0' * 64}  a\\nb", f"{'g' * 64}  a"])
def test_lines_of_another_format_are_refused(listed, line):
    (listed / "SUMS").write_text(f"{sha_of('beta')}  b.txt\n{line}\n")
    with pytest.raises(DataError, match="SUMS:2: not a line of `sha256sum`"):
        load_manifest(listed / "SUMS")


def test_two_values_for_one_file_are_refused(listed):
    (listed / "SUMS").write_text(f"{sha_of('a')}  b.txt\n{sha_of('b')}  ./b.txt\n")
    with pytest.raises(DataError, match=r"SUMS:2: b\.txt is listed twice"):
        load_manifest(listed / "SUMS")


def test_an_unreadable_manifest_is_an_error(tmp_path):
    (tmp_path / "SUMS").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read as a sha256 manifest"):
        load_manifest(tmp_path / "SUMS")


def test_a_checksum_is_computed_once_per_version_of_a_file(listed, aged):
    path, store = listed / "b.txt", listed / "store"
    aged(path)
    assert file_sha256(path, store) == sha_of("beta")
    forged(path, store)
    assert file_sha256(path, store) == "0" * 64  # from the store: the file was not read again
    os.utime(path, (1, 1))
    assert file_sha256(path, store) == sha_of("beta")


def rewritten(path, text):
    """Write other content of the same length, and put the time of the file back, as tools do that copy."""
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def test_a_change_under_the_same_size_and_time_is_seen(listed, aged):
    path, store = listed / "b.txt", listed / "store"
    aged(path)
    assert file_sha256(path, store) == sha_of("beta")
    time.sleep(0.02)  # the clock of the file system
    rewritten(path, "BETA")
    assert file_sha256(path, store) == sha_of("BETA")


def test_another_file_in_its_place_is_seen(listed, aged):
    path, store = listed / "b.txt", listed / "store"
    aged(path)
    file_sha256(path, store)
    other = listed / "other.txt"
    other.write_text("BETA")
    aged(other)
    os.utime(other, ns=(path.stat().st_mtime_ns,) * 2)
    other.replace(path)
    assert file_sha256(path, store) == sha_of("BETA")


def forged(path, store):
    """Keep another checksum of a file, sealed as it should be."""
    entry = next((store / "checksums").iterdir())
    place = f"checksums {path.resolve()}"
    known, _ = unsealed(place, entry.read_bytes())
    entry.write_bytes(sealed(place, [known, {"sha256": "0" * 64}]))


@pytest.mark.parametrize("anew", [False, True])
def test_anew_reads_every_file_once_in_this_process(listed, aged, monkeypatch, anew):
    path, store = listed / "b.txt", listed / "store"
    aged(path)
    file_sha256(path, store)
    forged(path, store)
    monkeypatch.setattr(checksums, "_READ", {})
    read = Checksums(store=store, anew=anew)
    assert read.of([path]) == {path: sha_of("beta") if anew else "0" * 64}
    monkeypatch.setattr(checksums.hashlib, "file_digest", None)
    assert read.of([path]) == {path: sha_of("beta") if anew else "0" * 64}


def test_a_manifest_trusts_nothing_that_was_kept(listed, aged, monkeypatch):
    path, store = listed / "b.txt", listed / "store"
    aged(path)
    file_sha256(path, store)
    forged(path, store)
    monkeypatch.setattr(checksums, "_READ", {})
    load_manifest(listed / "SUMS").verify([path], Checksums(store=store))


def test_reading_is_told_with_its_size(listed):
    told = []

    @contextlib.contextmanager
    def progress(label):
        told.append(label)
        yield

    read = Checksums(progress=progress)
    assert read.of([listed / "b.txt", listed / "d/a.txt"]) == {
        listed / "b.txt": sha_of("beta"), listed / "d/a.txt": sha_of("alpha"),
    }  # fmt: skip
    assert told == ["checksums of 2 files (9 bytes)"]
    assert read.of([]) == {}
    assert len(told) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"facts": 3}', '{"facts": {"sha256": "x"}}', "\0\0"])
def test_a_corrupted_entry_counts_as_absent(listed, aged, content):
    path, store = listed / "b.txt", listed / "store"
    aged(path)
    file_sha256(path, store)
    next((store / "checksums").iterdir()).write_text(content)
    assert file_sha256(path, store) == sha_of("beta")


def test_a_file_written_just_now_is_not_kept(listed):
    file_sha256(listed / "b.txt", listed / "store")
    assert not (listed / "store").exists()


def test_a_store_that_cannot_be_written_costs_nothing_but_time(listed, aged):
    aged(listed / "b.txt")
    (listed / "file").write_text("a file, not a folder")
    assert file_sha256(listed / "b.txt", listed / "file") == sha_of("beta")


def test_an_unreadable_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        file_sha256(tmp_path / "absent")
