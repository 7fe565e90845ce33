"""The models of the documentation run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGES = {"datasets": {"sim": {"params": {"image": True}}}, "family": "expression", "imputation": None}
FOLDS = {"splits": [{"pgkf": {"k": 2}}], "metrics": ["spearman_gene"]}


def conftest_of(page):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    return next(block for block in blocks if "def mymodel()" in block)


@pytest.mark.parametrize(
    ("page", "changes"),
    [("README.md", {}), ("README.md", IMAGES), ("docs/models.md", IMAGES)],
    ids=["readme-imputation", "readme-expression", "models-expression"],
)
def test_model_of_the_page_meets_its_contract(make_bench, page, changes):
    bench = make_bench()
    bench.write("conftest.py", conftest_of(page))
    bench.task(**{**FOLDS, **changes})
    run = bench.run("--stbench-model=mymodel", "--stbench-store=.own", "-k", "contract or spearman_gene")
    assert run.of("passed"), run.out
    assert {run.outcome(name) for name in run.names if name.startswith("contract")} == {"passed"}
    assert run.properties("spearman_gene[sim-pgkf]")["stbench.model"] == "mymodel"
    assert "model mymodel 2.1.0" in run.out
    assert "has no identity" not in run.out


def test_readme_model_for_imputation_is_the_training_mean(make_bench):
    bench = make_bench()
    bench.write("conftest.py", conftest_of("README.md"))
    bench.task(**FOLDS)
    run = bench.run("--stbench-model=mymodel", "--stbench-store=.own", "-k", "spearman_gene")
    assert run.properties("spearman_gene[sim-pgkf]")["stbench.value"] == 0
