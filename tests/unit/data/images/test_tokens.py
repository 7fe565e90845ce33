from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

from pytest_stbench.data.image import Image
from pytest_stbench.data.images import tokens
from pytest_stbench.data.images.pyramid import Stored
from pytest_stbench.data.images.tokens import FOLDER
from pytest_stbench.data.readers.mosaic import Mosaic
from pytest_stbench.data.readers.spatialdata.zarr_pyramid import ZarrPyramid
from pytest_stbench.errors import DataError

from .slides import tissue, write_pyramid

PLACES = np.array([[100.0, 100.0], [300.0, 200.0]])


@pytest.fixture
def given(tmp_path):
    path = write_pyramid(tmp_path / "carcinoma.tif", tissue(), ome={"Name": "carcinoma"})
    return Image(path, mpp=0.25, target_mpp=0.4).input(PLACES)


def patches(given):
    return given.patches(16, 0.5)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # threads of libraries
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_every_kind_of_child_process_reads_the_same_patches(given, method, in_child):
    np.testing.assert_array_equal(in_child(method, patches, given), patches(given))


def test_no_path_in_a_pickle_and_little_else(given, tmp_path):
    _ = given.array, patches(given)
    data = pickle.dumps(given)
    for word in (b"carcinoma", str(tmp_path).encode(), os.environ[FOLDER].encode()):
        assert word not in data
    assert len(data) < 2000
    np.testing.assert_array_equal(patches(pickle.loads(data)), patches(given))
    np.testing.assert_array_equal(patches(copy.deepcopy(given)), patches(given))


def test_words_lie_in_a_folder_of_the_user_alone_that_ends_with_the_run(given, tmp_path):
    code = (
        "import os, pickle, sys\n"
        "from pathlib import Path\n"
        "from pytest_stbench.data.image import Image\n"
        "image = Image(Path(sys.argv[1]), mpp=0.25).input([[100.0, 100.0]])\n"
        "Path(sys.argv[2]).write_bytes(pickle.dumps(image))\n"
        "folder = Path(os.environ['STBENCH_IMAGE_TOKENS'])\n"
        "print(folder, oct(folder.stat().st_mode & 0o77), len(list(folder.iterdir())))\n"
    )
    kept = tmp_path / "kept.pickle"
    path = tmp_path / "carcinoma.tif"
    alone = {name: value for name, value in os.environ.items() if name != FOLDER}
    done = subprocess.run(
        [sys.executable, "-c", code, path, kept], capture_output=True, text=True, check=True, env=alone
    )
    folder, others, n_files = done.stdout.split()
    assert (others, n_files) == ("0o0", "1")
    assert not os.path.exists(folder)  # noqa: PTH110  # text of another process
    dead = pickle.loads(kept.read_bytes())
    with pytest.raises(DataError, match="image of a slide: it was pickled by a run that has ended"):
        dead.patches(16, 0.5)


def test_words_of_a_run_lie_in_its_store(given, tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "_STORE", [])
    monkeypatch.delenv(FOLDER)
    left = tmp_path / "store" / tokens.OF_RUNS / "left"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    tokens.keep_in(tmp_path / "store")
    pickle.dumps(given)
    folder = Path(os.environ[FOLDER])
    assert folder.parent == left.parent
    assert folder.stat().st_mode & 0o77 == 0
    assert [file.name for file in folder.iterdir()] == [given._content.word]
    assert not left.exists(), "of a run that ended long ago"
    monkeypatch.delenv(FOLDER)
    (tmp_path / "file").touch()
    tokens.keep_in(tmp_path / "file")
    pickle.dumps(given)
    assert Path(os.environ[FOLDER]).parent != tmp_path / "file", "a store that cannot be written"


def test_a_word_leads_to_no_other_file_than_it_was_made_for(given, tmp_path, in_child):
    path = tmp_path / "carcinoma.tif"
    kept = path.stat()
    write_pyramid(path, tissue(seed=7), ome={"Name": "carcinoma"})
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    for read in (patches, lambda image: in_child("spawn", patches, image)):
        with pytest.raises(DataError, match="the file was changed after it was opened"):
            read(given)


def write_patches(path, seed):
    with h5py.File(path, "w") as file:
        file["img"] = np.random.default_rng(seed).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)


def write_store(path, seed):
    shutil.rmtree(path, ignore_errors=True)
    zarr.save_group(path, **{"0": np.random.default_rng(seed).integers(0, 256, (3, 96, 96), dtype=np.uint8)})


