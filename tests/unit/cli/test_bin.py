from __future__ import annotations

import sys
from dataclasses import dataclass

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from pytest_stbench.cli import UserError
from pytest_stbench.cli.bin import _rows, bin_table
from pytest_stbench.data.binning import files
from pytest_stbench.data.slide import TranscriptBatch
from pytest_stbench.errors import DataError, StbenchError


@dataclass
class Molecules:
    """5,000 transcripts on 500 x 400 um: A, A again under a second number, B and a control."""

    features = np.array(["A", "B", "NegControlProbe_1", "A"])
    kinds = np.array(["gene", "gene", "negative_control_probe", "gene"])

    def batches(self, *, cells=False):
        rng = np.random.default_rng(0)
        x, y = rng.uniform(0, 500, 5000), rng.uniform(0, 400, 5000)
        feature, qv = rng.integers(0, 4, 5000), rng.uniform(0, 60, 5000)
        yield TranscriptBatch(x_um=x, y_um=y, feature=feature.astype(np.int32), qv=qv.astype(np.float32))


@pytest.fixture(autouse=True)
def opened(monkeypatch):
    """A reader of tables that knows one."""
    paths = []

    def open_transcripts(path, *, um_per_px=None):
        paths.append(path)
        if path.name.startswith("broken"):
            message = f"{path}: no column holds x"
            raise DataError(message)
        return Molecules()

    monkeypatch.setattr("pytest_stbench.data.binning.files.open_transcripts", open_transcripts)
    return paths


def run(*arguments):
    """Run the command as the group does: errors of the package become their text."""
    from click import Group

    class Main(Group):
        def invoke(self, ctx):
            try:
                return super().invoke(ctx)
            except StbenchError as error:
                raise UserError(str(error)) from None

    return CliRunner().invoke(Main(commands=[bin_table]), ["bin", *map(str, arguments)])


def test_writes_units_with_counts_measures_and_totals(tmp_path, opened):
    out = tmp_path / "out.h5ad"
    result = run(tmp_path / "in.parquet", out, "--geometry", "visium", "--origin-um", 10, -5)
    assert result.exit_code == 0, result.output
    assert opened == [tmp_path / "in.parquet"]
    found = ad.read_h5ad(out)
    assert found.var_names.tolist() == ["A", "B"]
    assert found.X.dtype == np.int32
    assert list(found.obs) == ["array_row", "array_col", "tissue_share", "area_um2", "transcripts"]
    assert found.obs_names[0] == f"{found.obs['array_row'].iloc[0]}x{found.obs['array_col'].iloc[0]}"
    assert (found.obs["tissue_share"] >= 0.5).all()
    assert found.obsm["spatial"].shape == (found.n_obs, 2)
    settings = found.uns["bin"]
    assert (settings["geometry"], settings["pitch_um"], settings["min_qv"]) == ("visium", 100.0, 20.0)
    assert settings["origin_um"].tolist() == [10.0, -5.0]
    notes = found.uns["notes"]
    assert notes["transcripts_kept"] == found.X.sum()
    assert "transcripts: 5,000 read = " in result.output
    kept, low = notes["transcripts_kept"], notes["transcripts_low_qv"]
    assert f"= {kept:,} kept + {low:,} low quality" in result.output
    assert f"{notes['transcripts_control']:,} controls" in result.output
    assert (
        f"units: {found.n_obs} kept, {notes['units_outside_tissue']} with too little tissue" in result.output
    )
    assert [path.name for path in tmp_path.iterdir()] == ["out.h5ad"]


