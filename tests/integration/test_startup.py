"""What a pytest run imports before the first item runs: collection stays free of heavy libraries."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_stbench

HEAVY = {
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "anndata",
    "scanpy",
    "skimage",
    "torch",
    "numba",
    "h5py",
    "matplotlib",
    "PIL",
    "rich",
}
PACKAGE = Path(pytest_stbench.__file__).parent
CATALOGUES = sorted(
    ".".join(("pytest_stbench", *path.relative_to(PACKAGE).with_suffix("").parts))
    for name in ("catalogue.py", "declare.py")
    for path in PACKAGE.rglob(name)
)
TASKS = Path(__file__).parents[2] / "tasks"
PYTEST = "import sys, pytest; code = pytest.main(sys.argv[1:])"
RUN = ("-p", "pytest_stbench.plugin", "-p", "no:cacheprovider", "-q")


def start(code, *arguments, cwd):
    """Run Python code; return ``code``, output and what was imported, whether logged or still there."""
    report = "; print('IMPORTED', *sys.modules, file=sys.stderr); sys.exit(globals().get('code', 0))"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code + report, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
    )
    (still_there,) = re.findall(r"^IMPORTED (.*)$", done.stderr, flags=re.MULTILINE)
    logged = re.findall(r"^import time: .*\|\s*(\S+)$", done.stderr, flags=re.MULTILINE)
    return done.returncode, done.stdout + done.stderr[-3000:], {*logged, *still_there.split()}


def heavy(imported):
    return sorted({name.partition(".")[0] for name in imported} & HEAVY)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A configuration file of its own, so that no outer one adds options."""
    path = tmp_path_factory.mktemp("config") / "pytest.ini"
    path.write_text("[pytest]\n")
    return ("-c", path)


@pytest.mark.parametrize(
    "options", [(), ("--stbench-model=ridge",), ("--stbench-model=ridge", "--stbench-model=coords")]
)
def test_collecting_the_shipped_tasks_imports_nothing_heavy(tmp_path, config, options):
    code, out, imported = start(PYTEST, *RUN, "--collect-only", *config, TASKS, *options, cwd=tmp_path)
    assert code == 0, out
    assert "contract[" in out
    assert "pytest_stbench.collection.module" in imported
    assert heavy(imported) == []


def test_a_run_that_makes_no_input_does_without_tables_of_others(tmp_path):
    """Where every prediction is stored nothing is handed to a model: scores need arrays alone."""
    modules = ("collection.perform", "collection.model_checks", "run.runner", "data.simulate.source")
    code = f"import sys, {', '.join(f'pytest_stbench.{name}' for name in modules)}"
    code, out, imported = start(code, cwd=tmp_path)
    assert code == 0, out
    assert "numpy" in imported
    assert imported.isdisjoint({"pandas", "anndata", "h5py", "zarr", "pyarrow", "scipy.ndimage", "numba"})


def test_the_log_of_imports_shows_what_is_heavy(tmp_path):
    _, _, imported = start("import sys, numpy", cwd=tmp_path)
    assert heavy(imported) == ["numpy"]


def test_catalogues_import_nothing_heavy(tmp_path):
    assert len(CATALOGUES) >= 19
    code, out, imported = start(f"import sys, {', '.join(CATALOGUES)}", cwd=tmp_path)
    assert code == 0, out
    assert set(CATALOGUES) <= imported
    assert heavy(imported) == []


def test_without_task_files_the_plugin_is_next_to_nothing(tmp_path, config):
    (tmp_path / "test_other.py").write_text("def test_one(): pass\n")
    code, out, imported = start(PYTEST, *RUN, "--collect-only", *config, tmp_path, cwd=tmp_path)
    assert code == 0, out
    assert "test_one" in out
    ours = {name for name in imported if name.partition(".")[0] == "pytest_stbench"}
    assert ours == {f"pytest_stbench{name}" for name in ("", ".hooks", ".plugin", ".spec")}
    assert imported.isdisjoint({"yaml", "pydantic", "pydantic_core", "click", "filelock"})
    assert heavy(imported) == []


def test_a_run_without_task_files_is_as_light(tmp_path, config):
    (tmp_path / "test_other.py").write_text("def test_one(): pass\n")
    code, out, imported = start(PYTEST, *RUN, *config, tmp_path, cwd=tmp_path)
    assert code == 0, out
    assert "1 passed" in out
    assert not {name for name in imported if name.startswith("pytest_stbench.collection")}
    assert imported.isdisjoint({"yaml", "pydantic"})
