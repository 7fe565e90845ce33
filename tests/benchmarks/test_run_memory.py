"""Memory of a run: it grows with the largest slide, not with the number of slides.

Run: ``pytest tests/benchmarks/test_run_memory.py``. What numpy and Python hold is counted (tracemalloc), so
that the numbers are the same on every machine; the room for arrays of slides is made small, since slides are.
"""

from __future__ import annotations

import tracemalloc
from itertools import islice, product
from string import ascii_uppercase

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

import pytest_stbench
from pytest_stbench.data import holding

N_GENES = 300
N_UNITS = 2000
ROOM = 1 << 20
MOST_A_CELL = 900
"""Bytes for each cell of a further slide, for its scores and sums: with all arrays in memory it was 1,600."""
TASK = """\
stbench: 1
name: many-slides
version: 1
family: imputation
datasets:
  d:
    source: h5ad
    path: "*.h5ad"
    technology: Xenium
    resolution: cell
    panel: sim
    organ: breast
    disease: carcinoma
    preservation: FFPE
    keys: {patient: patient, slide: slide}
    scale: {um_per_px: 1.0}
splits: [lopo]
preprocess:
  genes: {select: svg, n: 30}
imputation: {hide: {folds: 5, fold: 0}}
"""


def cohort(folder, n_slides, n_units):
    """Write slides of cells whose genes follow a few programmes in space."""
    folder.mkdir()
    shared = np.random.default_rng(0)
    programmes = shared.gamma(0.3, 1.0, (6, N_GENES)) * 0.5
    # Of one stem they would be one family, which is hidden as a whole.
    genes = pd.DataFrame(
        index=["".join(letters) + "X" for letters in islice(product(ascii_uppercase, repeat=2), N_GENES)]
    )
    for number in range(n_slides):
        rng = np.random.default_rng(number + 1)
        places = rng.uniform(0, 3000, (n_units, 2))
        waves = np.sin(places @ rng.normal(0, 0.004, (2, 6)) + rng.uniform(0, 6, 6)) + 1.1
        counts = csr_matrix(rng.poisson(waves @ programmes).astype(np.float32))
        name = f"P{number:02d}"
        obs = pd.DataFrame(
            {"patient": name, "slide": name}, index=[f"{name}-{unit}" for unit in range(n_units)]
        )
        cells = anndata.AnnData(counts, obs=obs, var=genes.copy())
        cells.obsm["spatial"] = places
        cells.write_h5ad(folder / f"{name}.h5ad")
    (folder / "many.stbench.yaml").write_text(TASK)
    return folder / "many.stbench.yaml"


def peak_of(task, store):
    """Return the bytes that are held at the highest beside what was held before, in a run from nothing."""
    tracemalloc.start()
    try:
        results = pytest_stbench.evaluate(task, "ridge", store=store)
        assert not results.failures, results.failures
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore")
def test_memory_does_not_grow_with_the_number_of_slides(tmp_path, monkeypatch):
    monkeypatch.setattr(holding, "MOST_BYTES", ROOM)
    # What is imported and compiled once is no memory of slides.
    pytest_stbench.evaluate(cohort(tmp_path / "first", 3, 300), "ridge", store=tmp_path / "s")
    peaks = [peak_of(cohort(tmp_path / f"of-{n}", n, N_UNITS), tmp_path / f"s{n}") for n in (6, 12)]
    assert peaks[1] - peaks[0] < MOST_A_CELL * 6 * N_UNITS, peaks