CORNERS = np.array([[0, 0], [64, 0], [0, 64], [64, 64]])
PARTS = {
    "patches": (write_patches, partial(Mosaic, CORNERS, (128, 128), 64)),
    "zarr": (write_store, partial(ZarrPyramid, (("0", 1.0),))),
    "tiff": (lambda path, seed: write_pyramid(path, tissue(seed=seed)), None),
}


@pytest.mark.parametrize("kind", PARTS)
def test_what_was_read_of_a_file_is_not_shown_once_it_is_another(tmp_path, kind):
    write, make = PARTS[kind]
    path = tmp_path / "carcinoma"
    write(path, 0)
    source = path if make is None else Stored(path, make)
    given = Image(source, mpp=0.5).input(np.array([[32.0, 32.0]]))
    ways = (
        patches, lambda image: image.region((4, 4, 8, 8)), lambda image: image.thumbnail(40),
        lambda image: image.array, lambda image: image.fingerprint,
    )  # fmt: skip
    for read in ways[:4]:
        assert read(given).size
    write(path, 1)
    for read in ways:
        with pytest.raises(DataError, match="image of a slide: the file was changed after it was opened"):
            read(given)


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="no such processes")
def test_a_server_of_forks_that_is_older_than_the_first_image_leads_to_it(tmp_path):
    write_pyramid(tmp_path / "a.tif", tissue())
    code = (
        "import multiprocessing, sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from pytest_stbench.data.image import Image\n"
        "from pytest_stbench.data.images.tokens import keep_in\n"
        "keep_in(Path(sys.argv[2]))\n"
        "method = multiprocessing.get_context('forkserver')\n"
        "with method.Pool(1) as pool:\n"
        "    pool.apply(abs, (-1,))\n"
        "given = Image(Path(sys.argv[1]), mpp=0.25).input(np.array([[100.0, 100.0]]))\n"
        "with method.Pool(1) as pool:\n"
        "    found = pool.apply_async(given.patches, (16, 0.5)).get(timeout=60)\n"
        "assert (found == given.patches(16, 0.5)).all()\n"
    )
    alone = {name: value for name, value in os.environ.items() if name != FOLDER}
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.tif", tmp_path / "store"],
        check=True,
        env=alone,
        timeout=120,
    )
    assert not list((tmp_path / "store" / tokens.OF_RUNS).iterdir()), "it ends with the run"


def test_words_are_random_and_open_their_own_slide(given, tmp_path):
    other = Image(write_pyramid(tmp_path / "b.tif", tissue(seed=5)), mpp=0.25, target_mpp=0.4).input(PLACES)
    again = Image(tmp_path / "b.tif", mpp=0.25).input(PLACES)
    words = {image._content.word for image in (given, other, again)}
    assert len(words) == 3
    assert all(len(word) == 32 for word in words)
    assert (patches(given) != patches(other)).any()
    with pytest.raises(DataError, match="a run that has ended"):
        tokens.Token("0" * 32, "").pyramid()
    with pytest.raises(DataError, match="a run that has ended"):
        tokens.Token("../../etc/passwd", "").pyramid()


def test_open_files_are_bounded_and_opened_again(tmp_path, monkeypatch):
    monkeypatch.setattr(tokens._PYRAMIDS, "budget", 2)
    path = write_pyramid(tmp_path / "a.tif", tissue())
    images = [Image(path, mpp=0.25).input(PLACES) for _ in range(4)]
    found = [patches(image) for image in images]
    assert tokens._PYRAMIDS.held <= 2
    for image, expected in zip(images, found, strict=True):
        np.testing.assert_array_equal(patches(image), expected)


def test_a_fingerprint_is_that_of_the_content_and_names_no_file(given, tmp_path):
    same = write_pyramid(tmp_path / "elsewhere.tif", tissue(), ome={"Name": "carcinoma"})
    darker = write_pyramid(tmp_path / "darker.tif", tissue() // 2, ome={"Name": "carcinoma"})

    def fingerprint(path, places=PLACES, mpp=0.25):
        return Image(path, mpp=mpp, target_mpp=0.4).input(places).fingerprint

    found = given.fingerprint
    assert fingerprint(same) == found == pickle.loads(pickle.dumps(given)).fingerprint
    assert given.in_order(np.array([1, 0])).fingerprint == fingerprint(same, PLACES[::-1])
    assert (
        len({found, fingerprint(darker), fingerprint(same, PLACES[::-1]), fingerprint(same, mpp=0.26)}) == 4
    )
    missing = Image(same, mpp=0.25, target_mpp=0.4).input(PLACES)
    same.unlink()
    with pytest.raises(DataError, match="the file cannot be read any more") as caught:
        _ = missing.fingerprint
    assert str(tmp_path) not in str(caught.value)
    assert caught.value.__context__ is None
