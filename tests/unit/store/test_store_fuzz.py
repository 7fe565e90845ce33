"""Damaged files of every kind in the store: absent, or what was written; never anything else."""

from __future__ import annotations

import math
import os
import random
import warnings

import numpy as np
import pytest

from pytest_stbench.data.checksums import FileCache
from pytest_stbench.errors import ModelError
from pytest_stbench.models.predictions import Place, PredictionFolder
from pytest_stbench.preprocess.statistics import SlideStatistics, StatisticsKey
from pytest_stbench.run.dataset_memos import StoredStatistics, packed
from pytest_stbench.run.provenance import slide_depth
from pytest_stbench.run.scores import ceilings
from pytest_stbench.store.keys import cell_key
from pytest_stbench.store.marker import StartMarker
from pytest_stbench.store.store import Store

TRIALS = 400
PARTS = {"task": {}, "dataset": "d", "train": [], "test": [], "seed": 0, "model": "m", "genes": []}
STATISTICS = StatisticsKey("A", "units", "log1p", None, 0.1)
PLACE = Place(task="t", view="d", split="lopo", fold="A")


def prediction(root, number):
    key = cell_key({**PARTS, "seed": number})
    store = Store(root)
    values = {"s": np.arange(12, dtype=np.float32).reshape(4, 3) + number, "t": np.ones((2, 2), np.int32)}
    store.save(key, values, {"seconds": 1.25 + number, "label": "m", "remarks": []})

    def read():
        found = Store(root).load(key)
        return found and ({name: (v.dtype.str, v.tolist()) for name, v in found.values.items()}, found.meta)

    return store._prediction(key), read


def statistics(root, number):
    draw = np.random.default_rng(number)
    value = SlideStatistics(detection=draw.random(9), morans_i=draw.random(9), hvg_score=draw.random(9))
    key = STATISTICS._replace(slide=f"slide {number}")
    table = StoredStatistics(Store(root), lambda: "abc")
    table[key] = value

    def read():
        try:
            found = StoredStatistics(Store(root), lambda: "abc")[key]
        except KeyError:
            return None
        return [getattr(found, name).tobytes() for name in ("detection", "morans_i", "hvg_score")]

    return table._store._memo("statistics", table._name(key)), read


def memo(kind, value, unpack):
    def make(root, number):
        store = Store(root)
        store.remember(kind, f"key {number}", value(number))
        return store._memo(kind, f"key {number}"), lambda: store.recall(kind, f"key {number}", unpack)

    return make


def marker(root, number):
    path = root / "starts" / f"{number:064x}.json"
    StartMarker(path, label="m", run_id="r").write("fit")
    return path, StartMarker(path, label="m", run_id="r").left_by_a_dead_process


def facts(kind, value):
    def make(root, number):
        path = root / f"data {number}.h5ad"
        path.write_bytes(b"x" * (number + 1))
        os.utime(path, (1, 1))
        cache = FileCache(root / kind)
        cache.put(path, value(number), path.stat())
        return cache._entry(path), lambda: cache.get(path)

    return make


KINDS = {
    "prediction": prediction,
    "statistics": statistics,
    "ceilings": memo(
        "ceilings", lambda n: {"rmse": {"s": [0.1 * n, math.nan]}}, lambda kept: repr(ceilings._read(kept))
    ),
    "anchors": memo("anchors", lambda n: {"s": {"rmse": [0.5, n, math.nan]}}, repr),
    "follows_depth": memo(
        "follows_depth", lambda n: {"s": [["A", "B"], packed(np.array([0.5, n / 7]))]}, slide_depth._read
    ),
    "marker": marker,
    "checksums": facts("checksums", lambda n: {"sha256": f"{n:064x}"}),
    "index": facts("index", lambda n: {"rules": 2, "slides": [{"slide": f"s{n}", "patient": f"P{n}"}]}),
}


def flipped(draw, content, _others):
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 5))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def digit(draw, content, _others):
    """Another digit in the place of one: text that still parses."""
    places = [place for place, byte in enumerate(content) if 48 <= byte <= 57]
    changed = bytearray(content)
    changed[draw.choice(places)] = draw.randrange(48, 58)
    return bytes(changed)


def truncated(draw, content, _others):
    return content[: draw.randrange(len(content))]


def emptied(draw, content, _others):
    return draw.choice((b"", bytes(len(content))))


def zeroed(draw, content, _others):
    start = draw.randrange(len(content))
    return content[:start] + bytes(len(content[start : start + 16])) + content[start + 16 :]


def moved(draw, content, _others):
    """A block of the file in another place of it."""
    a, b = draw.randrange(len(content)), draw.randrange(len(content))
    return content[:a] + content[b : b + 16] + content[a + 16 :]


def grown(draw, content, _others):
    return content + draw.choice((b"}", content, b"\0" * 30))


def swapped(draw, _content, others):
    return draw.choice(others)


DAMAGES = (flipped, flipped, digit, truncated, emptied, zeroed, moved, grown, swapped)


def wrong_outcomes(draw, path, read, damages, others, sound):
    """Damage a file, one way after the other; return what was served, unless absent or as written."""
    content = path.read_bytes()
    wrong = []
    for trial in range(TRIALS):
        damage = damages[trial % len(damages)]
        path.write_bytes(damage(draw, content, others))
        try:
            found = read()
        except Exception as error:  # noqa: BLE001  # no damage may raise, whatever it is
            wrong.append((damage.__name__, error))
            continue
        if found is not None and found != sound:
            wrong.append((damage.__name__, found))
    path.write_bytes(content)
    return wrong


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return two files of every kind, each with what reads it."""
    root = tmp_path_factory.mktemp("store")
    for name in KINDS:
        (root / name).mkdir()
    return {name: [make(root / name, number) for number in range(2)] for name, make in KINDS.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_serves_nothing_else(made, kind):
    others = [path.read_bytes() for pairs in made.values() for path, _ in pairs[1:]]
    path, read = made[kind][0]
    sound = read()
    assert sound is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong = wrong_outcomes(random.Random(f"store {kind}"), path, read, DAMAGES, others, sound)
    assert wrong == []
    assert read() == sound


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_a_damaged_file_of_a_sealed_folder_is_refused(tmp_path, ending):
    import pandas as pd

    place = tmp_path.joinpath(*PLACE.parts)
    place.mkdir(parents=True)
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    for slide in ("S1", "S2"):
        if ending == "npz":
            np.savez(place / f"{slide}.npz", values=values, units=["u", "v", "w"], genes=["A", "B"])
        else:
            pd.DataFrame(values, index=["u", "v", "w"], columns=["A", "B"]).to_parquet(
                place / f"{slide}.parquet"
            )
        values = values + 1
    PredictionFolder.seal(tmp_path)

    def read():
        try:
            return PredictionFolder(tmp_path).read(PLACE, "S1", ["w", "u"], ["B", "A"]).tolist()
        except ModelError:
            return None

    sound = read()
    assert sound == [[5, 4], [1, 0]]
    others = [(place / f"S2.{ending}").read_bytes()]
    damages = [damage for damage in DAMAGES if damage is not digit]
    path = place / f"S1.{ending}"
    assert wrong_outcomes(random.Random(ending), path, read, damages, others, sound) == []
