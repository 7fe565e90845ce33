from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from pytest_stbench.checks import CHECKS
from pytest_stbench.index import loaded
from pytest_stbench.registry import Catalogue

EARLY = (
    "Q22", "Q16", "Q08", "Q23", "Q24", "Q05", "Q06", "Q07", "Q18", "Q19", "Q20", "Q27", "Q03", "Q04", "Q35",
)  # fmt: skip
LATE = (
    "Q34", "Q21", "Q01", "Q31", "Q25", "Q11", "Q09", "Q10", "Q14", "Q28", "Q26", "Q02", "Q12", "Q13",
    "Q17", "Q15", "Q36", "Q29", "Q30", "Q32", "Q33",
)  # fmt: skip
FACTS = {
    "dataset": {
        "dataset", "claim", "folds", "task_genes", "unit_filter", "allowed", "raw",
        "label_slides", "measured", "depth_adjusted", "perfect", "primary", "notes",
    },
    "split": {"folds", "samples", "grouped", "dataset", "subject", "split", "config", "genes", "predicted"},
    "task": {
        "trivial", "simple", "available", "declared", "wanted", "named", "genes", "classes", "suite", "scope",
        "families", "family", "metrics",
    },
    "model": {"pretraining", "suite", "tested", "hashes", "files", "scope"},
    "results": {"model", "simple", "values", "better", "between", "beside", "best", "refitted"},
}  # fmt: skip


def test_running_order():
    places = [(*EARLY, *LATE).index(record.id.rstrip("sdr")) for record in CHECKS]
    assert places == sorted(places)
    assert len(Catalogue("check", CHECKS)) == len({record.id for record in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize("record", CHECKS, ids=lambda r: r.name)
def test_record_and_function_agree(record):
    function = loaded(record)
    parameters = inspect.signature(function).parameters
    assert set(parameters) - set(record.params) <= FACTS[record.scope]
    assert all(record.reasons.values())
    assert record.summary.endswith("?")


def test_a_skip_fails_only_where_nothing_can_be_trusted_without():
    assert {record.id for record in CHECKS if record.skip_fails} == {"Q03", "Q08", "Q23"}


@pytest.mark.parametrize(
    "statement",
    [
        "import pytest_stbench.checks.catalogue",
        "import pytest_stbench.checks",
        *(
            f"from pytest_stbench.checks import {record.name}"
            for record in CHECKS
            if record.needs in ("metadata", "spec")
        ),
    ],
)
def test_nothing_heavy_is_imported(statement):
    heavy = ("numpy", "scipy", "pandas", "anndata", "scanpy")
    code = f"{statement}\nimport sys\nprint([m for m in {heavy!r} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error():
    import pytest_stbench.checks

    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        pytest_stbench.checks.nonsense  # noqa: B018  # reading the attribute is the test
    assert "panel_mismatch" in dir(pytest_stbench.checks)
