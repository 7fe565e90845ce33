from __future__ import annotations

import csv
import json

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.gene_lists import read_gene_list
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError, SplitError
from pytest_stbench.spec.model import DatasetSpec, SplitSpec
from pytest_stbench.splits.catalogue import SPLITS
from pytest_stbench.splits.designs import make_folds
from pytest_stbench.splits.table import Sample


def write_slide(path, seed=0):
    rng = np.random.default_rng(seed)
    xy = np.array([(200 * x, 200 * y) for x in range(5) for y in range(4)], float)
    path.parent.mkdir(parents=True, exist_ok=True)
    anndata.AnnData(
        csr_matrix(rng.poisson(3, (20, 3)).astype(np.float32)),
        obs=pd.DataFrame(index=[f"{i}x1" for i in range(20)]),
        var=pd.DataFrame(index=["ERBB2", "VIM", "CD3E"]),
        obsm={"spatial": xy},
    ).write_h5ad(path)


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def hest(tmp_path):
    """Three samples of a HEST-1k folder: two of one patient, one whose patient nobody knows."""
    folder = tmp_path / "hest"
    rows = []
    for number, (name, patient) in enumerate((("TENX1", "P 1"), ("TENX2", "P 1"), ("NCBI3", ""))):
        write_slide(folder / "st" / f"{name}.h5ad", number)
        rows.append(
            {"id": name, "dataset_title": "Study", "patient": patient, "organ": "Breast",
             "disease_state": "Cancer",
             "st_technology": "Visium" if number else "Spatial Transcriptomics", "pixel_size_um": 0.7,
             "preservation_method": "FFPE", "study_link": "https://x.y/1"}
        )  # fmt: skip
    write_rows(folder / "HEST_v1_1_0.csv", rows)
    (folder / "metadata").mkdir()
    (folder / "metadata" / "TENX1.json").write_text(json.dumps({"pixel_size_um_estimated": 0.5}))
    return tmp_path


def opened(root, path="hest", **changes):
    config = DatasetSpec(source="hest", path=path, **changes)
    return Dataset("d", config, load_samples(config, "d", [root]), [root])


def test_samples_come_from_the_metadata(hest):
    samples = {sample.slide: sample for sample in opened(hest).samples}
    assert samples["TENX1"].patient == samples["TENX2"].patient == "Study:P 1"
    assert samples["NCBI3"].patient is None
    assert (samples["TENX1"].technology, samples["TENX2"].technology) == ("ST", "Visium")
    assert samples["TENX1"].resolution == "spot"
    assert (samples["TENX2"].organ, samples["TENX2"].preservation) == ("Breast", "FFPE")
    assert samples["TENX2"].accession == "https://x.y/1"
    assert samples["TENX2"].corpus == "HEST-1k"


def test_pixels_become_um_by_each_slides_own_size(hest):
    dataset = opened(hest)
    assert dataset.slide("TENX1").xy_um.max() == pytest.approx(800 * 0.5), "the file of the sample goes first"
    assert dataset.slide("TENX2").xy_um.max() == pytest.approx(800 * 0.7)
    assert opened(hest, scale={"um_per_px": 1.5}).slide("TENX1").xy_um.max() == pytest.approx(1200)
    assert dataset.checksum != opened(hest, scale={"um_per_px": 1.5}).checksum


def test_published_splits_become_folds(tmp_path):
    task = tmp_path / "IDC"
    for number, name in enumerate("ABC"):
        write_slide(task / "adata" / f"{name}.h5ad", number)
    for k, test in enumerate("AB"):
        write_rows(task / "splits" / f"train_{k}.csv", [{"sample_id": n, "x": 1} for n in "ABC" if n != test])
        write_rows(task / "splits" / f"test_{k}.csv", [{"sample_id": test, "x": 1}])
    dataset = opened(tmp_path, "IDC", scale={"um_per_px": 0.5})
    split = SplitSpec(name="fixed", params={"columns": ["hest_fold_0", "hest_fold_1"]})
    folds = make_folds(split, dataset.samples, SPLITS)
    assert [(f.name, f.train, f.test) for f in folds] == [
        ("hest_fold_0", ("B", "C"), ("A",)),
        ("hest_fold_1", ("A", "C"), ("B",)),
    ]
    write_rows(task / "splits" / "test_0.csv", [{"sample_id": "B", "x": 1}])
    with pytest.raises(DataError, match="sample B stands in train and in test"):
        opened(tmp_path, "IDC", scale={"um_per_px": 0.5})


def test_a_slide_may_take_no_part_in_a_fold():
    samples = [Sample(slide=n, extra={"f": w}) for n, w in (("A", "train"), ("B", "test"), ("C", ""))]
    (fold,) = make_folds(SplitSpec(name="fixed", params={"columns": ["f"]}), samples, SPLITS)
    assert (fold.name, fold.train, fold.test) == ("f", ("A",), ("B",))
    with pytest.raises(SplitError, match="columns must be a list"):
        make_folds(SplitSpec(name="fixed", params={"columns": "f"}), samples, SPLITS)
    with pytest.raises(SplitError, match="no column 'g'"):
        make_folds(SplitSpec(name="fixed", params={"columns": ["g"]}), samples, SPLITS)


def test_the_genes_of_a_task(tmp_path):
    path = tmp_path / "var_50genes.json"
    path.write_text(json.dumps({"genes": ["A", "B", "A"]}))
    assert read_gene_list(path) == ("A", "B")
    path.write_text('["C"]')
    assert read_gene_list(path) == ("C",)
    for text in ("{", '{"other": []}', '{"genes": [1]}', "[]"):
        path.write_text(text)
        with pytest.raises(DataError, match=r"var_50genes\.json"):
            read_gene_list(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda f: (f / "HEST_v1_1_0.csv").unlink(),
            r"slide NCBI3: the size of a pixel is in no metadata/NCBI3\.json",
        ),
        (lambda f: (f / "metadata" / "TENX1.json").write_text("{"), r"TENX1\.json: cannot be read as JSON"),
        (
            lambda f: (f / "metadata" / "TENX1.json").write_text('{"pixel_size_um_estimated": 500}'),
            "TENX1: pixel_size_um_estimated is 500 um",
        ),
        (lambda f: (f / "HEST_v1_1_0.csv").write_text("a,b\n1,2\n"), "no column 'id'"),
        (lambda f: [p.unlink() for p in (f / "st").iterdir()], "no h5ad file in adata/ or st/"),
    ],
)
def test_damage_is_told(hest, spoil, message):
    spoil(hest / "hest")
    with pytest.raises(DataError, match=message):
        for _ in opened(hest).slides():
            pass


def test_one_folder_is_read(hest):
    with pytest.raises(DataError, match="source hest reads one folder"):
        opened(hest, "hest/st/*.h5ad")
