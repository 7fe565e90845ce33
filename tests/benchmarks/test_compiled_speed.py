"""What compiling costs: the first call of a kernel in a fresh process, before and after its code is kept.

Each row has the import of the kernel in it, of which ``import alone`` is what remains without a call.
"""

from __future__ import annotations

import pytest

START = "import numpy as np, scipy.sparse as sp\nrng = np.random.default_rng(0)\nx = rng.random((99, 99))\n"
CALLS = {
    "import alone": "import numba, pytest_stbench.metrics",
    "moments": "from pytest_stbench.metrics import pearson_gene as f\nf(x, x[::-1])",
    "ranks": "from pytest_stbench.metrics import spearman_gene as f\nf(x, x[::-1])",
    "Moran's I": (
        "from pytest_stbench.kernels.moran import morans_i as f\n"
        "f(sp.random(99, 9, 0.5, format='csr'), sp.csr_matrix(x + x.T > 1.5))"
    ),
    "Wilcoxon": (
        "from pytest_stbench.kernels.markers import one_vs_rest as f\n"
        "f(sp.random(99, 9, 0.5, format='csr'), rng.integers(0, 3, 99), 3)"
    ),
    "structural similarity": (
        "from pytest_stbench.kernels.ssim import mean_ssim as f\nf(x, x[::-1], data_range=1.0, offset=0.0)"
    ),
    "hexagons": (
        "from pytest_stbench.kernels.lattice import cover, units_at as f\n"
        "f(cover('tiled', (0, 0), (99, 99)), 99 * rng.random(9), 99 * rng.random(9))"
    ),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Return a folder for the machine code of each kernel."""
    return {name: str(tmp_path_factory.mktemp("compiled")) for name in CALLS}


@pytest.mark.parametrize("code", ["compiled", "kept"])
@pytest.mark.parametrize("kernel", CALLS)
@pytest.mark.benchmark(group="first call of a kernel in a fresh process")
def test_first_call(fresh, kept, monkeypatch, kernel, code):
    monkeypatch.setenv("NUMBA_CACHE_DIR", kept[kernel])
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    fresh(START + CALLS[kernel])
