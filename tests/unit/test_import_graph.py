"""Imports run downwards, never sideways between packages of one level, and pytest stays outside.

What the package imports is what it declares.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import pytest_stbench

PACKAGE = Path(pytest_stbench.__file__).parent
DECLARED = "families.*.declare"
"""What of families is read at collection, and what they share of it: above task files, below arrays."""

LAYERS = (
    ("__init__",),
    ("errors",),
    ("registry",),
    ("extend",),
    ("index",),
    ("resources",),
    ("spec", "splits"),
    (DECLARED,),
    ("kernels",),
    ("data",),
    ("metrics", "checks", "baselines", "models", "preprocess"),
    ("results", "families", "adapters"),
    ("published",),
    ("store",),
    ("calls", "gate"),
    ("run",),
    ("report",),
    ("collection",),
    ("cluster",),
    ("cli",),
    ("api",),
    ("hooks",),
    ("plugin",),
)
LEVEL = {unit: level for level, units in enumerate(LAYERS) for unit in units}
MAY_IMPORT_PYTEST = ("collection", "plugin")
NAMES = {
    "lazy_loader": "lazy-loader",
    "openslide": "openslide-python",
    "PIL": "pillow",
    "banksy": "pybanksy",
    "lazyslide_models": "lazyslide-models",
    "skimage": "scikit-image",
    "scvi": "scvi-tools",
    "sklearn": "scikit-learn",
    "tangram": "tangram-sc",
    "xdist": "pytest-xdist",
    "yaml": "pyyaml",
}
BROUGHT = {"pydantic_core": "pydantic"}
"""Imported packages that another one pins to the version it needs."""
FOR_DEVELOPERS = ("test", "dev", "docs")
LOADED_BY_OTHERS = {"igraph", "openslide-bin"}
"""Requirements that another one imports: scanpy for Leiden, the library behind openslide-python."""


@dataclass(frozen=True)
class Import:
    """One import statement: the module it stands in, what it names, whether it runs on import."""

    module: str
    target: str
    at_import: bool


def modules_of(package):
    """Every module of the package by its dotted name, relative to the package."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports_of(package):
    """Every import of the package, those of functions and TYPE_CHECKING blocks included."""
    name = package.name
    modules = modules_of(package)
    found = []
    for module, path in modules.items():
        for node, at_import in statements_of(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            else:
                source = node.module or ""
                if node.level:
                    folder = [name, *module.split(".")]
                    folder = folder if path.name == "__init__.py" and module != "__init__" else folder[:-1]
                    source = ".".join([*folder[: len(folder) - node.level + 1], *filter(None, [node.module])])
                targets = [resolved(source, alias.name, name, modules) for alias in node.names]
            found.extend(Import(module, target, at_import) for target in targets)
    return found


def resolved(source, attribute, name, modules):
    """``from source import attribute`` as the module it needs."""
    whole = f"{source}.{attribute}"
    return whole if whole.removeprefix(f"{name}.") in modules or source == name else source


def statements_of(node, at_import=True):
    """Every statement of import below a node, and whether it runs when the module is imported."""
    for below in ast.iter_child_nodes(node):
        if isinstance(below, ast.Import | ast.ImportFrom):
            yield below, at_import
        elif isinstance(below, ast.If) and "TYPE_CHECKING" in ast.unparse(below.test):
            yield from statements_of(ast.Module(below.body, []), False)
            yield from statements_of(ast.Module(below.orelse, []), at_import)
        elif not isinstance(below, ast.expr):
            function = isinstance(below, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from statements_of(below, at_import and not function)


def unit_of(target, package, units):
    """The file or package below the top that a dotted name belongs to; None for other packages."""
    head, _, rest = target.partition(".")
    if head != package.name:
        return None
    unit = layer_of(rest)
    return unit if unit in units else "__init__"


def layer_of(module):
    """The unit of a module: what stands below the package, but for declarations of families."""
    head, _, rest = module.partition(".")
    return DECLARED if head == "families" and (rest == "settings" or "declare" in rest.split(".")) else head


def level_faults(package):
    units = {layer_of(module) for module in modules_of(package)}
    faults = [f"{unit} has no level" for unit in sorted(units - LEVEL.keys())]
    for found in imports_of(package):
        here = layer_of(found.module)
        there = unit_of(found.target, package, units)
        if there is None or there == here or here not in LEVEL or there not in LEVEL:
            continue
        if LEVEL[there] >= LEVEL[here]:
            direction = "upwards" if LEVEL[there] > LEVEL[here] else "sideways"
            faults.append(f"{found.module} imports {found.target} {direction}")
    return faults


def pytest_faults(package):
    faults = []
    for found in imports_of(package):
        top = found.target.partition(".")[0]
        if top == "_pytest":
            faults.append(f"{found.module} imports {found.target}, which is private")
        if top in ("pytest", "pluggy") and found.module.partition(".")[0] not in MAY_IMPORT_PYTEST:
            faults.append(f"{found.module} imports {top}")
    return faults


def cycles(package):
    """Modules that need each other to be imported."""
    modules = modules_of(package)
    needs = {module: set() for module in modules}
    for found in imports_of(package):
        target = found.target.removeprefix(f"{package.name}.")
        if found.at_import and target in modules and target != found.module:
            needs[found.module].add(target)

    def reachable(start):
        seen, waiting = set(), list(needs[start])
        while waiting:
            module = waiting.pop()
            if module not in seen:
                seen.add(module)
                waiting.extend(needs[module])
        return seen

    return sorted(module for module in modules if module in reachable(module))


def distributions(package):
    """The distributions that the package imports, inside functions and by a call as well."""
    found = {one.target.partition(".")[0] for one in imports_of(package)}
    for path in modules_of(package).values():
        found.update(re.findall(r"import_module\(\s*[\"'](\w+)", path.read_text(encoding="utf-8")))
    others = found - set(sys.stdlib_module_names) - {package.name}
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
    assert distributions(PACKAGE) | LOADED_BY_OTHERS == declared()


def test_imports_run_downwards():
    assert level_faults(PACKAGE) == []


def test_pytest_is_imported_by_its_side_alone():
    assert pytest_faults(PACKAGE) == []


def test_no_module_needs_itself():
    assert cycles(PACKAGE) == []


def test_the_graph_is_not_empty():
    found = imports_of(PACKAGE)
    assert {"run", "plugin", "collection"} <= {one.module.partition(".")[0] for one in found}
    assert any(one.target == "pytest_stbench.errors" for one in found)
    assert any(not one.at_import and one.target.startswith("pytest_stbench.") for one in found)


CLEAN = {
    "__init__.py": "__version__ = '1'\n",
    "errors.py": "",
    "registry.py": "from PKG.errors import StbenchError\n",
    "run/__init__.py": "",
    "run/keys.py": "from PKG import __version__\nfrom PKG.run import store\n",
    "run/store.py": "import os\n",
    "metrics/__init__.py": "",
    "metrics/mean.py": "",
    "checks/__init__.py": "",
    "checks/one.py": "from PKG.registry import Check\n",
    "collection/__init__.py": "",
    "collection/items.py": "import pytest\nfrom PKG.run.store import Store\n",
}


@pytest.fixture
def synthetic(tmp_path):
    def make(**changes):
        package = tmp_path / "package"
        for name, text in {**CLEAN, **{n.replace("__", "/") + ".py": t for n, t in changes.items()}}.items():
            path = package / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("PKG", package.name))
        return package

    return make


def test_a_clean_package_has_no_fault(synthetic):
    package = synthetic()
    assert level_faults(package) == pytest_faults(package) == cycles(package) == []


@pytest.mark.parametrize(
    "statement",
    [
        "from PKG.run.store import Store",
        "from PKG.run import store",
        "from PKG import run",
        "import PKG.run.store",
        "from ..run import store",
        "from ..run.store import Store",
        "if True:\n    from PKG.run import store",
        "def f():\n    from PKG.run import store",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from PKG.run import store",
    ],
)
def test_an_upward_import_is_found(synthetic, statement):
    (fault,) = level_faults(synthetic(metrics__mean=statement + "\n"))
    assert "metrics.mean imports package.run" in fault
    assert fault.endswith("upwards")


def test_a_sideways_import_is_found(synthetic):
    faults = level_faults(synthetic(metrics__mean="from PKG.checks.one import x\n"))
    assert faults == ["metrics.mean imports package.checks.one sideways"]


@pytest.mark.parametrize(
    ("module", "statement", "faults"),
    [
        ("families__niches__declare", "from PKG.spec.block import Block", []),
        ("spec__block", "from PKG.families.niches.declare import Niches", ["upwards"]),
        ("families__niches__declare", "from PKG.families.niches import ask", ["upwards"]),
        ("families__niches__declare", "from PKG.metrics import mean", ["upwards"]),
        ("families__niches__ask", "from PKG.families.niches.declare import Niches", []),
    ],
)
def test_a_family_is_declared_below_arrays(synthetic, module, statement, faults):
    package = synthetic(
        spec__block="",
        families__niches__declare="",
        families__niches__ask="",
        families__settings="",
    )
    path = package / (module.replace("__", "/") + ".py")
    path.write_text(statement.replace("PKG", package.name) + "\n")
    assert [fault.rpartition(" ")[2] for fault in level_faults(package)] == faults


def test_a_package_without_level_is_found(synthetic):
    assert level_faults(synthetic(helpers__one="")) == ["helpers has no level"]


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("collection__items", "from _pytest.python import Module"),
        ("run__store", "import pytest"),
        ("run__store", "def f():\n    from pytest import fixture"),
    ],
)
def test_pytest_in_the_wrong_place_is_found(synthetic, module, statement):
    (fault,) = pytest_faults(synthetic(**{module: statement + "\n"}))
    assert fault.startswith(module.replace("__", "."))


