"""What the documentation says, held against the code."""

from __future__ import annotations

import re
import runpy
import typing
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from pytest_stbench.cli import COMMANDS, main
from pytest_stbench.extend import record_of
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec.model import TaskSpec
from pytest_stbench.spec.validate import load_task

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name, language):
    return re.findall(rf"```{language}\n(.*?)```", text(name), flags=re.DOTALL)


def anchors(page):
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page if not path else page.parent / path
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_options_exist(page, pytestconfig):
    for option in set(re.findall(r"--stbench-[a-z]+(?:-[a-z]+)*", page.read_text(encoding="utf-8"))):
        pytestconfig.getoption(option)


def test_commands_exist():
    named = {
        word
        for page in PAGES
        for word in re.findall(r"^(?:\$ )?stbench ([a-z-]+)", page.read_text("utf-8"), re.M)
    }
    assert named <= set(COMMANDS)
    assert isinstance(main, click.Group)


@pytest.mark.parametrize("name", ["README.md", "docs/task-files.md"])
def test_task_files_are_valid(name, tmp_path):
    examples = [block for block in blocks(name, "yaml") if "\nfamily: " in block]
    assert examples
    for number, example in enumerate(examples):
        path = tmp_path / f"example{number}.stbench.yaml"
        path.write_text(example, encoding="utf-8")
        assert load_task(path, builtin_registry()).spec.name == "mytask"


def test_parts_of_task_files_are_valid(tmp_path):
    whole = next(block for block in blocks("docs/task-files.md", "yaml") if "\nfamily: " in block)
    parts = [
        block for block in blocks("docs/task-files.md", "yaml") if block != whole and "extends" not in block
    ]
    assert len(parts) >= 4
    for number, part in enumerate(parts):
        path = tmp_path / f"part{number}.stbench.yaml"
        path.write_text(whole + part, encoding="utf-8")
        load_task(path, builtin_registry())


def models_in(annotation):
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)
    for argument in typing.get_args(annotation):
        yield from models_in(argument)


def test_every_key_of_a_task_file_is_documented():
    page = text("docs/task-files.md")
    fields = {name for model in models_in(TaskSpec) for name in model.model_fields} - {"name", "params"}
    assert {name for name in fields if not re.search(rf"\b{name}\b", page)} == set()


def test_every_user_property_is_documented():
    from pytest_stbench.collection.properties import GATE_FIELDS, SCORE_FIELDS

    page = text("docs/outcomes.md")
    named = set(re.findall(r"`stbench\.(\w+)`", page))
    assert {*SCORE_FIELDS, *GATE_FIELDS, "undefined", "check"} == named


def test_statistics_page_is_what_the_command_writes():
    space = runpy.run_path(str(ROOT / "tests" / "calibration" / "gate_rule.py"))
    page = text("docs/statistics.md")
    for n in (6, 17):
        false, power, coverage = space["rates"](n)
        number = space["number"]
        rates = " | ".join(map(number, (*false, *power)))
        row = f"| {n} | {rates} | {' / '.join(map(number, coverage))} |"
        assert row in page, "run: python tests/calibration/gate_rule.py --write docs/statistics.md"
    prose = (ROOT / "tests" / "calibration" / "gate_rule.md").read_text("utf-8")
    for part in re.split(r"\{\w+(?::,)?\}", prose):
        assert part in page


def test_example_of_a_metric_of_ones_own():
    code = next(block for block in blocks("docs/extending.md", "python") if "def median_error" in block)
    space: dict = {"__name__": "conftest"}
    exec(compile(code, "docs/extending.md", "exec"), space)
    truth = np.array([[0.0, np.nan], [2.0, np.nan], [4.0, np.nan]])
    found = space["median_error"](truth, np.ones((3, 2)), measured=np.array([True, False]), genes=["A", "B"])
    assert found.values[0] == 1.0
    assert found.reasons.tolist() == ["", "gene_missing"]
    record = record_of(space["median_error"])
    assert (record.name, record.target) == ("median_error", "conftest:median_error")
    assert (record.inputs, record.params) == (("measured", "genes"), {"times": 1.0})
    assert space["pytest_stbench_records"]() == [space["median_error"]]


def test_reference_pages_are_what_the_command_writes(tmp_path):
    done = CliRunner().invoke(main, ["reference", str(tmp_path)])
    assert done.exit_code == 0, done.output
    written = {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text("utf-8") for path in (ROOT / "docs" / "reference").iterdir()}
    assert written == committed, "run: stbench reference docs/reference"


def test_reference_pages_hold_every_record():
    registry = builtin_registry()
    for kind in ("metrics", "checks", "baselines", "families", "splits"):
        page = text(f"docs/reference/{kind}.md")
        for record in getattr(registry, kind):
            assert f"\n## {record.name}\n" in page
            assert record.summary.rstrip(".") in page
