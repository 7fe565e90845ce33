"""Patches of a slide as HEST writes them: HDF5 of one chunk a patch, that is written batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pytest_stbench.data.input_image import InputImage

SIZE = 224
MPP = 0.5


def write_patches(image: InputImage, names: NDArray[np.str_], path: Path) -> None:
    """Write the patches around the units `names` that have a place, `SIZE` pixels of `MPP` um or coarser.

    ``img`` (p, size, size, 3), ``coords`` (p, 2), their upper left corners in pixels of ``image.array``,
    ``barcode`` (p, 1). The attribute ``patch_size_src`` of ``img`` is a side in such pixels.
    """
    import h5py
    import numpy as np

    mpp = max(MPP, image.mpp)
    side = SIZE * mpp / image.mpp
    placed = np.isfinite(image.xy_px).all(axis=1)
    row = np.cumsum(placed) - 1
    with h5py.File(path, "w") as file:
        shape = (int(placed.sum()), SIZE, SIZE, 3)
        img = file.create_dataset("img", shape, np.uint8, chunks=(1, *shape[1:]) if shape[0] else None)
        img.attrs.update({"patch_size_src": side, "patch_size_target": SIZE, "mpp": mpp})
        file["coords"] = np.rint(image.xy_px[placed] - side / 2).astype(np.int64)
        file["barcode"] = names[placed].astype(bytes)[:, None]
        for units, patches in image.batches(SIZE, mpp):
            for unit, patch in zip(units.tolist(), patches, strict=True):
                if placed[unit]:
                    img[row[unit]] = patch
