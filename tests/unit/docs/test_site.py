"""What the site needs of its pages, without building it: `.ci/site` does that."""

from __future__ import annotations

import importlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"
NOTEBOOKS = sorted((DOCS / "tutorials").glob("*.ipynb"))


def cells(path, kind):
    return [
        "".join(c["source"]) for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == kind
    ]


def test_every_page_stands_once_in_the_contents():
    trees = re.findall(r"```\{toctree\}\n(.*?)```", (DOCS / "index.md").read_text("utf-8"), flags=re.DOTALL)
    listed = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in [*DOCS.rglob("*.md"), *NOTEBOOKS]}
    pages = {page for page in pages if "/." not in page}  # what a run of an example leaves is no page
    assert Counter(listed) == Counter(pages - {"index"}), "name every page once in a toctree of docs/index.md"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_outputs_and_links_that_lead_somewhere(path, pytestconfig):
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        assert cell.get("outputs", []) == [], "clear the outputs: the site shows those of its own run"
        assert cell.get("execution_count") is None
    for text in cells(path, "markdown"):
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            assert (path.parent / link.partition("#")[0]).is_file(), link
    for option in {o for text in cells(path, "code") for o in re.findall(r"--stbench(?:-[a-z]+)+", text)}:
        pytestconfig.getoption(option)


def test_the_three_tutorials_are_there():
    assert [path.stem for path in NOTEBOOKS] == ["own-model", "own-slides", "release-gate"]
    for path in NOTEBOOKS:
        assert f"tutorials/{path.name}" in (DOCS.parent / "README.md").read_text("utf-8")


def test_modules_of_the_names_exist():
    names = re.findall(r"^   (pytest_stbench\S*)$", (DOCS / "api.md").read_text("utf-8"), flags=re.MULTILINE)
    assert len(names) > 5
    for name in names:
        assert importlib.import_module(name).__doc__
