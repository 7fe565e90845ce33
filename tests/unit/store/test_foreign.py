"""What an edited package of others computed is never served again."""

from __future__ import annotations

import os
import sys
from importlib import metadata

import pytest

from pytest_stbench.store import foreign, keys

METRIC = """
from pytest_stbench.registry import Metric
RECORDS = (Metric(id="Q1", name="q", summary="q", bounds=(0, 1), better="up", fill=None,
                  target="{package}.scores:q"),)
"""
READER = """
from pytest_stbench.registry import Reader
RECORDS = (Reader(id="Q1", name="q", summary="q", target="{package}.scores:open_source"),)
"""


def made(root, package, records, *, editable):
    """Install a package by hand, as pip does from a wheel or with ``-e``; return the folder of its code."""
    site = root / "site"
    source = root / "checkout" / "src" if editable else site
    code = source.joinpath(*package.split("."))
    code.mkdir(parents=True)
    (code / "__init__.py").write_text(records.format(package=package))
    (code / "scores.py").write_text("def q():\n    return 1\n")
    (code / "helper.py").write_text("x = 1\n")
    (code / "table.csv").write_text("a,b\n")
    info = site / f"{package.replace('.', '_')}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[pytest_stbench.catalogues]\n{package} = {package}:RECORDS\n")
    listed = [] if editable else [path for path in site.rglob("*") if path.is_file()]
    names = [path.relative_to(site).as_posix() for path in listed]
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in names))
    return source, code


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Return what installs one package with records, and asks for the code that keys hold."""
    before = set(sys.modules)

    def install(package, records, *, editable=False):
        source, code = made(tmp_path, package, records, editable=editable)
        for folder in {str(source), str(tmp_path / "site")}:
            monkeypatch.syspath_prepend(folder)
        return code

    yield install
    for name in set(sys.modules) - before:
        if name.startswith("stbench_probe"):
            del sys.modules[name]


def versions():
    """Return the code in the keys of predictions, and in those of what metrics score."""
    metadata.FastPath.__new__.cache_clear()
    foreign.foreign_code.cache_clear()
    keys.code_version.cache_clear()
    return keys.code_version(), keys.code_version("metrics")


def edit(path):
    path.write_text(path.read_text() + "# another\n")


@pytest.fixture(autouse=True)
def _fresh():
    yield
    foreign.foreign_code.cache_clear()
    keys.code_version.cache_clear()


@pytest.mark.parametrize("editable", [False, True])
@pytest.mark.parametrize("name", ["scores.py", "helper.py", "table.csv", "__init__.py"])
def test_an_edited_metric_changes_what_depends_on_metrics_alone(installed, editable, name):
    bare = versions()
    code = installed("stbench_probe_m", METRIC, editable=editable)
    before = versions()
    assert before[0] == bare[0]
    assert before[1] != bare[1]
    edit(code / name)
    after = versions()
    assert after[0] == before[0]
    assert after[1] != before[1]


@pytest.mark.parametrize("editable", [False, True])
def test_an_edited_reader_changes_every_key(installed, editable):
    code = installed("stbench_probe_r", READER, editable=editable)
    before = versions()
    edit(code / "helper.py")
    after = versions()
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_namespace_that_others_share_is_not_read(installed, tmp_path):
    code = installed("stbench_probe_ns.mine", METRIC, editable=True)
    before = versions()
    other = code.parent / "other"
    other.mkdir()
    (other / "__init__.py").write_text("")
    assert versions() == before
    edit(code / "scores.py")
    assert versions()[1] != before[1]


def test_what_running_leaves_does_not_count(installed):
    code = installed("stbench_probe_p", METRIC, editable=True)
    before = versions()
    (code / "__pycache__").mkdir(exist_ok=True)
    (code / "__pycache__" / "scores.cpython-313.pyc").write_bytes(b"x")
    (code / ".cache").write_text("x")
    assert versions() == before


def test_a_large_file_counts_by_size_and_time(installed, monkeypatch):
    code = installed("stbench_probe_l", METRIC, editable=True)
    monkeypatch.setattr(foreign, "WHOLE", 100)
    path = code / "weights.bin"
    path.write_bytes(b"x" * 200)
    before = versions()
    os.utime(path, (1, 1))
    assert versions()[1] != before[1]


def test_a_target_that_is_not_there_is_no_error(installed):
    text = METRIC.replace("{package}.scores:q", "stbench_probe_absent.scores:q")
    code = installed("stbench_probe_t", text, editable=True)
    before = versions()
    edit(code / "helper.py")
    assert versions()[1] != before[1]
