"""Which ligand-receptor pairs a task looks at."""

from __future__ import annotations

import sys
import types

import pandas as pd
import pytest

from pytest_stbench.errors import DataError
from pytest_stbench.families.pairs import builtin_pairs, pair_table

TABLE = """\
Ligand,receptor,source
CCL19,CCR7,a
CCR7,CCL19,a
CCL19,CCR7,b
CDH1,CDH1,a
AAA,BBB_CCC,a
CTGF,ITGB1,a
,CCR7,a
"""


def read(tmp_path, text, name="pairs.csv", **options):
    (tmp_path / name).write_text(text)
    return pair_table(name, lambda file: tmp_path / file, **options)


def test_the_table_of_the_package():
    found = pair_table("builtin", None)
    assert found is builtin_pairs()
    assert (len(found.pairs), len(found.genes), len(set(found.pathways))) == (193, 277, 53)


def test_a_table_of_ones_own(tmp_path):
    found = read(tmp_path, TABLE)
    assert found.pairs == (("CCL19", "CCR7"), ("CCR7", "CCL19"), ("CCN2", "ITGB1"))
    assert found.counted == {"pairs_of_complexes": 1, "pairs_of_one_gene": 1, "pairs_listed_twice": 1}
    # A pathway that the table does not name is looked up, whichever gene comes first.
    known = dict(zip(builtin_pairs().pairs, builtin_pairs().pathways, strict=True))["CCL19", "CCR7"]
    assert found.pathways == (known, known, "")
    assert read(tmp_path, "ligand\treceptor\tpathway\nA1BG\tA2M\tmine\n", "p.tsv").pathways == ("mine",)


def test_mirror_images_are_one_pair_where_direction_does_not_matter(tmp_path):
    found = read(tmp_path, TABLE, undirected=True)
    assert found.pairs == (("CCL19", "CCR7"), ("CCN2", "ITGB1"))
    assert found.counted["pairs_listed_twice"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ligand,target\nA,B\n", "no column receptor; its columns are ligand, target"),
        ("", "no column ligand and no column receptor"),
        ("ligand,receptor\nA,A\n", "holds no ligand-receptor pair of two single genes"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "pairs.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read as a table of ligand-receptor pairs"):
        pair_table("pairs.csv", lambda file: tmp_path / file)


def test_liana(monkeypatch):
    table = pd.DataFrame({"ligand": ["CCL19", "AAA"], "receptor": ["CCR7", "B_C"]})
    module = types.ModuleType("liana.resource")
    module.select_resource = lambda name: {"consensus": table}[name]
    monkeypatch.setitem(sys.modules, "liana", types.ModuleType("liana"))
    monkeypatch.setitem(sys.modules, "liana.resource", module)
    assert pair_table("liana", None).pairs == (("CCL19", "CCR7"),)
    monkeypatch.setitem(sys.modules, "liana.resource", None)
    with pytest.raises(DataError, match=r"pip install 'pytest-stbench\[communication\]'"):
        pair_table("liana", None)
