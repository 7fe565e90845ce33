from __future__ import annotations

import pytest
import yaml
from jsonschema import Draft202012Validator

from pytest_stbench.resources import tasks_dir
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec.schema import json_schema
from pytest_stbench.spec.validate import load_task

SHIPPED = sorted(tasks_dir().rglob("*.stbench.yaml"))


def test_there_are_shipped_task_files():
    assert SHIPPED


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_task_files_are_valid(path):
    registry = builtin_registry()

    load_task(path, registry)

    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    errors = Draft202012Validator(json_schema(registry)).iter_errors(document)
    assert [error.message for error in errors] == []
