"""Files of ``stbench bin`` read back: pitch and measures of the units."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError
from pytest_stbench.spec.model import DatasetSpec

MEASURES = {
    "area_um2": [2619.75] * 4, "cells": [1.0, 2.0, 3.0, 4.0], "control_counts": [0.0] * 4,
    "tissue_share": [0.5, 1.0, 1.0, 0.75], "transcripts": [9.0, 9.0, 9.0, 9.0],
}  # fmt: skip


def read(folder, *, settings=None, obs=None, **config):
    file = anndata.AnnData(
        csr_matrix(np.ones((4, 3), np.float32)),
        obs=pd.DataFrame(MEASURES if obs is None else obs, index=list("abcd")),
        var=pd.DataFrame(index=["TP53", "KRT8", "CD3E"]),
        obsm={"spatial": np.arange(8.0).reshape(4, 2) * 55},
    )
    if settings is not None:
        file.uns["bin"] = settings
    file.obs["patient"] = "P1"
    file.write_h5ad(folder / "S.h5ad")
    spec = DatasetSpec(source="h5ad", path="S.h5ad", technology="Xenium", resolution="xisium", **config)
    return Dataset("toy", spec, load_samples(spec, "toy", [folder]), [folder]).slide("S")


def test_pitch_and_measures_are_read(tmp_path):
    slide = read(tmp_path, settings={"geometry": "tiled", "pitch_um": 55.0})
    assert slide.meta.pitch_um == 55.0
    assert {name: values.tolist() for name, values in slide.measures.items()} == MEASURES


def test_what_the_task_file_says_goes_first(tmp_path):
    assert read(tmp_path, settings={"pitch_um": 55.0}, pitch_um=57.0).meta.pitch_um == 57.0


def test_columns_of_other_files_are_no_measures(tmp_path):
    slide = read(tmp_path)
    assert slide.measures == {}
    assert slide.meta.pitch_um == 100.0


def test_measures_of_some_columns_and_no_pitch(tmp_path):
    slide = read(tmp_path, settings={"geometry": "visium"}, obs={"cells": [1, 2, 3, 4], "more": [1] * 4})
    assert {name: values.tolist() for name, values in slide.measures.items()} == {"cells": [1, 2, 3, 4]}
    assert slide.meta.pitch_um == 100.0


@pytest.mark.parametrize("pitch", [0.0, -55.0, np.inf, "wide", [1.0, 2.0]])
def test_a_pitch_that_is_none_is_an_error(tmp_path, pitch):
    with pytest.raises(DataError, match=r"S\.h5ad.*pitch_um.*form the units anew"):
        read(tmp_path, settings={"pitch_um": pitch})


def test_a_measure_of_words_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"obs\['cells'\].*must hold numbers"):
        read(tmp_path, settings={"pitch_um": 55.0}, obs={"cells": ["a", "b", "c", "d"]})
