"""The page of what was measured: written from the file of pytest-benchmark, by a command."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from ...benchmarks.__main__ import main  # noqa: TID252  # of the tests alone, which no package has

PAGE = "# Performance\n\nText before.\n\n<!-- measured -->\nold\n<!-- end of measured -->\n\nText after.\n"


def row(name, seconds, group="sums", **found):
    return {"group": group, "name": name, "stats": {"median": seconds}, "extra_info": found}


@pytest.fixture
def written(tmp_path):
    measured, page = tmp_path / "measured.json", tmp_path / "page.md"
    rows = [
        row("test_sum[ours-100x10]", 0.5, peak_mib=12),
        row("test_sum[numpy_sum-100x10]", 2.0),
        row("test_sum[ours-900x10]", 4.0),
        row("test_sum[numpy_sum-900x10]", 3.0),
        row("test_other", 1.0, group=None),
    ]
    machine = {
        "cpu": {"brand_raw": "A CPU", "count": 2}, "machine": "x86_64", "python_version": "3.13.0",
    }  # fmt: skip
    measured.write_text(json.dumps({"machine_info": machine, "benchmarks": rows}))
    page.write_text(PAGE)
    return measured, page


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_contestants_stand_beside_the_first_of_their_size(written):
    assert run(*written).exit_code == 0
    text = written[1].read_text()
    assert "| sums | ours, 100x10 | 0.5 | 1 | peak mib 12 |" in text
    assert "| sums | numpy sum, 100x10 | 2 | 4 |  |" in text
    assert "| sums | ours, 900x10 | 4 | 1 |  |" in text
    assert "| sums | numpy sum, 900x10 | 3 | 0.75 |  |" in text
    assert "| test_other | other | 1 | 1 |  |" in text


def test_the_machine_is_named_and_the_text_around_stays(written):
    run(*written)
    text = written[1].read_text()
    assert "A CPU, 2 cores, Python 3.13.0; numpy " in text
    assert text.startswith("# Performance\n\nText before.\n\n<!-- measured -->\n")
    assert text.endswith("<!-- end of measured -->\n\nText after.\n")
    assert "\nold\n" not in text
    before = text
    run(*written)
    assert written[1].read_text() == before


def test_a_page_without_marks_is_left_as_it_is(written):
    written[1].write_text("# A page\n")
    done = run(*written)
    assert done.exit_code == 2
    assert "must each stand there once" in done.output
    assert written[1].read_text() == "# A page\n"
