from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from pytest_stbench import metrics
from pytest_stbench.index import loaded
from pytest_stbench.metrics.catalogue import METRICS


@pytest.mark.parametrize("record", METRICS, ids=lambda record: record.name)
def test_a_record_fits_its_function(record):
    function = loaded(record)
    assert getattr(metrics, record.name) is function
    parameters = inspect.signature(function).parameters
    if record.needs == "expression":
        assert ("genes" in parameters, "units" in parameters) == (
            record.over != "unit",
            record.over == "unit",
        )
        assert "measured" in parameters
    directions = {
        "up": ("higher is better",),
        "down": ("lower is better",),
        "context": ("1 is ideal", "higher is better", "neither direction is better"),
    }[record.better]
    said = " ".join(function.__doc__.split())
    assert any(direction in said for direction in directions), f"its docstring says one of {directions}"


def test_the_package_offers_every_public_name():
    assert set(metrics.__all__) == set(dir(metrics))
    assert {record.name for record in METRICS} <= set(metrics.__all__), "run: stbench index"
    for name in metrics.__all__:
        assert getattr(metrics, name).__name__ == name
    with pytest.raises(AttributeError, match="attribute pearson"):
        metrics.pearson  # noqa: B018 (looking the name up is the test)


def test_the_catalogue_imports_nothing_heavy():
    code = (
        "import sys\n"
        "import pytest_stbench.metrics, pytest_stbench.metrics.catalogue, pytest_stbench.kernels\n"
        "heavy = {'numpy', 'scipy', 'pandas', 'anndata', 'scanpy', 'sklearn', 'numba', 'pytest'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
