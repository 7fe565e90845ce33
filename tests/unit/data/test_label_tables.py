"""Labels from tables beside the data, joined to units by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError
from pytest_stbench.spec.model import DatasetSpec

SHARED = {"source": "h5ad", "path": "*.h5ad", "technology": "Visium", "resolution": "spot", "panel": "p"}


@pytest.fixture
def slides(write_slide, tmp_path):
    """Two slides, and a maker of the data set that labels them; units are called as in the files."""
    names = {name: write_slide(f"{name}.h5ad").obs_names.tolist() for name in ("A1", "B1")}

    def dataset(**config):
        spec = DatasetSpec(**SHARED, **config)
        return Dataset("toy", spec, load_samples(spec, "toy", [tmp_path]), [tmp_path])

    return names, dataset


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def rows(names, labels, header="barcode,region"):
    return "\n".join([header, *(f"{n},{label}" for n, label in zip(names, labels, strict=False))]) + "\n"


EACH = {"path": "labels/{slide}.csv", "niche": "region"}


def test_one_table_a_slide_in_any_order(slides, tmp_path):
    names, dataset = slides
    labels = [f"n{i}" for i in range(6)]
    write(tmp_path / "labels/A1.csv", rows(names["A1"][::-1], labels[::-1]))
    made = dataset(labels=EACH)
    assert made.slide("A1").labels["niche"].tolist() == labels
    assert made.slide("B1").labels["niche"].tolist() == [None] * 6
    assert {note: dict(made.notes[note]) for note in ("label_rows", "label_rows_without_unit")} == {
        "label_rows": {"A1": 6},
        "label_rows_without_unit": {"A1": 0},
    }


def test_rows_of_units_that_are_not_there_are_counted_and_units_without_a_row_have_none(slides, tmp_path):
    names, dataset = slides
    write(tmp_path / "labels/A1.csv", rows([*names["A1"][:4], "x1", "x2", "x3"], "abcdefg"))
    made = dataset(labels=EACH)
    assert made.slide("A1").labels["niche"].tolist() == ["a", "b", "c", "d", None, None]
    assert made.notes["label_rows_without_unit"] == {"A1": 3}


def test_one_table_of_all_slides(slides, tmp_path):
    names, dataset = slides
    table = pd.DataFrame(
        [(unit, slide, f"{slide}-{i}", "T") for slide in ("B1", "A1") for i, unit in enumerate(names[slide])],
        columns=["cell", "slide", "region", "kind"],
    )
    table.sample(frac=1, random_state=0).to_csv(tmp_path / "all.tsv", sep="\t", index=False)
    made = dataset(labels={"path": "all.tsv", "unit": "cell", "niche": "region", "cell_type": "kind"})
    for slide in ("A1", "B1"):
        assert made.slide(slide).labels["niche"].tolist() == [f"{slide}-{i}" for i in range(6)]
        assert made.slide(slide).labels["cell_type"].tolist() == ["T"] * 6


@pytest.mark.parametrize("word", ["", "NA", "none", " nan "])
def test_words_for_missing_are_no_label(slides, tmp_path, word):
    names, dataset = slides
    write(tmp_path / "labels/A1.csv", rows(names["A1"], ["a", word, "b", "b", "b", "b"]))
    assert dataset(labels=EACH).slide("A1").labels["niche"].tolist() == ["a", None, "b", "b", "b", "b"]


def test_labels_that_look_like_numbers_stay_text(slides, tmp_path):
    names, dataset = slides
    write(tmp_path / "labels/A1.csv", rows(names["A1"], ["1", "01", "1.50", "1e3", "True", "x"]))
    found = dataset(labels=EACH).slide("A1").labels["niche"].tolist()
    assert found == ["1", "01", "1.50", "1e3", "True", "x"]


def test_a_hole_in_a_column_of_numbers_changes_no_label(slides, tmp_path):
    names, dataset = slides
    for slide, labels in (("A1", [1, 2, None, 1, 2, 1]), ("B1", [1, 2, 3, 1, 2, 1])):
        table = pd.DataFrame({"barcode": names[slide], "region": labels, "sure": [v == 1 for v in labels]})
        table.to_csv(tmp_path / f"{slide}.csv", index=False)
    made = dataset(labels={"path": "{slide}.csv", "niche": "region", "cell_type": "sure"})
    assert made.slide("A1").labels["niche"].tolist() == ["1", "2", None, "1", "2", "1"]
    assert made.slide("B1").labels["niche"].tolist() == ["1", "2", "3", "1", "2", "1"]
    assert set(made.slide("A1").labels["cell_type"]) == {"True", "False"}


@pytest.mark.parametrize("numbers", [["7.0", "8.0"], ["7", "8"]])
def test_units_that_are_numbers_are_found_whatever_a_hole_did_to_them(tmp_path, write_slide, numbers):
    adata = write_slide("A1.h5ad", n=2)
    adata.obs_names = ["7", "8"]
    adata.write_h5ad(tmp_path / "A1.h5ad")
    write(tmp_path / "labels" / "A1.csv", rows(numbers, "ab"))
    spec = DatasetSpec(**SHARED, labels=EACH)
    made = Dataset("toy", spec, load_samples(spec, "toy", [tmp_path]), [tmp_path])
    assert made.slide("A1").labels["niche"].tolist() == ["a", "b"]


def test_other_labels_of_the_files_stay(write_slide, tmp_path):
    write_slide("A1.h5ad", obs={"kind": ["T"] * 6})
    spec = DatasetSpec(**SHARED, keys={"cell_type": "kind"}, labels=EACH)
    write(tmp_path / "labels/A1.csv", rows(["nobody"], ["a"]))
    slide = Dataset("toy", spec, load_samples(spec, "toy", [tmp_path]), [tmp_path]).slide("A1")
    assert slide.labels["cell_type"].tolist() == ["T"] * 6
    assert slide.labels["niche"].tolist() == [None] * 6


def test_tables_without_a_slide(slides, tmp_path):
    names, dataset = slides
    for name in ("A1", "J1", "K2"):
        write(tmp_path / f"labels/{name}.csv", rows(names["A1"], "aabbcc"))
    assert dataset(labels=EACH).labels_without_slide == ("J1", "K2")
    assert dataset(labels={**EACH, "leave_out": ["J1"]}).labels_without_slide == ("K2",)
    assert dataset(labels=EACH, slides=["A1"]).labels_without_slide == ()
    assert dataset().labels_without_slide == ()


@pytest.mark.parametrize(
    "text",
    [
        "#Selection name: tumour\n#Area (um^2): 300,2\nbarcode,region\n{0},a\n{1},b\n",
        "barcode;region\n{0};a\n{1};b\n",
        "\ufeffbarcode;region\r\n{0};a\r\n;\r\n{1};b\r\n;\r\n",
        "barcode,region,\n{0},a,\n,,\n{1},b,\n,,\n",
    ],
    ids=["remarks of a viewer", "semicolons", "of a spreadsheet", "empty rows"],
)
def test_tables_as_viewers_and_spreadsheets_write_them(slides, tmp_path, text):
    names, dataset = slides
    write(tmp_path / "labels/A1.csv", text.format(*names["A1"]))
    assert dataset(labels=EACH).slide("A1").labels["niche"].tolist() == ["a", "b", *[None] * 4]


def test_lines_are_those_of_the_file(slides, tmp_path):
    names, dataset = slides
    text = "#Selection name: tumour\nbarcode,region\n{0},a\n,\n{0},b\n"
    write(tmp_path / "labels/A1.csv", text.format(names["A1"][0]))
    with pytest.raises(DataError, match=r"A1\.csv:5: unit .* stands on line 3 too"):
        dataset(labels=EACH).slide("A1")


def test_a_changed_label_changes_the_checksum(slides, tmp_path):
    names, dataset = slides
    write(tmp_path / "labels/A1.csv", rows(names["A1"], "aabbcc"))
    before = dataset(labels=EACH).checksum
    assert dataset(labels=EACH).checksum == before
    write(tmp_path / "labels/A1.csv", rows(names["A1"], "aabbcd"))
    assert dataset(labels=EACH).checksum != before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("barcode,region\n{0},a\n{0},b\n", ["A1.csv:3", "stands on line 2 too"]),
        ("barcode,region\n,a\n", ["A1.csv:2", "without the name of its unit"]),
        ("barcode,area\n{0},a\n", ["no column 'region'", "barcode, area", "labels.niche"]),
        ("barcode,region\n", ["no row below the header"]),
        ("", ["cannot be read"]),
        ('barcode,region\n"{0},a\n', ["cannot be read"]),
    ],
)
def test_a_table_that_cannot_be_used_says_where_and_why(slides, tmp_path, text, says):
    names, dataset = slides
    write(tmp_path / "labels/A1.csv", text.format(names["A1"][0]))
    with pytest.raises(DataError) as error:
        dataset(labels=EACH).slide("A1")
    assert all(part in str(error.value) for part in says), str(error.value)


def test_no_table_at_all_is_an_error_where_the_slides_are_here(slides):
    with pytest.raises(DataError, match=r"labels.path .* nothing found"):
        slides[1](labels=EACH).slide("A1")


def test_one_table_needs_the_column_of_slides(slides, tmp_path):
    names, dataset = slides
    write(tmp_path / "all.csv", rows(names["A1"], "aabbcc"))
    with pytest.raises(DataError, match=r"no column 'slide'.*\{slide\}"):
        dataset(labels={"path": "all.csv", "niche": "region"}).slide("A1")


def test_tables_in_folders_of_their_own(slides, tmp_path):
    names, dataset = slides
    for slide in ("A1", "B1"):
        path = tmp_path / "runs" / slide / "outs" / f"of_{slide}_.csv"
        path.parent.mkdir(parents=True)
        path.write_text(rows(names[slide], [slide] * 6))
    (path.parent / "of_C1_.csv.bak").write_text("no table")
    made = dataset(labels={"path": "runs/*/outs/of_{slide}_.csv", "niche": "region"})
    assert [set(made.slide(slide).labels["niche"]) for slide in ("A1", "B1")] == [{"A1"}, {"B1"}]
    assert made.labels_without_slide == ()


def test_blanks_around_cells_are_no_part_of_them(slides, tmp_path):
    names, dataset = slides
    lines = "".join(f' "{name}" ,  tumour \n' for name in names["A1"])
    write(tmp_path / "labels/A1.csv", "barcode, region\n" + lines)
    assert dataset(labels=EACH).slide("A1").labels["niche"].tolist() == ["tumour"] * 6


def test_two_tables_of_one_slide(slides, tmp_path):
    names, dataset = slides
    for folder in ("one", "two"):
        write(tmp_path / folder / "A1.csv", rows(names["A1"], "aabbcc"))
    with pytest.raises(DataError, match="two tables of slide A1"):
        dataset(labels={"path": "*/{slide}.csv", "niche": "region"}).slide("A1")


def test_the_order_of_rows_does_not_matter(slides, tmp_path):
    names, dataset = slides
    rng = np.random.default_rng(0)
    found = set()
    for _ in range(3):
        order = rng.permutation(6)
        write(tmp_path / "labels/A1.csv", rows([names["A1"][i] for i in order], [f"n{i}" for i in order]))
        found.add(tuple(dataset(labels=EACH).slide("A1").labels["niche"]))
    assert len(found) == 1
