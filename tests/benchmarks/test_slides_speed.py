"""Patches of a whole-slide image beside a loop over ``openslide.read_region``, opening included.

5,000 patches of 224 px on a Visium lattice (100 um, 200 px) of a JPEG pyramid of 20,480 px; a tenth of both
where nothing is timed. The wanted bound is one decoding of every tile that is touched.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage, ImageFilter

from pytest_stbench.data.image import Image
from pytest_stbench.data.images.tile_cache import TILES

openslide = pytest.importorskip("openslide")
pytest.importorskip("imagecodecs")  # of the writer
TILE, SIZE, MPP = 256, 224, 0.5


@pytest.fixture(scope="module")
def slide(sized, tmp_path_factory):
    """Return the file of a slide and the places of its spots."""
    side = TILE * max(8, sized(20_480) // TILE)
    path = tmp_path_factory.mktemp("slides") / "slide.tif"
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
    columns = (side - SIZE) // 200
    n = min(sized(5000), columns * int((side - SIZE) / 173.2))
    row, column = np.divmod(np.arange(n), columns)
    return path, np.column_stack([112 + 200 * column + 100 * (row % 2), 112 + 173.2 * row])


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


def theirs(path, places):
    found = openslide.OpenSlide(str(path))
    corners = np.zeros((len(places), 3), np.uint8)
    for place, (x, y) in enumerate(np.floor(places - SIZE / 2 + 0.5).astype(int).tolist()):
        region = found.read_region((x, y), 0, (SIZE, SIZE)).convert("RGB")
        corners[place] = np.asarray(region)[0, 0]
    return corners


@pytest.mark.benchmark(group="patches of a whole-slide image")
@pytest.mark.parametrize("read", [ours, theirs])
def test_patches(benchmark, slide, read):
    found = benchmark(read, *slide)
    np.testing.assert_array_equal(found, ours(*slide))
