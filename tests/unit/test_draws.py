"""Nothing is drawn but from the streams of the package, whose numbers no library changes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import pytest_stbench

PACKAGE = Path(pytest_stbench.__file__).parent
STREAMS = "kernels/streams.py"
RANDOM_MODULES = {"random", "secrets"}
WORDS = re.compile("random|secrets|rvs|default_rng|RandomState")
"""One of these stands in whatever `draws` is true of: a text without them need not be parsed."""

OTHERS_DRAW = {
    "baselines/hest_probe.py": "randomised components of scikit-learn",
    "kernels/clustering.py": "k-means++ of scikit-learn; Leiden of igraph, seeded",
    "metrics/niche_recluster.py": "k-means++ of scikit-learn",
    "published/moscot.py": "components of scanpy, seeded",
    "published/tangram.py": "the training of Tangram, seeded",
    "published/banksy.py": "components of scanpy, seeded",
    "published/squidpy_neighbourhood.py": "components of scanpy, seeded",
}
"""Where a library draws for itself, by ``random_state``: from RandomState, which numpy has frozen."""

NOT_NUMBERS = (
    "cluster/giving.py", "cluster/on_worker.py", "collection/keep_option.py", "data/atomic.py",
    "data/images/tokens.py", "results/details.py", "store/store.py",
)  # fmt: skip
"""Names of runs, temporary files and open images, which no number depends on."""


def draws(node):
    """Whether a piece of code draws, or imports what does."""
    match node:
        case ast.Attribute(attr="random", value=ast.Name(id="np" | "numpy")):
            return True
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name in {"rvs", "default_rng", "RandomState"}
        case ast.Import(names=names):
            return any(name.name in RANDOM_MODULES for name in names)
        case ast.ImportFrom(module=name):
            return name in {*RANDOM_MODULES, "numpy.random"}
        case ast.keyword(arg=name):
            return name == "random_state"
    return False


def draws_of(source):
    """Line numbers of everything that draws."""
    if not WORDS.search(source):
        return []
    return [node.lineno for node in ast.walk(ast.parse(source)) if draws(node)]


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nrng = np.random.default_rng(0)",
        "from numpy.random import default_rng\ndefault_rng(0)",
        "import random",
        "from scipy.stats import norm\nnorm.rvs(3)",
        "KMeans(3, random_state=0)",
        "np.random.RandomState(0)",
        "numpy.random.Generator(bits)",
    ],
)
def test_draws_are_found(source):
    assert draws_of(source)


def test_what_draws_nothing_is_left_alone():
    assert not draws_of(
        "from pytest_stbench.kernels.streams import stream\nstream(0, 'a').normal(3)\nnp.sort(x)"
    )


def test_nothing_else_draws():
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        lines = draws_of(path.read_text(encoding="utf-8"))
        if lines and name not in {STREAMS, *OTHERS_DRAW, *NOT_NUMBERS}:
            found[name] = lines
    assert not found, "draw from pytest_stbench.kernels.streams.stream"


@pytest.mark.parametrize("name", [STREAMS, *OTHERS_DRAW, *NOT_NUMBERS])
def test_exceptions_are_needed(name):
    assert draws_of((PACKAGE / name).read_text(encoding="utf-8"))
