"""Whole pytest runs on small simulated task files, in this process or in one of their own."""

from __future__ import annotations

import contextlib
import copy
import gc
import importlib
import io
import os
import pkgutil
import subprocess
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

import pytest_stbench

MINI = {
    "stbench": 1,
    "name": "mini",
    "version": 1,
    "family": "imputation",
    "datasets": {
        "sim": {
            "source": "simulated",
            "params": {"patients": 6, "units": 60, "genes": 80, "image": False},
            "technology": "Visium",
            "resolution": "spot",
            "panel": "simulated",
            "organ": "breast",
            "disease": "carcinoma",
            "preservation": "FFPE",
        }
    },
    "splits": ["lopo"],
    "preprocess": {
        "filter": {"min_counts": 100, "min_genes": 20},
        "genes": {"select": "svg", "n": 10},
    },
    "imputation": {"hide": {"folds": 4, "fold": 1}},
    "metrics": ["spearman_gene", "rmse"],
}

MEAN = '''
import numpy as np
import pytest


class Mean:
    """The mean of the training units, gene by gene."""

    def fit(self, train, task):
        self.mean = np.nanmean(np.concatenate([slide.target for slide in train]), axis=0)

    def impute(self, slide, observed_genes, target_genes):
        return np.tile(self.mean, (slide.n_units, 1)).astype(np.float32)

    def predict_expression(self, slide, genes):
        return np.tile(self.mean, (slide.n_units, 1)).astype(np.float32)


@pytest.fixture
def mean():
    return Mean()

'''
"""Start of a conftest.py: a model without identity, as the fixture ``mean``."""

# No second look for what was not raised (five collections of garbage a run), and no rewriting of assertions,
# for which every file of every plugin is listed: a quarter of the time of small runs.
PLAIN = (
    "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:unraisableexception", "--assert=plain",
)  # fmt: skip
OTHERS = {"-n": "xdist.plugin", "--randomly": "pytest_randomly"}
"""Plugins of others by how their arguments begin."""


def plugins(*arguments):
    """Return the environment in which this plugin is loaded, and those whose arguments are given.

    The entry points of all that is installed are read at every start, in workers too, and one of them
    imports numba.
    """
    others = [name for start, name in OTHERS.items() if any(str(a).startswith(start) for a in arguments)]
    return {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": ",".join(["pytest_stbench.plugin", *others]),
    }


