"""Label images of a store beside the obvious way; full size with STBENCH_BENCH=full.

``whole`` reads the image and numbers its labels at once, as ``numpy.unique`` and ``numpy.bincount`` do
it. Nothing is asserted about time: compare the rows of a group. What a tile needs beside itself is.
"""

from __future__ import annotations

import gc
import os
import tracemalloc

import numpy as np
import pytest

pytest.importorskip("zarr")

from pytest_stbench.data.readers.spatialdata import images as reading
from pytest_stbench.data.readers.spatialdata.frame import Frame
from pytest_stbench.data.readers.spatialdata.images import Labels
from pytest_stbench.data.readers.spatialdata.store import Store
from pytest_stbench.data.readers.units import UnitSize
from pytest_stbench.kernels.label_sums import label_sums

FULL = os.environ.get("STBENCH_BENCH") == "full"
SIDE, CHUNK = (16384, 4096) if FULL else (2048, 512)
TILE = 4096 if FULL else 1024
CELL = 40
BYTES = 4
"""What a reduction may need for each pixel, of a tile beside the tile, of an image with all that is read."""

pytestmark = pytest.mark.filterwarnings("ignore:zarr v3 autosharding:UserWarning")


@pytest.fixture(scope="module", autouse=True)
def few_objects():
    """Strips of a large chunk end with a collection, which is to look at what was made here alone."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def cells(side, start=0):
    """Round cells of 40 pixels on a lattice, in rows of a tile at a time."""
    y, x = np.ogrid[:side, :side]
    inside = (y % CELL - CELL / 2 + 0.5) ** 2 + (x % CELL - CELL / 2 + 0.5) ** 2 < (0.45 * CELL) ** 2
    number = (y // CELL) * (side // CELL + 1) + x // CELL + 1 + start
    return np.where(inside, number, 0).astype(np.uint32)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("labels") / "s.zarr", SIDE, CHUNK)


@pytest.fixture(scope="module")
def one_chunk(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("labels") / "one.zarr", SIDE, SIDE)


def write_store(path, side, chunk):
    """A store with one label image; cells are numbered chunk by chunk."""
    import zarr

    zarr.create_group(path, zarr_format=2)
    group = zarr.create_group(path / "labels/cells", zarr_format=2)
    array = group.create_array("s0", shape=(side, side), chunks=(chunk, chunk), dtype=np.uint32)
    tile = cells(chunk)
    for top in range(0, side, chunk):
        for left in range(0, side, chunk):
            first = (top // chunk * (side // chunk) + left // chunk) * int(tile.max())
            array[top : top + chunk, left : left + chunk] = np.where(tile > 0, tile + first, 0)
    axes = [{"name": name, "type": "space"} for name in "yx"]
    there = {"name": "global", "axes": axes}
    group.attrs["multiscales"] = [
        {
            "axes": axes, "datasets": [{"path": "s0"}],
            "coordinateTransformations": [{"type": "identity", "input": {"axes": axes}, "output": there}],
        }
    ]  # fmt: skip
    return Store(path, {})


def labels_of(store):
    frame = Frame(store, ["labels/cells"], lambda _: UnitSize(0.25, "the test"))
    return Labels(store, frame, "labels/cells", "cell", dict)


def tiled(store):
    return labels_of(store).sums


def whole(store):
    import zarr

    image = zarr.open_array(store.path / "labels/cells/s0", mode="r")[...]
    labels, place = np.unique(image, return_inverse=True)
    place = place.ravel()
    rows = np.repeat(np.arange(SIDE) + 0.5, SIDE)
    columns = np.tile(np.arange(SIDE) + 0.5, SIDE)
    sizes = np.bincount(place)
    middle = [np.bincount(place, weights=axis) / sizes for axis in (columns, rows)]
    return labels[1:], sizes[1:], np.column_stack(middle)[1:]


@pytest.mark.parametrize("contestant", [tiled, whole], ids=lambda f: f.__name__)
@pytest.mark.benchmark(group="centroids of a label image")
def test_centroids(benchmark, store, contestant):
    found = benchmark.pedantic(contestant, (store,), rounds=1 if FULL else 3)
    if contestant is whole and not FULL:
        sums = tiled(store)
        np.testing.assert_array_equal(sums.labels, found[0])
        np.testing.assert_array_equal(sums.pixels, found[1])
        np.testing.assert_allclose(sums.centroids, found[2])


def peak_of(function, *arguments):
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        function(*arguments)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.benchmark(group="bytes a pixel of a tile")
def test_bytes_beside_a_tile(benchmark):
    tile = cells(TILE)
    used = peak_of(label_sums, tile) / tile.size
    benchmark.extra_info["bytes a pixel"] = used
    benchmark.pedantic(label_sums, (tile,), rounds=1)
    assert used < BYTES


@pytest.mark.benchmark(group="bytes a pixel of an image")
def test_bytes_of_an_image(benchmark, store):
    used = {name.__name__: peak_of(name, store) / SIDE**2 for name in (tiled, whole)}
    benchmark.extra_info.update(used)
    benchmark.pedantic(tiled, (store,), rounds=1)
    assert used["tiled"] < BYTES


@pytest.mark.benchmark(group="bytes a pixel of an image of one chunk")
def test_bytes_of_an_image_of_one_chunk(benchmark, one_chunk, monkeypatch):
    """The chunk is decoded whole, 4 bytes a pixel here: nothing below that can be reached.

    The thread that decodes for zarr lets go of a chunk when it is scheduled next: where the machine is busy
    the next one may lie beside it. So the least of three is what the reduction itself needs.
    """
    monkeypatch.setattr(reading, "LARGE", SIDE**2 - 1)
    used = {
        name.__name__: min(peak_of(name, one_chunk) for _ in range(3)) / SIDE**2 for name in (tiled, whole)
    }
    benchmark.extra_info.update(used)
    found = benchmark.pedantic(tiled, (one_chunk,), rounds=1)
    assert used["tiled"] < 4 * (1 + 1 / reading.STRIPS) + 1
    monkeypatch.setattr(reading, "LARGE", SIDE**2)
    at_once = tiled(one_chunk)
    np.testing.assert_array_equal(found.labels, at_once.labels)
    np.testing.assert_array_equal(found.pixels, at_once.pixels)
    np.testing.assert_allclose(found.centroids, at_once.centroids)
