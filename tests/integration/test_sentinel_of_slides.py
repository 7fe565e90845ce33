"""A whole-slide image is read through a token: no path, name or description of its file reaches a model."""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
import traceback
import warnings

import numpy as np
import pytest
import tifffile
from scipy.sparse import csr_matrix

from pytest_stbench.data.build import build_input
from pytest_stbench.data.image import Image
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.errors import DataError

from .walker import everything

WORD = "TELLTALE"
UNITS = 12


@pytest.fixture(params=["tiff", "openslide"])
def file(request, tmp_path):
    """A pyramid whose path and description name the diagnosis, and what reads it."""
    if request.param == "openslide":
        pytest.importorskip("openslide")
    folder = tmp_path / WORD
    folder.mkdir()
    path = folder / f"{WORD}.tif"
    pixels = np.random.default_rng(0).integers(60, 250, (256, 320, 3)).astype(np.uint8)
    with tifffile.TiffWriter(path) as writer:
        for step in (1, 2):
            told = {"description": f"{WORD} of the breast"} if step == 1 else {"subfiletype": 1}
            writer.write(
                pixels[::step, ::step].copy(), tile=(64, 64), photometric="rgb", compression="zlib",
                metadata=None, software=WORD, **told,
            )  # fmt: skip
    return path, request.param


@pytest.fixture
def given(file):
    path, reader = file
    rng = np.random.default_rng(1)
    xy = rng.uniform(20, 240, (UNITS, 2))
    slide = Slide(
        meta=SlideMeta(slide_id="A1"), unit_names=np.array([f"u{n}" for n in range(UNITS)]),
        genes=np.array(["G"]), measured=np.ones(1, bool), counts=csr_matrix(np.ones((UNITS, 1))),
        libsize=np.ones(UNITS), n_detected=np.ones(UNITS, np.int64), xy_um=xy * 0.25, xy_px=xy,
        image=Image(path, mpp=0.25, reader=reader),
    )  # fmt: skip
    made = build_input(slide, observed=np.arange(1), with_image=True, with_embedding=False)
    made.patches(8, 0.25)
    _ = made.image.array
    return made


def told(root):
    """What can be reached from an object and holds the word."""
    found = []
    for one in everything(root):
        text = one.encode() if isinstance(one, str) else one if isinstance(one, bytes) else b""
        if WORD.encode() in text or (hasattr(one, "__fspath__") and WORD in str(one)):
            found.append(one)
    return found


def test_the_handle_leads_to_no_name(given):
    assert not told(given)
    batches = given.batches(8, 0.25, batch=5)
    indices, patches = next(batches)
    assert not told((indices, patches))
    assert WORD.encode() not in pickle.dumps(given)
    assert not told(pickle.loads(pickle.dumps(given)))
    batches.close()


def seen_in_child(given, broken):
    """What a model finds in a process of its own: patches, and where it met the word."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        patches = given.patches(8, 0.5)
        batches = list(given.batches(8, 0.25, batch=5))
        errors = [said_of(image) for image in broken]
    met = [str(found) for root in (given, patches, batches, broken) for found in told(root)]
    met += [text for text in [*errors, *(str(w.message) for w in caught)] if WORD in text]
    met += ["pickle"] if WORD.encode() in pickle.dumps((given, patches, broken)) else []
    return patches, met, errors


def said_of(image):
    """What an image that cannot be read says."""
    try:
        image.patches(8, 0.3)
    except DataError as error:
        return "".join(traceback.format_exception_only(error)) + repr((error.__cause__, error.__context__))
    return "nothing"


def spoilt(path, reader, fault):
    """The image of a copy of the file that cannot be read any more."""
    own = shutil.copyfile(path, path.with_stem(f"{WORD}-{fault}"))
    if fault == "damaged":
        with tifffile.TiffFile(own) as opened:
            offset, count = (row[0] for row in (opened.pages[0].dataoffsets, opened.pages[0].databytecounts))
        with own.open("r+b") as stream:
            stream.seek(offset)
            stream.write(bytes(count))
    image = Image(own, mpp=0.25, reader=reader).input(np.array([[9.0, 9.0]]))
    pickle.dumps(image)  # its word is written down
    if fault == "gone":
        own.unlink()
    elif fault == "changed":
        own.write_bytes(own.read_bytes()[:300])
    return image


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # threads of libraries
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_no_child_process_is_told_the_name(given, file, method, in_child):
    broken = [spoilt(*file, fault) for fault in ("gone", "damaged", "changed")]
    patches, met, errors = in_child(method, seen_in_child, given, broken)
    assert met == []
    kinds = ("DataError", "DamagedTileError", "DataError")
    for kind, text in zip(kinds, errors, strict=True):
        assert f"{kind}: image of a slide" in text
    np.testing.assert_array_equal(patches, given.patches(8, 0.5))


@pytest.mark.parametrize("fault", ["changed", "gone"])
def test_no_error_tells_the_name(file, fault):
    path, reader = file
    fresh = Image(path, mpp=0.25, reader=reader).input(np.array([[9.0, 9.0]]))
    if fault == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError) as caught:
        fresh.patches(8, 0.3)
    error = caught.value
    assert error.__context__ is None
    assert error.__cause__ is None
    assert WORD not in "".join(traceback.TracebackException.from_exception(error).format_exception_only())
