"""Change the formulas of a module one at a time and see whether its tests notice.

For developers; pytest does not collect it. From the root of the repository::

    python tests/mutation/mutate.py metrics/correlation kernels --most 20 --seed 0

Each argument is a module of the package or a folder of modules. The package is copied to a
temporary folder, each mutant is written there, never to `src`, and the tests that belong to its
module run against the copy: in the folder of its package the test files that are named after the
module, import it or mention one of its public names; without any, those of the modules beside it
that import it. A mutant is killed if a test fails, and
survives if none does: either it computes the same or a test is missing. The output is a table by
module and the list of survivors. With the same seed the same mutants are made. Processes are
forked after the libraries are imported, so this runs where `os.fork` exists, one test run at a time.
"""

from __future__ import annotations

import argparse
import ast
import gc
import importlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from mutants import Mutant, mutants, sample

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "pytest_stbench"
LIBRARIES = (
    "numpy", "scipy.stats", "scipy.sparse.csgraph", "scipy.spatial", "scipy.ndimage", "pandas",
    "sklearn.metrics", "sklearn.linear_model", "sklearn.cluster", "sklearn.decomposition",
    "skimage.metrics", "skimage.measure", "anndata", "scanpy", "numba", "pydantic", "hypothesis.extra.numpy",
)  # fmt: skip


def main() -> int:
    """Run the mutants of the modules named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="+", help="such as metrics/correlation, or kernels for all of them")
    parser.add_argument("--most", type=int, default=20, help="mutants of each module (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="which of them are taken (default 0)")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for the tests of a mutant")
    parser.add_argument("--tests", nargs="*", type=Path, help="run these tests instead of the module's own")
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    for library in LIBRARIES:
        importlib.import_module(library)
    # pytest collects garbage at its end, which should not walk through every library.
    gc.freeze()
    survivors: list[str] = []
    say("| module | mutants | killed | survived | timed out | tests |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "src"
        shutil.copytree(ROOT / "src", copy)
        # An installed package has the shipped task files inside.
        shutil.copytree(ROOT / "tasks", copy / PACKAGE / "resources" / "tasks")
        os.environ["PYTHONPATH"] = str(copy)
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(Path(folder) / "hypothesis")
        for module in modules(options.modules):
            survivors += judge(module, copy, options)
    say("\nSurvivors:")
    say("\n".join(survivors) or "none")
    return 1 if survivors else 0


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def modules(named: list[str]) -> list[Path]:
    """Return the modules, relative to the package."""
    package = ROOT / "src" / PACKAGE
    found: list[Path] = []
    for name in named:
        paths = (
            sorted((package / name).rglob("*.py")) if (package / name).is_dir() else [package / f"{name}.py"]
        )
        found += [path.relative_to(package) for path in paths]
    return found


def judge(module: Path, copy: Path, options: argparse.Namespace) -> list[str]:
    """Run the mutants of one module; print its row and return a line for each survivor."""
    target = copy / PACKAGE / module
    source = target.read_text(encoding="utf-8")
    tests = options.tests or tests_of(module, source)
    chosen = sample(mutants(source), options.most, options.seed)
    if not tests or not chosen:
        say(f"| {module} | {len(chosen)} | | | | {len(tests)} files |")
        return [f"{module}: no test file belongs to it"] if chosen else []
    outcome = run(tests, options.timeout, copy, keep_bytecode=True)
    if outcome != "survived":
        say(f"| {module} | | | | | {outcome} as it is |")
        return [f"{module}: {outcome} as it is"]
    outcomes: Counter[str] = Counter()
    lines = []
    for mutant in chosen:
        target.write_text(mutant.apply(source), encoding="utf-8")
        outcome = run(tests, options.timeout, copy)
        outcomes[outcome] += 1
        if outcome == "survived":
            lines.append(described(module, mutant, source))
    target.write_text(source, encoding="utf-8")
    counts = " | ".join(str(outcomes[outcome]) for outcome in ("killed", "survived", "timed out"))
    say(f"| {module} | {len(chosen)} | {counts} | {len(tests)} files |")
    for line in lines:
        say(line)
    return lines


def described(module: Path, mutant: Mutant, source: str) -> str:
    """Return one line about a mutant: place, change and the line it changes."""
    text = source.splitlines()[mutant.line - 1].strip()
    return f"{module}:{mutant.line} {mutant.within}: {mutant.before} -> {mutant.after} in `{text}`"


def tests_of(module: Path, source: str) -> list[Path]:
    """Return the test files that belong to a module, those named after it first."""
    found = _own_tests(module, source)
    if found:
        return found
    dotted = ".".join((PACKAGE, *module.with_suffix("").parts))
    for path in sorted((ROOT / "src" / PACKAGE / module.parent).glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if f"from {dotted} import" in text:
            found += _own_tests(path.relative_to(ROOT / "src" / PACKAGE), text)
    return list(dict.fromkeys(found))


def _own_tests(module: Path, source: str) -> list[Path]:
    dotted = ".".join((PACKAGE, *module.with_suffix("").parts))
    parent, _, stem = dotted.rpartition(".")
    public = [
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    mine = re.compile(
        rf"\b(from {dotted} import|import {dotted}\b|from {parent} import .*\b{stem}\b"
        rf"|(?:{'|'.join(public) or dotted})(?=[\"'(\]]))"
    )
    files = sorted((ROOT / "tests" / "unit" / module.parent).glob("test_*.py"))
    found = [path for path in files if mine.search(path.read_text(encoding="utf-8"))]
    return sorted(found, key=lambda path: path.stem != f"test_{stem}")


def run(tests: list[Path], timeout: float, copy: Path, *, keep_bytecode: bool = False) -> str:
    """Run the tests against the copy in a process of its own: ``killed``, ``survived`` or ``timed out``.

    The bytecode of a mutant must not be kept: two mutants of one size and second look the same to it.
    """
    child = os.fork()
    if child == 0:
        os.setsid()
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        os._exit(_tested(tests, copy, keep_bytecode=keep_bytecode))
    ends = time.monotonic() + timeout
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "survived" if os.waitstatus_to_exitcode(status) == 0 else "killed"
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timed out"


def _tested(tests: list[Path], copy: Path, *, keep_bytecode: bool) -> int:
    try:
        import pytest

        os.chdir(ROOT)
        sys.path.insert(0, str(copy))
        sys.dont_write_bytecode = not keep_bytecode
        options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
        return int(pytest.main([*options, *map(str, tests)], plugins=[_NoShrinking()]))
    except BaseException:  # noqa: BLE001 - the forked process must end here, whatever happens
        return 1


class _NoShrinking:
    """A failing example is enough: its smallest form takes time and tells nothing here."""

    def pytest_configure(self) -> None:
        from hypothesis import Phase, settings

        settings.register_profile(
            "mutation", settings.get_profile("default"), phases=[Phase.explicit, Phase.generate]
        )
        settings.load_profile("mutation")


if __name__ == "__main__":
    sys.exit(main())
