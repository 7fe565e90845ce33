"""HDF5 files as strangers may have made them: nothing leads out of a file, shapes fit what is there.

Heaps of text are looked at first: libhdf5 2.0 does not come back from some damaged ones.
"""

from __future__ import annotations

import math
import mmap
from typing import TYPE_CHECKING, Any

import h5py

from pytest_stbench.data.untrusted import DEFLATE, refuse_hollow
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPARSE = ("data", "indices", "indptr")
_SOUND: set[tuple[str, int, int, int]] = set()
"""Path, size, time and inode of files that were looked at."""


def check_bounds(file: h5py.File, path: Path) -> None:
    """Look at every link and header of a file, once for each state of it; no value is read.

    Raises
    ------
    DataError
        A link to another file, a data set that is put together of other files or lies in one; one that
        declares more than its bytes can hold; a sparse matrix whose parts or tables differ in length.
    """
    stat = path.stat()
    state = (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)
    if state in _SOUND:
        return
    heap = damaged_heap(path, stat.st_size)
    if heap is not None:
        _refuse(path, f"the heap of text at byte {heap:,} is not filled by what it says it holds")
    for node in _nodes(file, path):
        if isinstance(node, h5py.Dataset):
            _check_dataset(node, path)
        elif all(isinstance(node.get(name), h5py.Dataset) for name in SPARSE):
            _check_sparse(node, file, path)
    _SOUND.add(state)


def _nodes(file: h5py.File, path: Path) -> Iterator[Any]:
    """Yield every group and data set once; a link within the file leads to what stands elsewhere in it."""
    waiting: list[Any] = [file]
    seen: set[Any] = set()
    while waiting:
        node = waiting.pop()
        place = h5py.h5o.get_info(node.id).addr
        if place in seen:
            continue
        seen.add(place)
        yield node
        for name in node if isinstance(node, h5py.Group) else ():
            link = node.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                _refuse(path, f"{node.name.rstrip('/')}/{name} is a link to {link.filename!r}")
            if isinstance(link, h5py.HardLink):
                child = node[name]
                if isinstance(child, h5py.Group | h5py.Dataset):
                    waiting.append(child)


def _check_dataset(node: h5py.Dataset, path: Path) -> None:
    if node.is_virtual:
        _refuse(path, f"{node.name} is put together of other files")
    if node.external:
        _refuse(path, f"{node.name} lies in {node.external[0][0]!r}")
    size = math.prod(node.shape or (0,)) * node.dtype.itemsize
    refuse_hollow(path, f"{node.name} {node.shape}", size, node.id.get_storage_size(), DEFLATE)


def _check_sparse(node: h5py.Group, file: h5py.File, path: Path) -> None:
    """Compare the shape that a matrix declares with its parts, and with the tables of units and genes."""
    shape = node.attrs.get("shape", node.attrs.get("h5sparse_shape"))
    kind = node.attrs.get("encoding-type", node.attrs.get("h5sparse_format", ""))
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if shape is None or len(shape) != 2 or kind.removesuffix("_matrix") not in ("csr", "csc"):
        return  # of another kind: who reads it says so
    rows, columns = (int(length) for length in shape)
    ends = (columns if kind.startswith("csc") else rows) + 1
    if node["indptr"].shape != (ends,) or node["data"].shape != node["indices"].shape:
        found = ", ".join(f"{name} {node[name].shape}" for name in SPARSE)
        _refuse(path, f"{node.name} declares {rows} x {columns} values in {kind}, and has {found}")
    units, genes = (
        length_of(file.get("obs")),
        length_of(file.get("raw/var" if node.name == "/raw/X" else "var")),
    )
    of_units = node.name in ("/X", "/raw/X") or node.name.startswith("/layers/")
    if of_units and ((units is not None and rows != units) or (genes is not None and columns != genes)):
        _refuse(path, f"{node.name} declares {rows} x {columns}, obs and var have {units} x {genes} rows")


def length_of(frame: Any) -> int | None:
    """Return the rows of a table; None where its index is no column."""
    if isinstance(frame, h5py.Dataset):
        return int(frame.shape[0]) if len(frame.shape) == 1 else None
    if frame is None:
        return None
    name = frame.attrs.get("_index", "_index")
    index = frame.get(name.decode() if isinstance(name, bytes) else str(name))
    if isinstance(index, h5py.Group):  # text with a mask
        index = index.get("values")
    return int(index.shape[0]) if isinstance(index, h5py.Dataset) and len(index.shape) == 1 else None


def _refuse(path: Path, what: str) -> None:
    raise DataError(f"{path}: {what}: the file is damaged, or reads others; write it anew as one whole file")


SIGNATURE = b"GCOL\x01\x00\x00\x00"
"""Of a collection of variable-length values (HDF5 file format, III.E), version 1."""

HEADER = 16
BLOCK = 1 << 22
LARGEST = 1 << 30
"""Bytes up to which a file is gone through: its heaps may be anywhere in it."""


def damaged_heap(path: Path, size: int) -> int | None:
    """Return where the first collection stands whose objects do not fill it; None where there is none."""
    if not 0 < size <= LARGEST:
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return next((at for at in _collections(content) if not _sound(content, at)), None)


def _collections(content: mmap.mmap) -> Iterator[int]:
    """Yield where collections stand. Bytes are searched, a block at a time: ten times as fast as the map."""
    for start in range(0, len(content), BLOCK):
        block = content[start : start + BLOCK + len(SIGNATURE) - 1]
        at = block.find(SIGNATURE)
        while at >= 0:
            yield start + at
            at = block.find(SIGNATURE, at + 1)


def _sound(content: mmap.mmap, start: int) -> bool:
    size = int.from_bytes(content[start + 8 : start + HEADER], "little")
    if not HEADER <= size <= len(content) - start:
        return False
    # Objects stand at multiples of 8 bytes: a number and a size, then as many bytes.
    words = memoryview(content[start : start + size - size % 8]).cast("Q").tolist()
    at, last = 2, len(words) - 2
    while at <= last:
        # The object without a number is the space that is free, its header included.
        step = 2 + (words[at + 1] + 7 >> 3) if words[at] & 0xFFFF else words[at + 1] >> 3
        if not 2 <= step <= last + 2 - at:
            return False
        at += step
    return True
