"""The page of what was measured: written from the file of pytest-benchmark, by a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ...benchmarks import __main__ as command  # noqa: TID252  # of the tests alone, which no package has

PAGE = "# Performance\n\nText before.\n\n<!-- measured -->\nold\n<!-- end of measured -->\n\nText after.\n"


def row(name, seconds, group="sums", **found):
    return {"group": group, "name": name, "stats": {"median": seconds}, "extra_info": found}


@pytest.fixture
def written(tmp_path, monkeypatch):
    measured, page = tmp_path / "measured.json", tmp_path / "page.md"
    rows = [
        row("test_sum[100 units-ours]", 0.5, peak_mib=12),
        row("test_sum[100 units-numpy_sum]", 2.0),
        row("test_sum[1,000 units-ours]", 4.0, peak_mib=120, cpu_s=3.14159),
        row("test_sum[1,000 units-numpy_sum]", 6.0),
        row("test_sum_loop[100 units]", 8.0),
        row("test_other", 1.0, group=None),
    ]
    machine = {
        "cpu": {"brand_raw": "A CPU", "count": 2}, "machine": "x86_64", "python_version": "3.13.0",
        "node": "a-name", "threads": 1, "numba_threads": 1,
    }  # fmt: skip
    measured.write_text(
        json.dumps({"datetime": "2026-11-30T06:00:00+00:00", "machine_info": machine, "benchmarks": rows})
    )
    page.write_text(PAGE)
    asked = {("sums", "numpy sum"): 1.6, ("sums", "sum loop"): 3, ("sums", "a peer"): 2}
    monkeypatch.setattr(command, "ASKED", asked)
    return measured, page


def run(*arguments):
    return CliRunner().invoke(command.main, list(map(str, arguments)))


def test_contestants_stand_beside_the_first_at_each_size(written):
    assert run(*written).exit_code == 0
    lines = written[1].read_text().splitlines()
    assert (
        "| sums | ours | 100 / 1,000 units: 0.5 / 4 | 1 |  | units^0.9 | peak mib 120, cpu s 3.142 |" in lines
    )
    assert (
        "| sums | numpy sum | 100 / 1,000 units: 2 / 6 | 4 / 1.5 | 1.6, **not met** | units^0.5 |  |" in lines
    )
    assert "| sums | sum loop | 100 units: 8 | 16 | 3, met |  |  |" in lines
    assert "| test_other | other | 1 | 1 |  |  |  |" in lines
    assert "Asked, and not measured here: sums: a peer." in lines


def test_the_machine_is_told_without_its_name_and_the_text_around_stays(written):
    run(*written)
    text = written[1].read_text()
    assert (
        "2026-11-30: A CPU, 2 cores, threads of BLAS 1, of parallel kernels of peers 1; Python 3.13.0, "
        in text
    )
    assert "a-name" not in text
    assert text.startswith("# Performance\n\nText before.\n\n<!-- measured -->\n")
    assert text.endswith("<!-- end of measured -->\n\nText after.\n")
    assert "\nold\n" not in text
    run(*written)
    assert written[1].read_text() == text


def test_a_page_without_marks_is_left_as_it_is(written):
    written[1].write_text("# A page\n")
    done = run(*written)
    assert done.exit_code == 2
    assert "must each stand there once" in done.output
    assert written[1].read_text() == "# A page\n"


SKIPPED = """
import pytest

SIZES = {"units": (10, 100)}


def test_timed(benchmark, units):
    benchmark(sum, range(units))


def test_skipped_late(benchmark):
    pytest.skip("after the benchmark was announced")
"""


def test_a_benchmark_that_skips_is_left_out_of_the_file(tmp_path):
    """pytest-benchmark alone writes no file then, and ends in an error of its own."""
    shared = Path(command.__file__).parent / "conftest.py"
    (tmp_path / "conftest.py").write_text(shared.read_text())
    (tmp_path / "test_some.py").write_text(SKIPPED)
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--benchmark-json=measured.json"]
    # In a worker of pytest-xdist pytest-benchmark times nothing, and this process may be one.
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, "--benchmark-max-time=0.01"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=own,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "measured.json").read_text())
    assert [row["name"] for row in found["benchmarks"]] == ["test_timed[10 units]", "test_timed[100 units]"]
    assert found["machine_info"]["threads"] >= 1
