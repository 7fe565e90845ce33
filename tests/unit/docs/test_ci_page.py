"""The workflows of docs/ci.md are what GitHub and GitLab take, by the schemas that check-jsonschema ships."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

PAGE = (Path(__file__).parents[3] / "docs" / "ci.md").read_text("utf-8")
WORKFLOWS = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, flags=re.DOTALL))
SCHEMAS = {".github/workflows/release-gate.yml": "github-workflows", ".gitlab-ci.yml": "gitlab-ci"}


def judged(schema, path):
    main = pytest.importorskip("check_jsonschema", reason="the extra `docs` has check-jsonschema").main
    return CliRunner().invoke(main, ["--builtin-schema", f"vendor.{schema}", str(path)])


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_workflow_is_valid(name, tmp_path):
    path = tmp_path / "workflow.yml"
    path.write_text(WORKFLOWS[name], encoding="utf-8")
    done = judged(SCHEMAS[name], path)
    assert done.exit_code == 0, done.output


def test_mistakes_would_be_found(tmp_path):
    path = tmp_path / "workflow.yml"
    path.write_text(WORKFLOWS[".github/workflows/release-gate.yml"].replace("runs-on", "runs_on"), "utf-8")
    assert judged("github-workflows", path).exit_code == 1
    path.write_text(WORKFLOWS[".gitlab-ci.yml"].replace("paths: [runs]", "path: [runs]"), "utf-8")
    assert judged("gitlab-ci", path).exit_code == 1


def test_both_gate_with_the_same_commands():
    github = yaml.safe_load(WORKFLOWS[".github/workflows/release-gate.yml"])
    steps = [step["run"].split() for step in github["jobs"]["gate"]["steps"] if "run" in step]
    gitlab = yaml.safe_load(WORKFLOWS[".gitlab-ci.yml"])["release gate"]
    assert steps == [line.split() for line in [*gitlab["script"], *gitlab["after_script"]]]
