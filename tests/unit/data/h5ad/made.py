"""Small Visium sections as AnnData, and how they are read, proposed and judged."""

from __future__ import annotations

import json

import anndata
import h5py
import numpy as np
import pandas as pd
from click.testing import CliRunner
from scipy import sparse

from pytest_stbench.cli import main
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.resources import gene_symbols
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.spec.validate import load_task

UM = 0.35
"""um a pixel of the sections."""

ROWS, COLUMNS = 12, 10
N = ROWS * COLUMNS
GENES = sorted(name for name in gene_symbols() if name.isalpha() and len(name) == 4)[:60]


def lattice():
    """Array row and column of a Visium lattice, and its places in um."""
    row, place = (axis.ravel() for axis in np.meshgrid(range(ROWS), range(COLUMNS), indexing="ij"))
    column = 2 * place + row % 2
    return row, column, np.column_stack([column * 50.0, row * 50.0 * np.sqrt(3)])


def section(seed=0, *, offset=0.0, um=UM, patient=None):
    """One section: counts in X, pixels in obsm, array positions and patient in obs."""
    rng = np.random.default_rng(seed)
    row, column, places = lattice()
    signal = np.sin(places[:, :1] / 300 + seed) + np.cos(places[:, 1:] / 400)
    slope = np.random.default_rng(0).normal(0, 0.6, (1, len(GENES)))
    obs = {"patient": patient or f"P{seed}", "array_row": row, "array_col": column, "in_tissue": 1}
    made = anndata.AnnData(
        sparse.csr_matrix(rng.poisson(np.exp(2.5 + signal * slope)).astype(np.float32)),
        obs=pd.DataFrame(obs, index=[f"bc{i:04d}-1" for i in range(N)]),
        var=pd.DataFrame(index=GENES),
    )
    made.obsm["spatial"] = places / um + offset
    return made


def joined(*parts, key="batch", names="AB", suffix="-", **obs):
    """Sections in one AnnData, as ``anndata.concat`` makes it."""
    made = anndata.concat(parts, label=key, keys=list(names), index_unique=suffix)
    made.obs = made.obs.assign(**obs)
    return made


def seurat_disk(path, columns, names, n=N):
    """Rewrite columns of ``obs`` as SeuratDisk does: codes beside names, without a reference."""
    with h5py.File(path, "a") as file:
        obs = file["obs"]
        for column, codes in columns.items():
            if column in obs:
                del obs[column]
            obs[column] = codes
        group = obs.require_group("__categories")
        for column, levels in names.items():
            group.create_dataset(column, data=np.array(levels, dtype=object), dtype=h5py.string_dtype())


def dataset(folder, path="*.h5ad", **config):
    """The data set of the files, Visium spots by default."""
    said = {"technology": "Visium", "resolution": "spot", "panel": "p"}
    spec = DatasetSpec(source="h5ad", path=path, **{**said, **config})
    return Dataset("d", spec, load_samples(spec, "d", [folder]), [folder])


def new(folder, monkeypatch, pattern="*.h5ad"):
    """Return the data set that `stbench new` proposes, as it is read, and the text; or the message."""
    monkeypatch.chdir(folder)
    # Slides are too small to be scored: what is proposed is looked at, and not whether it runs.
    monkeypatch.setattr("pytest_stbench.cli.new.MAX_BYTES", 0)
    done = CliRunner().invoke(main, ["new", "t", "--data", pattern])
    if done.exit_code:
        assert done.exit_code == 2, done.output
        assert not (folder / "t.stbench.yaml").exists()
        return done.output
    spec = load_task(folder / "t.stbench.yaml", builtin_registry()).spec
    config = spec.datasets["t"]
    found = Dataset("t", config, load_samples(config, "t", [folder]), [folder])
    return config, found, (folder / "t.stbench.yaml").read_text()


def check(folder, *options, pattern="*.h5ad", select=None):
    """Return what `stbench check` says, by check, and the notes above it."""
    chosen = () if select is None else ("--select", select)
    done = CliRunner().invoke(main, ["check", str(folder / pattern), "--format", "json", *chosen, *options])
    assert done.exit_code in (0, 1), done.output
    stored = json.loads(done.stdout)
    return {one["name"]: one for one in stored["checks"]}
