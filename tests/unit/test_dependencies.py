"""What the package imports is what it declares."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from pathlib import Path

import pytest_stbench

PACKAGE = Path(pytest_stbench.__file__).parent
NAMES = {
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "xdist": "pytest-xdist",
    "yaml": "pyyaml",
}
BROUGHT = {"pydantic_core": "pydantic"}
"""Imported packages that another one pins to the version it needs."""
FOR_DEVELOPERS = ("test", "dev")


def imported():
    """The distributions that the package imports, inside functions as well."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
                name = node.args[0]
                found.update({name.value.partition(".")[0]} if isinstance(name, ast.Constant) else ())
    others = found - set(sys.stdlib_module_names) - {"pytest_stbench"}
    return {NAMES.get(name, BROUGHT.get(name, name)) for name in others}


def declared():
    """The distributions that the package needs, those of extras for users among them."""
    found = set()
    for requirement in importlib.metadata.requires("pytest-stbench"):
        extra = re.search(r"extra == ['\"](\w+)['\"]", requirement)
        if extra is None or extra[1] not in FOR_DEVELOPERS:
            found.add(re.match(r"[\w.-]+", requirement)[0].lower())
    return found


def test_every_import_is_declared_and_every_dependency_imported():
    assert imported() == declared()
