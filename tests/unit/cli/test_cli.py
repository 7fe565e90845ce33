from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from pytest_stbench import __version__
from pytest_stbench.cli import COMMANDS, main
from pytest_stbench.registry import load_target
from pytest_stbench.run.installed import builtin_registry

TASK = """\
extends: _b.stbench-inc.yaml
name: {name}
datasets: {{d: {{source: {source}, path: x.h5ad}}}}
"""
FRAGMENT = "stbench: 1\nversion: 1\nfamily: expression\n"


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    folder = tmp_path / "shipped"
    (folder / "more").mkdir(parents=True)
    (folder / "a.stbench.yaml").write_text(TASK.format(name="a", source="simulated"))
    (folder / "_b.stbench-inc.yaml").write_text(FRAGMENT)
    (folder / "more" / "c.stbench.yaml").write_text(
        TASK.format(name="longer-name", source="h5ad").replace("_b", "../_b")
    )
    (folder / "notes.txt").write_text("no task file")
    monkeypatch.setattr("pytest_stbench.cli.tasks.tasks_dir", lambda: folder)
    return folder


def _run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def _files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_tasks_list(shipped):
    result = _run("tasks", "list")

    assert result.exit_code == 0
    assert [line.split("  ") for line in result.output.splitlines()]
    rows = [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in result.output.splitlines()
    ]
    assert rows == [
        ["NAME", "FAMILY", "CLAIM", "DATASETS", "NEEDS DATA"],
        ["a", "expression", "population", "d", "no"],
        ["longer-name", "expression", "population", "d", "yes"],
    ]


def test_tasks_copy_makes_a_folder_that_is_valid(shipped, tmp_path):
    target = tmp_path / "new" / "tasks"

    assert _run("tasks", "copy", target).exit_code == 0

    assert _files(target) == {"a.stbench.yaml", "_b.stbench-inc.yaml", "more/c.stbench.yaml"}
    assert _run("validate", target).exit_code == 0


def test_tasks_copy_overwrites_only_when_told(shipped, tmp_path):
    target = tmp_path / "tasks"
    target.mkdir()
    (target / "a.stbench.yaml").write_text("mine")

    refused = _run("tasks", "copy", target)

    assert refused.exit_code == 2
    assert "a.stbench.yaml" in refused.output
    assert "--force" in refused.output
    assert _files(target) == {"a.stbench.yaml"}
    assert (target / "a.stbench.yaml").read_text() == "mine"
    assert _run("tasks", "copy", "--force", target).exit_code == 0
    assert (target / "a.stbench.yaml").read_text() != "mine"
    assert _run("tasks", "copy", target).exit_code == 0


def test_tasks_copy_leaves_nothing_half_written(shipped, tmp_path, monkeypatch):
    target = tmp_path / "tasks"
    target.mkdir()
    write_bytes = type(target).write_bytes
    written = []

    def full_disk(path, data):
        if written:
            raise OSError(28, "No space left on device", str(path))
        written.append(path)
        return write_bytes(path, data)

    monkeypatch.setattr(type(target), "write_bytes", full_disk)

    result = _run("tasks", "copy", target)

    assert result.exit_code == 2
    assert "No space left" in result.output
    assert list(target.iterdir()) == []


def test_tasks_copy_to_a_file_is_refused(shipped, tmp_path):
    target = tmp_path / "file"
    target.touch()

    result = _run("tasks", "copy", target)

    assert result.exit_code == 2
    assert "is a file" in result.output


def test_schema_is_json(tmp_path):
    printed = _run("schema")
    written = _run("schema", "--output", tmp_path / "schema.json")

    assert printed.exit_code == written.exit_code == 0
    families = json.loads(printed.output)["properties"]["family"]["enum"]
    assert families == list(builtin_registry().families.names)
    assert (tmp_path / "schema.json").read_text() == printed.output
    assert _files(tmp_path) == {"schema.json"}


def test_schema_to_a_folder_is_refused(tmp_path):
    result = _run("schema", "--output", tmp_path)

    assert result.exit_code == 2
    assert "name a file" in result.output


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere"
)
def test_schema_where_nothing_can_be_written(tmp_path):
    tmp_path.chmod(0o500)

    result = _run("schema", "--output", tmp_path / "schema.json")

    assert result.exit_code == 2
    assert "cannot write" in result.output


def test_validate_tells_all_problems_of_all_files(tmp_path):
    good, bad, worse = (tmp_path / f"{name}.stbench.yaml" for name in ("good", "bad", "worse"))
    text = FRAGMENT + "name: a\ndatasets: {d: {source: simulated}}\n"
    good.write_text(text)
    bad.write_text(text + "titel: x\nclaim: y\n")
    worse.write_text("a: [\n")

    result = _run("validate", bad, good, worse)

    assert result.exit_code == 2
    assert f"{good}: valid" in result.output
    assert f"{bad}:6: titel: " in result.output
    assert f"{bad}:7: claim: " in result.output
    assert f"{worse}:2: YAML: " in result.output
    assert "Traceback" not in result.output
    assert "Error: " not in result.output


def test_validate_says_which_files_are_no_task_files(tmp_path):
    other = tmp_path / "a.yaml"
    other.touch()

    for path, part in (
        (other, "NAME.stbench.yaml"),
        (tmp_path, "no task files"),
        (tmp_path / "x.stbench.yaml", "read"),
    ):
        result = _run("validate", path)
        assert result.exit_code == 2
        assert part in result.output


def test_an_unknown_command_is_told_with_the_nearest():
    result = _run("validat")

    assert result.exit_code == 2
    assert "did you mean 'validate'" in result.output


WARNED = """
import warnings
import click
from pytest_stbench import cli
from pytest_stbench.errors import StbenchWarning

def warned():
    warnings.warn("the disk is full", StbenchWarning)
    warnings.warn("of a library", UserWarning)

cli.load_target = lambda _: click.Command("check", callback=warned)
cli.main(["check"])
"""


def test_warnings_of_the_package_are_their_text_alone():
    done = subprocess.run([sys.executable, "-c", WARNED], capture_output=True, text=True, check=True)
    first, second = done.stderr.splitlines()[:2]
    assert first == "warning: the disk is full"
    assert second.endswith("UserWarning: of a library")


def test_help_and_version():
    assert __version__ in _run("--version").output
    text = _run("--help").output
    assert all(name in text for name in COMMANDS)
    assert all(load_target(target).help for target in COMMANDS.values())


def test_the_command_starts_without_heavy_imports():
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom pytest_stbench.cli import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0\n"
        "print([m for m in ('numpy', 'pandas', 'pydantic', 'yaml', 'pytest') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["check", "describe", "new", "data verify"])
def test_the_data_folder_has_the_name_of_pytest_and_the_one_it_had(command):
    shown = CliRunner().invoke(main, [*command.split(), "--help"]).output
    assert "--stbench-data, --data-root" in shown
