from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_stbench import data
from pytest_stbench.data.catalogue import READERS
from pytest_stbench.index import loaded


def test_public_names_load_when_they_are_used():
    for name in data.__all__:
        assert getattr(data, name).__name__ == name
    with pytest.raises(AttributeError, match="attribute Datasets"):
        _ = data.Datasets


def test_importing_the_package_and_its_catalogue_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from pytest_stbench.data import catalogue, gene_lists, roots\n"
        "print({'numpy', 'pandas', 'scipy', 'anndata', 'h5py', 'PIL'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_every_reader_can_be_loaded():
    assert [record.name for record in READERS] == [
        "h5ad", "simulated", "visium", "xenium", "cosmx", "merscope", "spatialdata", "hest", "catalog",
    ]  # fmt: skip
    for record in READERS:
        assert callable(loaded(record))
