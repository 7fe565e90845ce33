"""Reading data: slides, their samples table, images and what models are given of them.

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_stbench.data.build import build_input as build_input
    from pytest_stbench.data.build import build_train as build_train
    from pytest_stbench.data.build import build_truth as build_truth
    from pytest_stbench.data.dataset import Dataset as Dataset
    from pytest_stbench.data.gene_lists import read_gene_list as read_gene_list
    from pytest_stbench.data.image import Image as Image
    from pytest_stbench.data.image import InputImage as InputImage
    from pytest_stbench.data.inputs import ModelSlide as ModelSlide
    from pytest_stbench.data.inputs import TaskInfo as TaskInfo
    from pytest_stbench.data.inputs import TrainSlide as TrainSlide
    from pytest_stbench.data.inputs import TruthSlide as TruthSlide
    from pytest_stbench.data.inputs import digest as digest
    from pytest_stbench.data.samples import load_samples as load_samples
    from pytest_stbench.data.slide import Slide as Slide
    from pytest_stbench.data.slide import SlideMeta as SlideMeta

_HOMES = {
    "Dataset": "dataset",
    "Image": "image",
    "InputImage": "image",
    "ModelSlide": "inputs",
    "Slide": "slide",
    "SlideMeta": "slide",
    "TaskInfo": "inputs",
    "TrainSlide": "inputs",
    "TruthSlide": "inputs",
    "build_input": "build",
    "build_train": "build",
    "build_truth": "build",
    "digest": "inputs",
    "load_samples": "samples",
    "read_gene_list": "gene_lists",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
