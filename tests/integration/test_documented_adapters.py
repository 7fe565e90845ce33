"""The adapters of docs/adapters.md that need nothing beyond the package, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/adapters.md").read_text(encoding="utf-8")
SMALL = {"splits": [{"pgkf": {"k": 2}}]}


def block(heading):
    return "import pytest\n" + re.search(rf"## {heading}\n.*?```python\n(.*?)```", PAGE, flags=re.DOTALL)[1]


@pytest.mark.parametrize(
    ("heading", "changes", "metric"),
    [
        ("Classes", {"family": "niches", "imputation": None, "niches": {"input": "expression"}}, "macro_f1"),
        ("Imputation", {}, "spearman_gene"),
    ],
)
def test_adapter_of_the_page_meets_its_contract(make_bench, heading, changes, metric):
    bench = make_bench()
    text = block(heading)
    if heading == "Imputation":  # the mean of the reference in the place of a package that is not here
        text = re.sub(
            r"    import tangram\n.*?reference\)\n",
            "    return reference.X[: slide.n_obs]\n",
            text,
            flags=re.DOTALL,
        )
        assert "reference.X" in text
    bench.write("conftest.py", text)
    bench.task(**{**SMALL, "metrics": [metric], **changes})
    run = bench.run("--stbench-model=mine", "--stbench-store=.own", "-k", f"contract or {metric}")
    assert {run.outcome(name) for name in run.names if name.startswith("contract")} == {"passed"}, run.out
    assert run.of("passed")
