from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from pytest_stbench.kernels import compiled as module
from pytest_stbench.kernels.compiled import compiled


@compiled
def total_of(values: np.ndarray) -> float:
    """Add the values."""
    total = 0.0
    for value in values:
        total += value
    return total


def test_a_compiled_function_keeps_its_name_and_result():
    assert total_of(np.arange(5.0)) == 10.0
    assert total_of.__doc__ == "Add the values."


def test_numba_is_imported_at_the_first_call():
    code = (
        "import sys, numpy as np\n"
        "from pytest_stbench.kernels.ranks import average_ranks\n"
        "import pytest_stbench.kernels.moments\n"
        "assert 'numba' not in sys.modules\n"
        "average_ranks(np.eye(2))\n"
        "assert 'numba' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_a_cache_directory_it_still_compiles(monkeypatch):
    numba = pytest.importorskip("numba")
    tried = []

    def njit(**options):
        tried.append("cache" in options)
        if "cache" in options:
            message = "cannot cache function: no locator available"
            raise RuntimeError(message)
        return lambda function: function

    monkeypatch.setattr(numba, "njit", njit)
    assert module._compile(sum)([1, 2]) == 3
    assert tried == [True, False]
