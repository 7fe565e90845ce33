from __future__ import annotations

import pytest

from pytest_stbench.report.reference import to_markdown

WHOLE = """Summary line.

First ``code`` of :func:`~some.module.other`, and
`name` on a second line.

Second paragraph.

Parameters
----------
truth, prediction
    Shape (n, g).
    Second line.
extra
    More.

Notes
-----
Free text
over two lines.

References
----------
"""


def test_sections_paragraphs_and_entries():
    assert to_markdown(WHOLE) == (
        "First `code` of `other`, and `name` on a second line.\n\n"
        "Second paragraph.\n\n"
        "**Parameters**\n\n"
        "- `truth`, `prediction`: Shape (n, g). Second line.\n"
        "- `extra`: More.\n\n"
        "**Notes**\n\n"
        "Free text over two lines."
    )


@pytest.mark.parametrize(
    "docstring", ["", "Summary.", "Summary.\n\n", "Summary.\n\nParameters\n----------\n"]
)
def test_nothing_beyond_the_summary_is_nothing(docstring):
    assert to_markdown(docstring) == ""
