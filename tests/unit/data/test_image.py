from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest
import skimage.transform
from PIL import Image as PillowImage, PngImagePlugin

from pytest_stbench.data import image as image_module, input_image
from pytest_stbench.data.encoded import ROWS, RecentArrays, decode
from pytest_stbench.data.image import Image
from pytest_stbench.data.images.regions import resampled_size
from pytest_stbench.data.images.whole import decode_coarser, resample
from pytest_stbench.data.input_image import InputImage
from pytest_stbench.errors import DataError, ModelError


def textured(height=60, width=80, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, size=(height // 10 + 1, width // 10 + 1, 3)).astype(np.uint8)
    return np.array(PillowImage.fromarray(coarse).resize((width, height), PillowImage.Resampling.BICUBIC))


def crop_by_hand(pixels, x, y, size):
    """The pixels [x - size/2, x + size/2) one by one; white where there is none."""
    patch = np.full((size, size, 3), 255, dtype=np.uint8)
    left, top = int(np.floor(x - size / 2 + 0.5)), int(np.floor(y - size / 2 + 0.5))
    for row in range(size):
        for col in range(size):
            if 0 <= top + row < pixels.shape[0] and 0 <= left + col < pixels.shape[1]:
                patch[row, col] = pixels[top + row, left + col]
    return patch


PLACES = np.array(
    [[40, 30], [10.5, 20.49], [0, 0], [80, 60], [79.9, 0.2], [-3, 30], [200, 10], [40, -300]], dtype=float
)


@pytest.mark.parametrize("size", [1, 7, 16, 200])
def test_patches_at_the_same_mpp_are_crops(size):
    pixels = textured()
    patches = InputImage(pixels, PLACES, um_per_px=0.5).patches(size, 0.5)
    assert patches.shape == (len(PLACES), size, size, 3)
    assert patches.dtype == np.uint8
    for patch, (x, y) in zip(patches, PLACES, strict=True):
        np.testing.assert_array_equal(patch, crop_by_hand(pixels, x, y, size))


def test_an_even_patch_at_a_whole_pixel_is_centred():
    pixels = textured()
    patch = InputImage(pixels, np.array([[40.0, 30.0]]), um_per_px=1.0).patches(16, 1.0)[0]
    np.testing.assert_array_equal(patch, pixels[22:38, 32:48])


def test_sub_pixel_places_round_to_the_nearest_pixel():
    pixels = textured()
    xy = np.array([[40.0, 30.0], [40.49, 29.5], [40.5, 30.0], [39.49, 30.0]])
    patches = InputImage(pixels, xy, um_per_px=1.0).patches(16, 1.0)
    np.testing.assert_array_equal(patches[1], patches[0])
    np.testing.assert_array_equal(patches[2], pixels[22:38, 33:49])
    np.testing.assert_array_equal(patches[3], pixels[22:38, 31:47])


@pytest.mark.parametrize("ratio", [2, 4, 0.5, 0.25])
def test_patches_at_another_mpp_are_crops_of_pillows_resize(ratio):
    pixels = textured()
    size = (round(80 / ratio), round(60 / ratio))
    whole = np.array(PillowImage.fromarray(pixels).resize(size, PillowImage.Resampling.BILINEAR))
    patches = InputImage(pixels, PLACES, um_per_px=0.5).patches(12, 0.5 * ratio)
    for patch, (x, y) in zip(patches, PLACES / ratio, strict=True):
        difference = patch.astype(int) - crop_by_hand(whole, x, y, 12)
        assert np.abs(difference).max() <= 1  # two-pass rounding of Pillow


def triangle_weights(n_in, n_out, ratio):
    """Row i weighs the old pixels that the linear filter of new pixel i covers."""
    centre = (np.arange(n_out)[:, None] + 0.5) * ratio
    weights = np.clip(1 - np.abs(np.arange(n_in) + 0.5 - centre) / max(ratio, 1), 0, None)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("ratio", [0.3, 0.77, 1.7, 2, 3.3, 9.0])
def test_resampling_is_the_linear_filter_about_the_origin(ratio):
    pixels = textured(90, 110)
    out = resample(pixels, ratio)
    rows, cols = (triangle_weights(n, out.shape[axis], ratio) for axis, n in enumerate((90, 110)))
    oracle = np.einsum("ih,jw,hwc->ijc", rows, cols, pixels.astype(float), optimize=True)
    assert np.abs(out - oracle).max() <= 1.01  # rounded twice
    assert out.shape == (int(90 / ratio + 1e-6), int(110 / ratio + 1e-6), 3)


def test_halving_agrees_with_scikit_image():
    pixels = textured(100, 100)
    oracle = skimage.transform.resize(pixels.astype(float), (50, 50, 3), order=1, anti_aliasing=True)
    assert np.abs(resample(pixels, 2.0) - oracle)[1:-1, 1:-1].mean() < 1.0


@pytest.mark.parametrize("ratio", [0.31, 0.5, 1.0, 1.7, 2.0, 3.3])
def test_a_place_stays_where_it_is_at_every_resolution(ratio):
    pixels = np.full((301, 403, 3), 255, dtype=np.uint8)
    xy = np.array([[120.0, 200.0], [301.0, 33.0]])
    for x, y in xy.astype(int):
        pixels[y - 8 : y + 8, x - 8 : x + 8] = 0
    patches = InputImage(pixels, xy, um_per_px=1.0).patches(101, ratio)
    for patch in patches:
        weight = 255.0 - patch[..., 0]
        at = (np.indices(weight.shape) + 0.5).reshape(2, -1) @ weight.ravel() / weight.sum()
        np.testing.assert_allclose(at, 50.5, atol=0.75)
        assert np.sqrt(weight.sum() / 255) == pytest.approx(16 / ratio, rel=0.05)


def test_units_without_finite_coordinates_are_white():
    xy = np.array([[np.nan, 3.0], [np.inf, 3.0], [10.0, 10.0], [-np.inf, np.nan], [1e300, 1e300]])
    patches = InputImage(textured(), xy, um_per_px=1.0).patches(8, 1.0)
    assert (patches[[0, 1, 3, 4]] == 255).all()
    assert (patches[2] != 255).any()


@pytest.mark.parametrize("mpp", [0.3, 1.0, 2.5])
def test_parts_of_a_slide_are_the_patches_of_the_whole(mpp):
    given = InputImage(textured(), PLACES, um_per_px=1.0)
    whole = given.patches(9, mpp)
    np.testing.assert_array_equal(given.patches(9, mpp, units=np.array([5, 0])), whole[[5, 0]])
    np.testing.assert_array_equal(given.patches(9, mpp, units=slice(2, 4)), whole[2:4])
    assert given.patches(9, mpp, units=slice(0, 0)).shape == (0, 9, 9, 3)


@pytest.mark.parametrize(
    ("size", "mpp"), [(0, 1.0), (-2, 1.0), (2.5, 1.0), (8, 0.0), (8, -1.0), (8, float("nan"))]
)
def test_wrong_sizes_are_refused(size, mpp):
    with pytest.raises(ModelError, match="both > 0"):
        InputImage(textured(), PLACES, um_per_px=1.0).patches(size, mpp)


def test_slides_of_different_resolution_look_alike_at_the_common_mpp():
    fine = textured(240, 320)
    coarse = resample(fine, 4.0)
    xy = np.array([[160.0, 120.0]])
    one = Image(fine, mpp=0.5, target_mpp=2.0).input(xy)
    other = Image(coarse, mpp=2.0, target_mpp=2.0).input(xy / 4)
    assert one.mpp == other.mpp == 2.0
    assert one.shape == other.shape == one.array.shape == (60, 80, 3)
    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_allclose(one.xy_px, other.xy_px)
    for mpp in (0.5, 1.0, 2.0, 4.0):
        np.testing.assert_array_equal(one.patches(16, mpp), other.patches(16, mpp))
    sharp = Image(fine, mpp=0.5).input(xy).patches(64, 0.5)
    assert (
        np.abs(np.diff(sharp.astype(int), axis=1)).mean()
        > 1.05 * np.abs(np.diff(one.patches(64, 0.5).astype(int), axis=1)).mean()
    )


def test_shape_is_known_without_decoding(tmp_path, monkeypatch):
    PillowImage.fromarray(textured()).save(tmp_path / "a.png")
    for module in (image_module, input_image):
        monkeypatch.setattr(module, "decode", lambda *_: pytest.fail("decoded"))
    given = Image(tmp_path / "a.png", mpp=1.0, target_mpp=2.0).input(PLACES)
    assert given.shape == (30, 40, 3)


def test_what_is_handed_out_cannot_change_the_image():
    pixels = textured()
    given = Image.from_array(pixels, mpp=1.0).input(PLACES)
    with pytest.raises(ValueError, match="read-only"):
        given.array[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        given.xy_px[0] = 0
    before = given.patches(8, 1.0)
    given.patches(8, 1.0)[:] = 0
    pixels[:] = 0
    np.testing.assert_array_equal(given.patches(8, 1.0), before)


SECRET = b"patient_K17_carcinoma"


def save_with_secret(path, pixels):
    """Write the secret wherever the format has room beside the pixels."""
    picture = PillowImage.fromarray(pixels)
    text = SECRET.decode()
    if path.suffix == ".png":
        info = PngImagePlugin.PngInfo()
        info.add_text("Description", text)
        picture.save(path, pnginfo=info)
    else:
        exif = PillowImage.Exif()
        exif[0x010E] = text
        options = {"comment": SECRET, "quality": 95} if path.suffix == ".jpg" else {}
        picture.save(path, exif=exif, progressive=path.stem.endswith("progressive"), **options)
    if path.suffix != ".tif":
        path.write_bytes(path.read_bytes() + SECRET)
    assert SECRET in path.read_bytes()


@pytest.mark.parametrize("name", ["{}.jpg", "{}_progressive.jpg", "{}.png", "{}.tif"])
def test_no_path_and_no_description_in_what_models_get(tmp_path, name):
    path = tmp_path / name.format(SECRET.decode())
    pixels = textured()
    save_with_secret(path, pixels)
    given = Image(path, mpp=1.0).input(PLACES)
    _ = given.array, given.patches(8, 2.0)
    data = pickle.dumps(given)
    for word in (SECRET, str(tmp_path).encode(), path.name.encode(), b"carcinoma"):
        assert word not in data
    np.testing.assert_array_equal(given.array, np.array(PillowImage.open(path).convert("RGB")))


def test_pickled_images_give_the_same_patches(tmp_path):
    path = tmp_path / "a.jpg"
    PillowImage.fromarray(textured()).save(path)
    given = Image(path, mpp=1.0, target_mpp=1.5).input(PLACES)
    expected = given.patches(8, 2.0)
    data = pickle.dumps(given)
    path.unlink()
    again = pickle.loads(data)
    np.testing.assert_array_equal(again.patches(8, 2.0), expected)
    np.testing.assert_array_equal(again.array, given.array)
    assert len(data) < given.array.nbytes + 4000


def test_two_images_at_one_resolution_are_not_mixed_up():
    one, other = (InputImage(textured(seed=i), PLACES, um_per_px=1.0) for i in (1, 2))
    first = one.patches(8, 2.0).copy()
    assert (other.patches(8, 2.0) != first).any()
    np.testing.assert_array_equal(one.patches(8, 2.0), first)


def test_decoded_images_do_not_pile_up():
    recent = RecentArrays(100)
    made = []

    def make(key):
        made.append(key)
        return np.zeros(40, dtype=np.uint8)

    for key in ("a", "b", "a", "c", "a", "b"):
        recent.get((key, None), lambda key=key: make(key))
    assert made == ["a", "b", "c", "b"]
    assert not recent.get(("a", None), lambda: make("a")).flags.writeable


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "LA", "1", "CMYK"])
def test_other_colour_modes_become_rgb(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    grey = PillowImage.fromarray(textured()).convert("L")
    grey.convert(mode).save(path)
    pixels = Image(path, mpp=1.0).pixels()
    assert pixels.shape == (60, 80, 3)
    assert pixels.dtype == np.uint8
    if mode in ("L", "RGBA", "P", "LA"):
        np.testing.assert_array_equal(pixels, np.array(grey)[..., None].repeat(3, axis=2))


def test_transparent_parts_become_white(tmp_path):
    pixels = np.zeros((4, 4, 4), dtype=np.uint8)
    pixels[:2, :, 3] = 255
    PillowImage.fromarray(pixels).save(tmp_path / "a.png")
    found = Image(tmp_path / "a.png", mpp=1.0).pixels()
    assert (found[:2] == 0).all()
    assert (found[2:] == 255).all()


def test_images_with_more_than_8_bits_are_refused(tmp_path):
    PillowImage.fromarray(np.full((4, 4), 4000, dtype=np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: image of mode I(;16)?; 8 bits a channel"):
        Image(tmp_path / "a.png", mpp=1.0).check()


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_truncated_images_are_errors(tmp_path, name):
    path = tmp_path / name
    PillowImage.fromarray(textured(200, 200)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="cannot be decoded"):
        _ = Image(path, mpp=1.0).input(PLACES).array


def test_absent_images_are_errors(tmp_path):
    image = Image(tmp_path / "a.png", mpp=1.0)
    for use in (image.check, image.pixels, lambda: image.input(PLACES)):
        with pytest.raises(DataError, match=r"a\.png: the image cannot be"):
            use()


def test_images_larger_than_pillows_limit_open(tmp_path, monkeypatch):
    PillowImage.fromarray(textured()).save(tmp_path / "a.png")
    monkeypatch.setattr(PillowImage, "MAX_IMAGE_PIXELS", 100)
    assert Image(tmp_path / "a.png", mpp=1.0).pixels().shape == (60, 80, 3)
    assert PillowImage.MAX_IMAGE_PIXELS == 100


def test_images_made_in_memory():
    image = Image(lambda: textured(), mpp=1.0)
    assert image.path is None
    image.check()
    np.testing.assert_array_equal(image.input(PLACES).array, textured())
    with pytest.raises(DataError, match=r"must be \(H, W, 3\) uint8"):
        Image(np.zeros((4, 4, 3)), mpp=1.0).pixels()


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "P"])
def test_images_are_converted_in_parts_of_their_rows(tmp_path, mode):
    path = tmp_path / "a.png"
    rng = np.random.default_rng(0)
    picture = PillowImage.fromarray(rng.integers(0, 256, (2 * ROWS + 3, 40, 4), dtype=np.uint8), "RGBA")
    picture.convert(mode).save(path)
    opened = PillowImage.open(path)
    if mode in ("LA", "RGBA", "P"):
        white = PillowImage.new("RGBA", opened.size, (255, 255, 255, 255))
        opened = PillowImage.alpha_composite(white, opened.convert("RGBA"))
    found = decode(path, "a")
    np.testing.assert_array_equal(found, np.asarray(opened.convert("RGB")))
    np.testing.assert_array_equal(decode_coarser(path.read_bytes(), "a", 3.1), resample(found, 3.1))


def test_decoding_makes_no_copy_of_the_whole_image(tmp_path):
    path = tmp_path / "a.png"
    PillowImage.fromarray(textured(2000, 1500)).save(path)
    decode(path, "a")
    tracemalloc.start()
    held = decode(path, "a").nbytes
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * held


@pytest.mark.parametrize("ratio", [0.4, 1.7, 2.0, 3.25 / 1.4, 11.3])
@pytest.mark.parametrize("sides", [(ROWS * 2 + 3, 700), (300, 41), (40, 1), (1, 40), (300, 190)])
def test_an_image_is_resampled_in_two_steps_as_the_library_does_in_one(tmp_path, sides, ratio):
    pixels = np.random.default_rng(0).integers(0, 256, (*sides, 3), dtype=np.uint8)
    picture = PillowImage.fromarray(pixels)
    height, width = resampled_size(sides, ratio)
    box = (0, 0, min(width * ratio, sides[1]), min(height * ratio, sides[0]))
    whole = np.asarray(picture.resize((width, height), PillowImage.Resampling.BILINEAR, box=box))
    np.testing.assert_array_equal(resample(pixels, ratio), whole)
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode_coarser((tmp_path / "a.png").read_bytes(), "a", ratio), whole)


def test_of_an_image_that_is_made_coarser_the_coarser_one_is_kept(tmp_path, monkeypatch):
    kept = RecentArrays(1 << 30)
    monkeypatch.setattr(input_image, "_PIXELS", kept)
    path = tmp_path / "a.png"
    pixels = textured(400, 300)
    PillowImage.fromarray(pixels).save(path)
    given = Image(path, mpp=0.5, target_mpp=2.0).input(np.array([[100.0, 80.0], [20.0, 30.0]]))
    np.testing.assert_array_equal(given.array, resample(pixels, 4.0))
    given.patches(16, 2.0)
    given.region((0, 0, 9, 9), 1.0)
    assert [array.shape for array in kept._arrays.values()] == [(100, 75, 3)]
