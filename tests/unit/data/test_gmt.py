from __future__ import annotations

import pytest

from pytest_stbench.data.gene_lists import read_gmt
from pytest_stbench.errors import DataError


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "sets.gmt"
    path.write_text(text, encoding=encoding, newline="")
    return path


def test_sets_in_the_order_of_the_file(tmp_path):
    path = written(tmp_path, "# mine\nB\tabout b\tACTB\tGAPDH\tACTB\n\nA\t\tTP53\n")
    assert read_gmt(path) == {"B": ("ACTB", "GAPDH"), "A": ("TP53",)}
    assert list(read_gmt(path)) == ["B", "A"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_windows_line_ends_trailing_tabs_and_a_byte_order_mark(tmp_path, encoding):
    path = written(tmp_path, "A\tna\tTP53\t\t\r\nB\tna\t KRT7 \r\n", encoding)
    assert read_gmt(path) == {"A": ("TP53",), "B": ("KRT7",)}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("A\tna\tTP53\nB TP53\n", 2, "separated by tabs, found 'B TP53'"),
        ("A\tTP53\n", 1, "the description may be empty"),
        ("A\tna\t\t\n", 1, "the set 'A' has no gene"),
        ("\tna\tTP53\n", 1, "no name"),
        ("A\tna\tTP53\n#\nA\tna\tKRT7\n", 3, "'A' is in line 1 already"),
        ("A\tna\tTP53,1.0\n", 1, "weights are not used"),
        ("A\tna\tTP53 KRT7\n", 1, "one gene symbol between two tabs"),
    ],
)
def test_what_is_wrong_and_where(tmp_path, text, line, said):
    with pytest.raises(DataError) as caught:
        read_gmt(written(tmp_path, text))
    assert f"sets.gmt:{line}: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n# nothing\n"])
def test_no_set_at_all(tmp_path, text):
    with pytest.raises(DataError, match="holds no gene set"):
        read_gmt(written(tmp_path, text))


def test_unreadable(tmp_path):
    with pytest.raises(DataError, match="cannot be read as a gmt file"):
        read_gmt(tmp_path / "absent.gmt")
    (tmp_path / "binary.gmt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read as a gmt file"):
        read_gmt(tmp_path / "binary.gmt")
