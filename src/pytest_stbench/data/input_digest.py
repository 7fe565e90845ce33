"""A digest of everything in an input that a model could change."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from pytest_stbench.data.image import InputImage
from pytest_stbench.data.later import Later, Made

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.data.inputs import ModelSlide


def digest_of(model_slide: ModelSlide) -> str:
    """See :func:`pytest_stbench.data.inputs.digest`."""
    state = hashlib.sha256()
    _add(state, model_slide)
    return state.hexdigest()


def _add(state: hashlib._Hash, value: Any) -> None:
    if isinstance(value, Later | Made):
        return  # what is made anew at every call cannot be changed
    state.update(type(value).__name__.encode())
    if isinstance(value, AnnData):
        _add_anndata(state, value)
    elif isinstance(value, np.ndarray):
        _add_array(state, value)
    elif isinstance(value, pd.DataFrame):
        _add_array(state, value.index.to_numpy())
        for name, column in value.items():
            state.update(repr(name).encode())
            _add_array(state, column.to_numpy())
    elif sparse.issparse(value):
        compressed = value.tocsr()
        state.update(repr(compressed.shape).encode())
        for part in (compressed.data, compressed.indices, compressed.indptr):
            _add_array(state, part)
    elif isinstance(value, dict):
        _add_mapping(state, value)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            state.update(field.name.encode())
            _add(state, getattr(value, field.name))
    elif isinstance(value, InputImage):
        _add_array(state, value.xy_px)
        state.update(repr((value.mpp, value.shape)).encode())
    else:
        state.update(repr(value).encode())


def _add_anndata(state: hashlib._Hash, value: AnnData) -> None:
    _add(state, value.X)
    _add(state, value.obs)
    _add(state, value.var)
    for part in ("obsm", "varm", "layers", "obsp", "varp", "uns"):
        state.update(part.encode())
        _add_mapping(state, getattr(value, part))


def _add_mapping(state: hashlib._Hash, value: Mapping[Any, Any]) -> None:
    for key in sorted(value, key=repr):
        state.update(repr(key).encode())
        _add(state, value[key])


def _add_array(state: hashlib._Hash, value: np.ndarray[Any, Any]) -> None:
    state.update(f"{value.dtype}{value.shape}".encode())
    if value.dtype.hasobject:
        state.update(_text(value.ravel().tolist()).encode("utf-8", "surrogatepass"))
    else:
        state.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8))


def _text(values: list[Any]) -> str:
    try:
        return "\0".join(values)  # six times as fast for names, which are most of it
    except TypeError:  # numbers beside text, and tables such as scanpy leaves in `uns`
        return repr(values)