def test_the_printed_parts_sum_to_the_total(tmp_path):
    result = run(tmp_path / "in.csv", tmp_path / "o.h5ad", "--geometry", "square", "--size-um", 16)
    line = result.output.splitlines()[0]
    total, parts = line.split(" read = ")
    numbers = [int(part.split()[0].replace(",", "")) for part in parts.split(" + ")]
    assert sum(numbers) == int(total.split()[-1].replace(",", "")) == 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--geometry", "square"], "--size-um is the side of squares"),
        (["--geometry", "tiled", "--size-um", "8"], "--size-um is the side of squares"),
        (["--geometry", "square", "--size-um", "-1"], "--size-um: Input should be greater than 0"),
        (["--geometry", "visium", "--min-tissue", "1.5"], "--min-tissue: Input should be less than or equal"),
        (["--geometry", "visium", "--min-qv", "nan"], "--min-qv"),
        (["--geometry", "visium", "--origin-um", "inf", "0"], "--origin-um"),
        (["--geometry", "round"], "'round' is not one of"),
        ([], "Missing option '--geometry'"),
    ],
)
def test_wrong_options_are_told(tmp_path, opened, arguments, message):
    result = run(tmp_path / "in.parquet", tmp_path / "o.h5ad", *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert opened == []


@pytest.mark.parametrize(
    ("name", "message"),
    [("o.csv", "name it NAME.h5ad"), ("no/o.h5ad", "no folder"), ("d.h5ad", "is a folder: name a file")],
)
def test_wrong_targets_are_told_before_anything_is_read(tmp_path, opened, name, message):
    (tmp_path / "d.h5ad").mkdir()
    result = run(tmp_path / "in.parquet", tmp_path / name, "--geometry", "visium")
    assert result.exit_code == 2
    assert message in result.output
    assert opened == []


def test_errors_of_the_table_and_of_binning_leave_no_file(tmp_path):
    for name, more, message in (
        ("broken.parquet", (), "no column holds x"),
        ("in.parquet", ("--min-qv", 61), "no transcript is left"),
    ):
        result = run(tmp_path / name, tmp_path / "o.h5ad", "--geometry", "visium", *more)
        assert result.exit_code == 2
        assert message in result.output
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    (tmp_path / "o.h5ad").write_text("before")

    def full(self, path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ad.AnnData, "write_h5ad", full)
    result = run(tmp_path / "in.parquet", tmp_path / "o.h5ad", "--geometry", "visium")
    assert result.exit_code == 2
    assert "No space left on device" in result.output
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def anndata_of_100(monkeypatch):
    """Let anndata take 100 for the largest number of 32 bits, as it takes 2^31 - 1."""
    from types import SimpleNamespace

    from anndata._core import sparse_dataset

    class Numbers:
        def __getattr__(self, name):
            return getattr(np, name)

        @staticmethod
        def iinfo(kind):
            return SimpleNamespace(max=100) if kind is np.int32 else np.iinfo(kind)

    monkeypatch.setattr(sparse_dataset, "np", Numbers())
    monkeypatch.setattr(files, "BLOCK_COUNTS", 20)


def test_more_counts_than_32_bits_can_number_are_written(tmp_path, monkeypatch):
    narrow, wide = tmp_path / "narrow.h5ad", tmp_path / "wide.h5ad"
    run(tmp_path / "in.csv", narrow, "--geometry", "square", "--size-um", 16)
    before = ad.read_h5ad(narrow)
    assert before.X.nnz > 100
    anndata_of_100(monkeypatch)
    monkeypatch.setattr(files, "MOST_NARROW", 100)
    result = run(tmp_path / "in.csv", wide, "--geometry", "square", "--size-um", 16)
    assert result.exit_code == 0, result.output
    with h5py.File(narrow) as one, h5py.File(wide) as other:
        assert (one["X/indptr"].dtype, other["X/indptr"].dtype) == (np.int32, np.int64)
    assert (ad.read_h5ad(wide).X != before.X).nnz == 0


def test_anndata_takes_no_more_than_the_first_block_was_numbered_for(tmp_path, monkeypatch):
    anndata_of_100(monkeypatch)
    monkeypatch.setattr(files, "MOST_NARROW", np.inf)
    result = run(tmp_path / "in.csv", tmp_path / "o.h5ad", "--geometry", "square", "--size-um", 16)
    assert isinstance(result.exception, OverflowError), "else the width need not be chosen"


def test_rows_of_both_passes_are_known_before_they_are_read(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"x": range(7)}).to_parquet(path)
    assert _rows(path) is None, "nobody watches"
    monkeypatch.setattr("pytest_stbench.cli.bin.is_live", lambda stream: True)
    assert _rows(path) == 14
    assert _rows(tmp_path / "t.csv") is None


def test_the_command_is_imported_without_heavy_libraries():
    import subprocess

    heavy = ("numpy", "pydantic", "pyarrow")
    code = f"import sys, pytest_stbench.cli.bin; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
