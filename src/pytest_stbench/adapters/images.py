"""Embeddings and instances by nets and functions that take images."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide
    from pytest_stbench.data.region import Region

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, on which most nets were trained


class PatchEncoder:
    """A model of ``embed`` made of a net; each slide is embedded once for all folds.

    Parameters
    ----------
    net
        A torch module, or a function without arguments that loads one when the first slide is embedded. It
        gets (batch, 3, size, size) float32 and returns (batch, d).
    size, mpp, mean, std
        Pixels of a patch, um per pixel, and mean and SD of each channel (of 0 to 1), as the net was trained.
    batch, device
        Patches at a time, and where: None takes a GPU where there is one, the n-th for the n-th ``-n``
        worker. On a GPU the net computes in bfloat16 where it can.
    name, revision, **said
        Identity, and what else the model says of itself (``pretraining`` ...).
    """

    input_class = "image"

    def __init__(
        self, net: Any, size: int = 224, mpp: float = 0.5, mean: Any = MEAN, std: Any = STD,
        batch: int = 64, device: str | None = None, *, name: str | None = None, revision: str | None = None,
        **said: Any,
    ) -> None:  # fmt: skip
        self.net, self.size, self.mpp, self.batch, self.device = net, size, mpp, batch, device
        self.mean, self.std = mean, std
        self.name, self.revision = name or getattr(net, "__name__", type(net).__name__), revision
        vars(self).update(said)

    def embed(self, slide: ModelSlide) -> NDArray[np.float32]:
        """Return (units, d) float32."""
        import torch

        device = self.device or best_device()
        self.net = (self.net if isinstance(self.net, torch.nn.Module) else self.net()).eval().to(device)
        scale = [
            torch.tensor(part, device=device).mul(255).view(1, 3, 1, 1) for part in (self.mean, self.std)
        ]
        found = np.empty((slide.n_units, 0), dtype=np.float32)
        for units, patches in slide.batches(self.size, self.mpp, self.batch):
            rows = self._rows(torch.from_numpy(np.ascontiguousarray(patches)), scale, device)
            if not found.shape[1]:
                found = np.empty((slide.n_units, rows.shape[1]), dtype=np.float32)
            found[units] = rows
        return found

    def _rows(self, patches: Any, scale: list[Any], device: str) -> NDArray[np.float32]:
        import torch

        gpu = device.startswith("cuda")
        if gpu:  # as bytes: a quarter of what floats would move
            patches = patches.pin_memory().to(device, non_blocking=True)
        with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=gpu):
            rows = self.net(patches.permute(0, 3, 1, 2).float().sub_(scale[0]).div_(scale[1]))
        shape = tuple(getattr(rows, "shape", ()))
        if shape[:1] == (len(patches),) and len(shape) > 1 and set(shape[2:]) <= {1}:
            return np.asarray(rows.reshape(shape[:2]).float().cpu())
        raise ModelError(
            f"{self.name}: the net returned {shape or type(rows).__name__} for {len(patches)} patches, "
            "expected one vector a patch: return the class token, or the mean over tokens or places"
        )


def best_device() -> str:
    """Return the GPU of this ``-n`` worker where there is one, else ``cpu``."""
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return f"cuda:{int(worker) % torch.cuda.device_count()}"


class Segmenter:
    """A model of ``segment`` made of a function.

    Parameters
    ----------
    method
        ``method(image)``: of (H, W, 3) uint8 it returns labels (H, W), 0 for background, of whatever type.
    mpp
        um per pixel at which it is asked; labels are brought back to the tile. None asks at the tile's own.
    """

    input_class = "image"

    def __init__(
        self, method: Callable[[NDArray[np.uint8]], Any], *, mpp: float | None = None,
        name: str | None = None, revision: str | None = None,
    ) -> None:  # fmt: skip
        self.method, self.mpp = method, mpp
        self.name, self.revision = name or getattr(method, "__name__", type(method).__name__), revision

    def segment(self, slide: ModelSlide, region: Region) -> NDArray[np.int32]:
        """Return (H, W) int32."""
        from PIL import Image

        del slide
        image = np.array(region.image)
        if self.mpp is not None:
            width, height = (max(1, round(side * region.mpp / self.mpp)) for side in region.shape[::-1])
            image = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
        found = self.method(image)
        labels = np.asarray(found.detach().cpu() if hasattr(found, "detach") else found)
        labels = labels.reshape(image.shape[:2]) if labels.size == image[..., 0].size else labels
        if labels.shape != image.shape[:2] or labels.dtype == bool or np.any(labels != np.floor(labels)):
            raise ModelError(
                f"{self.name} returned {labels.dtype} of shape {labels.shape} for an image of "
                f"{image.shape[:2]}, expected whole numbers: make labels of masks and probabilities first"
            )
        back = Image.fromarray(labels.astype(np.int32)).resize(region.shape[::-1], Image.Resampling.NEAREST)
        return np.array(back, dtype=np.int32)
