"""Cellpose 4 (Pachitariu et al. 2025, 10.1101/2025.04.28.651001), also as ``cellpose:WEIGHTS``."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

from pytest_stbench.adapters import Segmenter
from pytest_stbench.adapters.images import best_device
from pytest_stbench.models.weights import loading, local_file

NEEDS, EXTRA, LICENCE = {"cellpose": "cellpose", "torch": "torch"}, "image", "CC-BY-NC-4.0"
COMMERCIAL, DEFAULT = False, "cpsam_v2"  # the code is BSD-3-Clause, the weights are not


def segment(image: Any, *, which: str, file: str) -> Any:
    """Return the masks at the resolution of the tile."""
    return _net(which, file).eval(image)[0]


def model(which: str = DEFAULT) -> Segmenter:
    """Return the model of some weights."""
    file = local_file(which)
    _net(which, str(file or ""))
    found = Segmenter(partial(segment, which=which, file=str(file or "")))
    vars(found).update(weights=file.digest if file else which)
    return found


@lru_cache(maxsize=1)
def _net(which: str, file: str) -> Any:
    import torch
    from cellpose.models import CellposeModel

    gpu = best_device()
    with loading(f"cellpose:{which}"):
        return CellposeModel(
            pretrained_model=file or which, device=torch.device(gpu), use_bfloat16=gpu != "cpu"
        )
