from __future__ import annotations

import os
import zipfile

import numpy as np
import pytest

from pytest_stbench.data.atomic import sealed
from pytest_stbench.store import archive
from pytest_stbench.store.archive import write_archive
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


def test_what_is_saved_is_loaded(tmp_path):
    saved(tmp_path)
    found = Store(tmp_path).load(KEY)
    assert list(found.values) == list(VALUES)
    for slide, matrix in VALUES.items():
        np.testing.assert_array_equal(found.values[slide], matrix)
        assert found.values[slide].dtype == np.float32
    assert found.meta == {"seconds": 1.5}


def test_nothing_is_loaded_from_nowhere(tmp_path):
    assert Store(tmp_path / "absent").load(KEY) is None
    assert not (tmp_path / "absent").exists()


def test_a_second_claim_finds_the_first_ones_prediction(tmp_path):
    saved(tmp_path)
    with Store(tmp_path).claim(KEY, "m") as claim:
        np.testing.assert_array_equal(claim.stored.values["b"], VALUES["b"])
        claim.phase("fit")
    assert left_in(tmp_path, "starts") == []


def test_the_store_keeps_itself_out_of_git(tmp_path):
    saved(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("matrix", [np.ones((2, 2)), np.array([[object()]]), [[1.0]]])
def test_only_values_and_masks_are_stored(tmp_path, matrix):
    with pytest.raises(TypeError, match="the prediction of slide 's' must be a float32 or int32 array"):
        Store(tmp_path).save(KEY, {"s": matrix}, {})
    assert left_in(tmp_path, "predictions") == []


def test_masks_come_back_as_they_were(tmp_path):
    masks = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    Store(tmp_path).save(KEY, {"s": masks}, {})
    with Store(tmp_path).claim(KEY, "m") as claim:
        stored = claim.stored.values["s"]
    np.testing.assert_array_equal(stored, masks)
    assert stored.dtype == np.int32


def damage_truncate(path):
    path.write_bytes(path.read_bytes()[:-40])


def damage_flip(path):
    content = bytearray(path.read_bytes())
    content[content.index(VALUES["slide/1 ä"].tobytes()) + 5] ^= 1
    path.write_bytes(content)


def damage_empty(path):
    path.write_bytes(b"")


def damage_head_of_another(path):
    write_archive(path, VALUES, key="another", meta={})


def damage_format(path):
    with path.open("wb") as file:
        np.savez(file, head=np.frombuffer(sealed(KEY, {"format": 1}), np.uint8))


def damage_exchanged(path):
    """The arrays of one file in the other; each has the checksum that zip wants."""
    with np.load(path) as found:
        arrays = {name: found[name] for name in found.files}
    np.savez(path, **{**arrays, "slide_1": arrays["slide_1"] + 1})


def damage_garbage(path):
    path.write_bytes(b"not a zip file at all")


def damage_head(path):
    with zipfile.ZipFile(path, "w") as file, file.open("head.npy", "w") as member:
        np.save(member, np.frombuffer(b"{", dtype=np.uint8))


def damage_pickle(path):
    with path.open("wb") as file:
        np.savez(file, head=np.array([{"format": 1}], dtype=object))


def damage_dtype(path):
    head = {"format": 2, "slides": [["s", archive.array_digest(np.ones((1, 1)))]], "meta": {}}
    with path.open("wb") as file:
        np.savez(file, head=np.frombuffer(sealed(KEY, head), np.uint8), slide_0=np.ones((1, 1)))


DAMAGES = [
    damage_truncate,
    damage_flip,
    damage_empty,
    damage_garbage,
    damage_head,
    damage_pickle,
    damage_dtype,
    damage_head_of_another,
    damage_format,
    damage_exchanged,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_counts_as_absent_and_is_replaced(tmp_path, damage):
    path = saved(tmp_path)
    damage(path)
    held = Store(tmp_path)

    def fit():
        with held.claim(KEY, "m") as claim:
            assert claim.stored is None
            held.save(KEY, VALUES, {"again": True})

    with pytest.warns(StoreWarning, match=r"cannot be used .*: it is computed again") as caught:
        fit()
    assert len(caught) == 1
    assert Store(tmp_path).load(KEY).meta == {"again": True}


def test_a_pickle_is_never_opened(tmp_path):
    path = saved(tmp_path)

    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "exploded"),))

    with path.open("wb") as file:
        np.savez(file, head=np.array([Bomb()], dtype=object))
    with pytest.warns(StoreWarning, match="allow_pickle"):
        assert Store(tmp_path).load(KEY) is None
    assert not (tmp_path / "exploded").exists()


def same(value):
    return value


def test_small_facts_are_remembered(tmp_path):
    held = Store(tmp_path)
    value = {"morans_i": [1, 2.5], "detected": None}
    held.remember("statistics", "slide a", value)
    found = Store(tmp_path).recall("statistics", "slide a", same)
    assert (found, list(found)) == (value, list(value))
    assert held.recall("statistics", "slide b", same) is None
    assert held.recall("other", "slide a", same) is None
    held.remember("statistics", "slide a", 2)
    assert held.recall("statistics", "slide a", same) == 2


@pytest.mark.parametrize("content", [b"", b"[]", b'{"key": "key", "value": 2}', b"\xff", sealed("kind x", 2)])
def test_a_damaged_memory_is_forgotten(tmp_path, content):
    held = Store(tmp_path)
    held.remember("kind", "key", 1)
    held._memo("kind", "key").write_bytes(content)
    assert held.recall("kind", "key", same) is None


@pytest.mark.parametrize(
    "read", [float, lambda value: value["x"], lambda value: value.x, lambda value: value[5]]
)
def test_what_does_not_unpack_is_forgotten(tmp_path, read):
    held = Store(tmp_path)
    held.remember("kind", "key", {"text": [1]})
    assert held.recall("kind", "key", read) is None