def test_distributions_are_found_however_they_are_imported(synthetic):
    text = (
        "from PIL import Image\ndef f():\n    import yaml.reader, os\n    import_module(\n'xdist.remote')\n"
    )
    assert distributions(synthetic(run__store=text)) == {"pillow", "pytest", "pytest-xdist", "pyyaml"}


def test_a_cycle_is_found(synthetic):
    assert cycles(synthetic(run__store="from .keys import cell_key\n")) == ["run.keys", "run.store"]


def test_a_late_import_makes_no_cycle(synthetic):
    assert cycles(synthetic(run__store="def f():\n    from PKG.run.keys import cell_key\n")) == []


def test_a_file_has_less_than_300_lines():
    long = {
        path.name: n for path in PACKAGE.rglob("*.py") if (n := path.read_text("utf-8").count("\n")) >= 300
    }
    assert long == {}


def test_no_module_is_called_as_something_that_its_package_exports():
    """Importing the module would put it in the place of what is exported, as of lazy_loader 0.4."""
    for stub in PACKAGE.rglob("__init__.pyi"):
        exported = set(re.findall(r"import \w+ as (\w+)", stub.read_text(encoding="utf-8")))
        inside = {path.stem for path in stub.parent.iterdir()}
        assert exported, stub
        assert not exported & inside, f"{stub.parent.name}: {exported & inside}"
