"""Files as strangers may have made them: harmless ones of our own, against limits that the tests set."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse

from pytest_stbench.data import untrusted
from pytest_stbench.data.catalog.fetch import unpack
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.encoded import decode, size_of
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.data.readers.imaging.tables import columns_of, matrix_of, numbers_of
from pytest_stbench.data.readers.tenx import read_matrix
from pytest_stbench.data.readers.transcripts import open_transcripts
from pytest_stbench.data.samples import load_samples
from pytest_stbench.data.untrusted import refuse_links_in, refuse_links_out
from pytest_stbench.errors import DataError
from pytest_stbench.spec.model import DatasetSpec

KEYS = {"niche": "region", "patient": "patient"}
LINKS = pytest.mark.skipif(os.name == "nt", reason="links need rights there")


@pytest.fixture
def small(monkeypatch):
    """Nothing is free: what is declared must be held."""
    monkeypatch.setattr(untrusted, "FREE_BYTES", 1000)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def h5ad(folder):
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"region": ["a", "b"] * 10, "patient": "P"}, index=[f"u{n}" for n in range(20)])
    var = pd.DataFrame(index=[f"G{n}" for n in range(6)])
    with quiet_anndata():
        made = anndata.AnnData(sparse.csr_matrix(rng.poisson(5, (20, 6))), obs=obs, var=var)
        made.obsm["spatial"] = rng.uniform(0, 1000, (20, 2))
        made.write_h5ad(folder / "S1.h5ad")
    return folder / "S1.h5ad"


def read(folder):
    spec = DatasetSpec(
        source="h5ad", path="*.h5ad", keys=KEYS, scale={"um_per_px": 1.0}, technology="ST", resolution="spot"
    )
    dataset = Dataset("d", spec, load_samples(spec, "d", (folder,)), (folder,))
    return [slide for slide in dataset.slides() if slide.n_units and slide.genes.size]


def outside(path):
    """A file beside the folder of the data, with one array."""
    beside = path.parents[1] / "beside.h5"
    with h5py.File(beside, "w") as file:
        file["x"] = np.arange(20.0)
    return str(beside)


def external_link(file, path):
    del file["obs/region"]
    file["obs/region"] = h5py.ExternalLink(outside(path), "x")


def link_nobody_reads(file, path):
    file["uns/more"] = h5py.ExternalLink(outside(path), "x")


def virtual(file, path):
    del file["obsm/spatial"]
    layout = h5py.VirtualLayout((20, 2), "f8")
    for axis in range(2):
        layout[:, axis] = h5py.VirtualSource(outside(path), "x", shape=(20,))
    file.create_virtual_dataset("obsm/spatial", layout)


def external_bytes(file, path):
    del file["obsm/spatial"]
    raw = path.parents[1] / "raw.bin"
    raw.write_bytes(bytes(320))
    file.create_dataset("obsm/spatial", (20, 2), "f8", external=[(str(raw), 0, 320)])


def declared_only(file, path):
    file.create_dataset("obsm/more", (500, 100), "f8", chunks=(10, 10))


def other_rows(file, path):
    file["X"].attrs["shape"] = [10_000, 6]


def other_columns(file, path):
    file["X"].attrs["shape"] = [20, 10_000]


def csc_of_many_rows(file, path):
    csc = sparse.csc_matrix(np.ones((20, 6)))
    del file["X"]
    group = file.create_group("X")
    group.attrs["encoding-type"], group.attrs["encoding-version"] = "csc_matrix", "0.1.0"
    group.attrs["shape"] = [10_000_000, 6]
    for name in ("data", "indices", "indptr"):
        group[name] = getattr(csc, name)


def short_data(file, path):
    values = file["X/data"][:-3]
    del file["X/data"]
    file["X/data"] = values


ATTACKS = {
    external_link: r"obs/region is a link to '.*beside\.h5'",
    link_nobody_reads: "uns/more is a link to",
    virtual: "/obsm/spatial is put together of other files",
    external_bytes: r"/obsm/spatial lies in '.*raw\.bin'",
    declared_only: r"/obsm/more \(500, 100\) says that it has 0 MB, of which 0 bytes are there",
    other_rows: "/X declares 10000 x 6 values in csr_matrix, and has",
    other_columns: "/X declares 20 x 10000, obs and var have 20 x 6 rows",
    csc_of_many_rows: "/X declares 10000000 x 6, obs and var have 20 x 6 rows",
    short_data: "/X declares 20 x 6 values in csr_matrix, and has data",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_hdf5_that_leads_out_or_declares_what_it_has_not(folder, small, attack):
    path = h5ad(folder)
    assert len(read(folder)) == 1
    with h5py.File(path, "a") as file:
        attack(file, path)
    with pytest.raises(DataError, match=ATTACKS[attack]) as refused:
        read(folder)
    assert str(path) in str(refused.value)


def test_links_within_a_file_are_fine(folder):
    path = h5ad(folder)
    with h5py.File(path, "a") as file:
        file["uns/soft"], file["uns/again"] = h5py.SoftLink("/obsm/spatial"), file["obs"]
        file["uns/round"] = file["uns"]
        file["uns/nowhere"] = h5py.SoftLink("/nothing")
    assert len(read(folder)) == 1


SPOILT = {
    "a number": lambda: 3,
    "a text": lambda: "text",
    "a table": lambda: np.zeros((20, 3, 2)),
    "another length": lambda: np.arange(7),
    "nothing": lambda: h5py.Empty("f8"),
    "a group": lambda: None,
}


@pytest.mark.parametrize("kind", SPOILT)
@pytest.mark.parametrize("name", ["obs/region", "obs/_index", "var/_index", "obsm/spatial", "X", "obs"])
def test_a_column_that_is_none_is_said(folder, kind, name):
    path = h5ad(folder)
    made = SPOILT[kind]()
    with h5py.File(path, "a") as file:
        del file[name]
        if made is None:
            file.create_group(name)
        else:
            file[name] = made
    with pytest.raises(DataError):
        read(folder)


def test_10x_matrices_are_looked_at_too(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["matrix/data"] = h5py.ExternalLink("other.h5", "x")
    with pytest.raises(DataError, match=r"is a link to 'other\.h5'"):
        read_matrix(tmp_path / "m.h5")


@LINKS
def test_links_out_of_a_store(tmp_path, folder):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret").write_text("x")
    store = folder / "store.zarr"
    (store / "images").mkdir(parents=True)
    (store / "images" / "0").symlink_to(store)
    refuse_links_in(store)
    for target in (elsewhere / "secret", elsewhere):
        link = store / "images" / "1"
        link.symlink_to(target)
        with pytest.raises(DataError, match=r"images/1 is a link to .*elsewhere"):
            refuse_links_in(store)
        link.unlink()


@LINKS
def test_parts_of_a_slide_that_are_links_out(tmp_path, folder):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "t.parquet").write_text("x")
    (folder / "own").write_text("x")
    (folder / "t.parquet").symlink_to(elsewhere / "t.parquet")
    (folder / "part").symlink_to(elsewhere)
    refuse_links_out([folder / "own"], [folder])
    refuse_links_out([folder / "t.parquet"], [folder, elsewhere])
    for path in (folder / "t.parquet", folder / "part" / "t.parquet"):
        with pytest.raises(DataError, match="outside of the folder of the data"):
            refuse_links_out([folder / "own", path], [folder])


def test_a_parquet_of_more_rows_than_bytes(tmp_path, small, monkeypatch):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": np.zeros(100_000)}), path)
    assert columns_of(path) == ("x",)
    monkeypatch.setattr(pq, "read_metadata", lambda path: Declared())
    with pytest.raises(DataError, match="the table of 9000000000 rows says that it has 72,000 MB"):
        columns_of(path)


class Declared:
    num_rows, num_columns = 9 * 10**9, 1


def png_of(path, side):
    """A png whose header declares another size than that of its pixels."""
    PIL.Image.new("RGB", (40, 40)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    path.write_bytes(data)
    return path


def test_an_image_of_more_pixels_than_bytes(tmp_path, small):
    assert size_of(png_of(tmp_path / "fine.png", 40)) == (40, 40)
    path = png_of(tmp_path / "a.png", 60_000)
    for look in (size_of, lambda p: decode(p, str(p)), lambda p: decode(p.read_bytes(), "slide")):
        with pytest.raises(DataError, match="the image of 60000 x 60000 pixels says that it has 10,800 MB"):
            look(path)


def test_a_zip_of_more_than_it_holds(tmp_path, small):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("full", np.random.default_rng(0).bytes(5000))
        archive.writestr("zeros", bytes(100_000))
    unpack(path, "zip", tmp_path / "fine")
    data = path.read_bytes()
    at = data.rindex(b"PK\x01\x02") + 24
    path.write_bytes(data[:at] + (10**9).to_bytes(4, "little") + data[at + 4 :])
    with pytest.raises(DataError, match="the member zeros says that it has 1,000 MB"):
        unpack(path, "zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("column", ["qv", "x_location"])
def test_text_among_numbers_of_transcripts(tmp_path, ending, column):
    columns = {"x_location": [1.0, 2], "y_location": [1.0, 2], "feature_name": ["A", "B"], "qv": [30.0, 40]}
    frame = pd.DataFrame({**columns, column: ["12", "good"]})
    path = tmp_path / f"t.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    with pytest.raises(DataError, match=f"column {column} holds text, not numbers"):
        list(open_transcripts(path).batches())


def test_text_in_a_matrix_of_counts(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("cell,A,B\nc1,1,2\nc2,none of it,3\n")

    def cells(part):
        return np.arange(len(part)), part["cell"].to_numpy(dtype=object)

    with pytest.raises(DataError, match=r"m\.csv: column A holds .*, not numbers, such as '1'"):
        matrix_of(path, ["A", "B"], ["cell"], cells)


def test_numbers_with_holes_are_numbers():
    table = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [1.5, np.nan]})
    assert np.isnan(numbers_of(table, ["a", "b"], Path("t"))[1]).all()