def changed(base, changes):
    """Return `base` with `changes` laid over it; mappings merge, None removes a key."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = changed(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


@dataclass
class Run:
    """What one pytest run did. Items are named without their file: ``rmse[sim-lopo-P01]``."""

    code: int
    out: str
    names: list[str] = field(default_factory=list)
    nodeids: list[str] = field(default_factory=list)
    reports: dict[str, dict[str, pytest.TestReport]] = field(default_factory=dict)
    categories: dict[str, list[str]] = field(default_factory=dict)
    collect_errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def outcome(self, name):
        """Return the category pytest counts the item in (``passed``, ``blocked`` ...)."""
        found = [category for category, names in self.categories.items() if name in names]
        assert len(found) == 1, f"{name}: {found}\n{self.out}"
        return found[0]

    def of(self, category):
        """Return the items of a category, in the order in which they ran."""
        return self.categories.get(category, [])

    def message(self, name):
        """Return what the item shows for its failure, error or skip."""
        reports = self.reports[name].values()
        return "\n".join(str(r.longreprtext) for r in reports if r.longrepr) or str(
            next((r.longrepr for r in reports if r.longrepr), "")
        )

    def properties(self, name):
        """Return the user properties of an item."""
        return dict(self.reports[name]["call"].user_properties)

    def lines(self, part):
        """Return the lines of the output that hold `part`."""
        return [line for line in self.out.splitlines() if part in line]

    def line(self, part):
        """Return the one line of the output that holds `part`."""
        found = self.lines(part)
        assert len(found) == 1, f"{part!r}: {found}\n{self.out}"
        return found[0]


class Listener:
    """A plugin that writes down what happens in a run."""

    def __init__(self):
        self.run = Run(code=-1, out="")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session):
        self.run.names = [short(item.nodeid) for item in session.items]
        self.run.nodeids = [item.nodeid for item in session.items]

    def pytest_collectreport(self, report):
        if report.failed:
            self.run.collect_errors.append(str(report.longreprtext))

    def pytest_runtest_logreport(self, report):
        self.run.reports.setdefault(short(report.nodeid), {})[report.when] = report

    def pytest_warning_recorded(self, warning_message):
        self.run.warnings.append(str(warning_message.message))

    def pytest_terminal_summary(self, terminalreporter):
        for category, reports in terminalreporter.stats.items():
            if category in ("", "warnings", "deselected"):
                continue
            found = [short(report.nodeid) for report in reports if hasattr(report, "nodeid")]
            self.run.categories[category] = list(dict.fromkeys(found))


def short(nodeid):
    return nodeid.partition("::")[2] or nodeid


class Bench:
    """A folder with task files and a conftest.py, in which pytest is run."""

    def __init__(self, folder, store=None):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        options = f"addopts = --stbench-store={store}" if store else ""
        (folder / "pytest.ini").write_text(f"[pytest]\n{options}\n", encoding="utf-8")

    def task(self, name="mini", /, *layers, **changes):
        """Write ``NAME.stbench.yaml``: the small task with `layers` and `changes`; return its path."""
        path = self.folder / f"{name}.stbench.yaml"
        spec = {**MINI, "name": name}
        for layer in (*layers, changes):
            spec = changed(spec, layer)
        path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
        return path

    def write(self, name, text):
        """Write any file; return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def conftest(self, text=""):
        """Write a conftest.py that knows the class ``Mean``, the fixture ``mean`` and `text`."""
        return self.write("conftest.py", MEAN + text)

    def run(self, *arguments, plain=PLAIN):
        """Run pytest in this process."""
        listener = Listener()
        stream = io.StringIO()
        modules = set(sys.modules)
        path = list(sys.path)
        with (
            # As in a process of its own: what the run around this one makes of warnings is not its business.
            warnings.catch_warnings(),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(stream),
            contextlib.redirect_stderr(stream),
            pytest.MonkeyPatch.context() as patch,
        ):
            warnings.resetwarnings()
            for name, value in plugins(*arguments).items():
                patch.setenv(name, value)
            try:
                code = pytest.main([*plain, *map(str, arguments)], plugins=[listener])
            finally:
                sys.path[:] = path
                for name in set(sys.modules) - modules:
                    if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(self.folder)):
                        del sys.modules[name]
        listener.run.code = int(code)
        listener.run.out = stream.getvalue()
        return listener.run

    def subprocess(self, *arguments, plain=PLAIN, timeout=120, **environment):
        """Run pytest in a process of its own; return what :mod:`subprocess` returns, as text."""
        return subprocess.run(
            [sys.executable, "-m", "pytest", *plain, *map(str, arguments)],
            cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False,
            env={**os.environ, **plugins(*arguments), **environment},
        )  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def _everything_is_imported():
    """Runs in this process must not import numpy and its kind a second time."""
    for module in pkgutil.walk_packages(pytest_stbench.__path__, "pytest_stbench."):
        if module.name != "pytest_stbench.collection.schedule":
            importlib.import_module(module.name)
    # pytest collects garbage five times at the end of every run: what is imported is none.
    gc.collect()
    gc.freeze()


@pytest.fixture
def bench(tmp_path):
    """A folder with the task file ``mini.stbench.yaml`` and a conftest.py with the fixture ``mean``."""
    made = Bench(tmp_path / "bench")
    made.task()
    made.conftest()
    return made


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory):
    """A store in which baselines are computed once for all runs of the same task."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def make_bench(tmp_path_factory, shared_store):
    """Make further folders, ``make_bench("name")``, with one store; for runs shared by tests.

    In the shared store a model with identity needs a name that no other test uses.
    """

    def make(name="bench"):
        made = Bench(Path(tmp_path_factory.mktemp(name, numbered=True)), shared_store)
        made.conftest()
        return made

    return make
