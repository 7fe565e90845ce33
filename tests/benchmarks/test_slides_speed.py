"""Patches of a whole-slide image beside loops over OpenSlide and tiffslide, opening included.

5,000 patches of 224 px on a Visium lattice (100 um, 200 px) of a JPEG pyramid of 20,480 px; a tenth of both
where nothing is timed. The wanted bound is one decoding of every tile that is touched; memory does not
grow with the slide.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import anndata
import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage, ImageFilter
from scipy.sparse import csr_matrix

import pytest_stbench
from pytest_stbench.data.image import Image
from pytest_stbench.data.images.tile_cache import TILES

TILE, SIZE, MPP = 256, 224, 0.5
MOST_OF_RUN = 10**9
"""Peak of a process that runs a task on slides of 40,960 pixels, imports included: decoded each is 5 GB."""

MOST_BYTES = 300 << 20
"""Peak above the process: 128 MiB of tiles, two batches, and what decoding takes."""

TASK = """\
stbench: 1
name: slides
version: 1
family: expression
claim: exploratory
datasets:
  d:
    source: h5ad
    path: "*.h5ad"
    keys: {patient: patient, slide: slide}
    scale: {um_per_px: 0.5}
    image: {path: "{slide}.tif", um_per_px: 0.5, spatial: px}
    technology: Xenium
    resolution: cell
    panel: sim
    organ: breast
    disease: carcinoma
    preservation: FFPE
splits: [lopo]
preprocess: {genes: {select: svg, n: 20}, filter: {min_counts: 1, min_genes: 1}}
metrics: [pearson_gene]
"""


@pytest.fixture(scope="module")
def slide(sized, tmp_path_factory):
    """Return the file of a slide and the places of its spots."""
    side = TILE * max(8, sized(20_480) // TILE)
    path = written(tmp_path_factory.mktemp("slides") / "slide.tif", side)
    return path, lattice(side, sized(5000))


def written(path, side):
    """Write a JPEG pyramid of `side` pixels."""
    pytest.importorskip("imagecodecs")  # of the writer
    rng = np.random.default_rng(0)
    drawn = PillowImage.fromarray(rng.integers(90, 250, (2048, 2048, 3), dtype=np.uint8))
    texture = drawn.filter(ImageFilter.GaussianBlur(2))
    with tifffile.TiffWriter(path) as file:
        for level in range(4):
            small = texture.resize((2048 >> level,) * 2, PillowImage.Resampling.BOX)
            across, n = 8 >> level, -(-(side >> level) // TILE)
            parts = [jpeg(small, row, column) for row in range(across) for column in range(across)]
            places = [row % across * across + column % across for row in range(n) for column in range(n)]
            tiles = (parts[place] for place in places)
            file.write(
                tiles, shape=(side >> level, side >> level, 3), dtype=np.uint8, tile=(TILE, TILE),
                compression=7, photometric="ycbcr", subsampling=(2, 2), metadata=None,
                subfiletype=int(level > 0),
            )  # fmt: skip
    return path


def lattice(side, n):
    """Return at most `n` places of a Visium lattice, row by row."""
    columns = (side - SIZE) // 200
    row, column = np.divmod(np.arange(min(n, columns * int((side - SIZE) / 173.2))), columns)
    return np.column_stack([112 + 200 * column + 100 * (row % 2), 112 + 173.2 * row])


def jpeg(image, row, column):
    box = (column * TILE, row * TILE, column * TILE + TILE, row * TILE + TILE)
    buffer = io.BytesIO()
    image.crop(box).save(buffer, "JPEG", quality=85, subsampling=2)
    return buffer.getvalue()


def ours(path, places):
    TILES.forget()
    corners = np.zeros((len(places), 3), np.uint8)
    for units, patches in Image(path, mpp=MPP).input(places).batches(SIZE, MPP):
        corners[units] = patches[:, 0, 0]
    return corners


def looped(slide, places):
    """The first pixels of patches by the interface that OpenSlide and tiffslide share."""
    corners = np.zeros((len(places), 3), np.uint8)
    for place, (x, y) in enumerate(np.floor(places - SIZE / 2 + 0.5).astype(int).tolist()):
        region = slide.read_region((x, y), 0, (SIZE, SIZE)).convert("RGB")
        corners[place] = np.asarray(region)[0, 0]
    return corners


def by_openslide(path, places):
    return looped(pytest.importorskip("openslide").OpenSlide(str(path)), places)


def by_tiffslide(path, places):
    return looped(pytest.importorskip("tiffslide").TiffSlide(path), places)


@pytest.fixture(
    scope="module",
    params=[("", ours), ("openslide", by_openslide), ("tiffslide", by_tiffslide)],
    ids=["ours", "openslide", "tiffslide"],
)
def read(request):
    """Return a reader whose library is here: found out before anything is timed."""
    library, function = request.param
    if library:
        pytest.importorskip(library)
    return function


@pytest.mark.benchmark(group="patches of a whole-slide image")
def test_patches(read, slide, benchmark):
    found = benchmark.pedantic(read, slide, rounds=1 if read is by_tiffslide else 5)
    np.testing.assert_array_equal(found, ours(*slide))


def peak_of(path, places):
    """Return the bytes by which a process of its own grows while it goes through all patches."""
    before = peak()
    ours(path, places)
    return peak() - before


def peak():
    # The kernel hands `ru_maxrss` on from the process that started this one.
    return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is what Linux tells")
def test_memory_does_not_grow_with_the_slide(sized, in_child, tmp_path):
    peaks = []
    for side in (10_240, 20_480, 40_960):
        own = TILE * max(8, sized(side) // TILE)
        path = written(tmp_path / f"{side}.tif", own)
        peaks.append(in_child("spawn", peak_of, path, lattice(own, sized(5000))))
        path.unlink()
    assert max(peaks) < MOST_BYTES
    if sized(10) == 10:  # smaller slides do not fill what is kept of tiles
        assert max(peaks) < 1.2 * min(peaks), peaks


def peak_of_run(folder):
    """Return the peak of a process of its own that runs a task, imports included."""
    found = pytest_stbench.evaluate(folder / "slides.stbench.yaml", "ridge", store=folder / "store")
    assert not found.failures, found.failures
    return peak()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is what Linux tells")
def test_a_task_on_whole_slides_takes_less_than_a_gigabyte(sized, in_child, tmp_path):
    side = 40_960 if sized(10) == 10 else 20_480  # decoded whole even the smaller one takes more
    image = written(tmp_path / "image.tif", side)
    for number in range(3):
        rng = np.random.default_rng(number)
        own = rng.uniform(SIZE, side - SIZE, (sized(5000), 2))
        waves = np.sin(own @ rng.normal(0, 0.002, (2, 6)) + rng.uniform(0, 6, 6)) + 1.2
        counts = rng.poisson(waves @ rng.gamma(0.5, 1.0, (6, 200))).astype(np.float32)
        data = anndata.AnnData(csr_matrix(counts))
        data.obs_names = [f"u{unit}" for unit in range(len(own))]
        data.var_names = [f"{chr(65 + gene // 26)}{chr(65 + gene % 26)}X" for gene in range(200)]
        data.obs["patient"] = data.obs["slide"] = f"P{number}"
        data.obsm["spatial"] = data.obsm["px"] = own
        data.write_h5ad(tmp_path / f"P{number}.h5ad")
        os.link(image, tmp_path / f"P{number}.tif")
    (tmp_path / "slides.stbench.yaml").write_text(TASK)
    assert in_child("spawn", peak_of_run, tmp_path) < MOST_OF_RUN
