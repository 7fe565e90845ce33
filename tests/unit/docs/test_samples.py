"""Samples of output on the pages are what a command prints; those of whole runs are held against the runs."""

from __future__ import annotations

import pytest

from ... import samples  # noqa: TID252  # of the tests alone, which no package has

SHOWN = samples.shown()
STALE = "run: python -m tests.samples --write"


def test_every_sample_is_known_and_stands_once():
    text = "".join(page.read_text(encoding="utf-8") for page in samples.PAGES)
    assert text.count("<!-- sample: ") == len(SHOWN)
    assert SHOWN.keys() == {*samples.QUICK, *samples.OF_THE_FIRST_RUN, "resolutions"}


def test_every_block_of_output_is_a_sample():
    for page in samples.PAGES:
        text = samples.MARK.sub("", page.read_text(encoding="utf-8"))
        for told in ("= stbench: ", "\nchecks  ", "\nstore   ", "\ndesign checklist  ", "\nresolutions of "):
            assert told not in text, (page, told)


@pytest.mark.parametrize("name", samples.QUICK)
def test_a_sample_is_what_the_command_prints(name):
    assert samples.made({name})[name] == SHOWN[name][1], STALE


@pytest.mark.exhaustive
def test_the_sample_of_resolutions_is_what_the_run_prints():
    assert samples.made({"resolutions"})["resolutions"] == SHOWN["resolutions"][1], STALE


def test_a_stale_sample_is_found_and_written(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- sample: one -->\n```text\nold\n```\n<!-- sample: two -->\n```\nkept\n```\nb\n")
    samples.write(page, {"one": ["new", r"\1 lines"]})
    assert page.read_text() == (
        "a\n<!-- sample: one -->\n```text\nnew\n\\1 lines\n```\n<!-- sample: two -->\n```\nkept\n```\nb\n"
    )
