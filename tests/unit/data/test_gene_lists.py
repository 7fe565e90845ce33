from __future__ import annotations

import pytest

from pytest_stbench.data.gene_lists import load_gene_list, read_gene_list
from pytest_stbench.errors import DataError


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.txt", b"TP53\nERBB2\nTP53\nKRT8\n"),
        ("list.txt", b"\xef\xbb\xbfTP53\r\nERBB2\r\n\r\n# a comment\r\nTP53\r\n  KRT8  "),
        ("list.csv", b"gene,ensembl_id\nTP53,E1\nERBB2,E2\nTP53,E1\nKRT8,E3\n"),
        (
            "list.csv",
            b"\xef\xbb\xbf# panel v2\r\nid,Symbol\r\n1,TP53\r\n2,ERBB2\r\n3,TP53\r\n4,\r\n5,KRT8\r\n",
        ),
        ("list.tsv", b"x\tgene_symbol\n1\tTP53\n2\tERBB2\n2\tTP53\n3\tKRT8\n"),
    ],
)
def test_symbols_come_once_in_the_order_of_the_file(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert read_gene_list(path) == ("TP53", "ERBB2", "KRT8")
    assert load_gene_list(path).duplicates == 1


@pytest.mark.parametrize(("name", "content"), [("a.txt", "# none\n\n"), ("a.csv", "gene\n"), ("a.csv", "")])
def test_no_gene_is_an_error(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match="holds no gene"):
        read_gene_list(tmp_path / name)


def test_a_table_without_a_gene_column_lists_its_columns(tmp_path):
    (tmp_path / "a.csv").write_text("probe,name\n1,2\n")
    with pytest.raises(
        DataError, match="no column gene or symbol or gene_symbol; its columns are probe, name"
    ):
        read_gene_list(tmp_path / "a.csv")


def test_more_than_a_symbol_on_a_line_is_an_error(tmp_path):
    (tmp_path / "a.txt").write_text("TP53\nERBB2,KRT8\n")
    with pytest.raises(DataError, match=r"a\.txt:2: one gene symbol a line"):
        read_gene_list(tmp_path / "a.txt")


def test_unreadable_files_are_errors(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\xff")
    for name in ("a.txt", "absent.txt"):
        with pytest.raises(DataError, match="cannot be read as a gene list"):
            read_gene_list(tmp_path / name)
