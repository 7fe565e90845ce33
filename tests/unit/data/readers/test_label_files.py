from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.data.readers.imaging.outlines import _image
from pytest_stbench.errors import DataError


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / "whole.npz"
    np.savez(path, labels=np.arange(16).reshape(4, 4), um_per_px=0.5)
    return path


def test_a_whole_file_is_read(whole):
    labels, scale = _image(whole)
    assert labels.tolist() == np.arange(16).reshape(4, 4).tolist()
    assert scale == 0.5


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["truncated", "empty", "text", "a single array", "without labels"])
def test_a_damaged_file_is_named_and_closed(tmp_path, whole, kind):
    path = tmp_path / "S1.npz"
    content = whole.read_bytes()
    parts = {"truncated": content[: len(content) // 2], "empty": b"", "text": b"no archive"}
    if kind in parts:
        path.write_bytes(parts[kind])
    elif kind == "a single array":
        np.save(tmp_path / "one.npy", np.ones(3))
        (tmp_path / "one.npy").rename(path)
    else:
        np.savez(path, other=np.ones(3))
    with pytest.raises(DataError, match=r"S1\.npz: cannot be read as a label image"):
        _image(path)
