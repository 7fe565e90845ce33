from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import replace

import pytest

from pytest_stbench import checks
from pytest_stbench.checks import CHECKS
from pytest_stbench.checks.catalogue import running_order
from pytest_stbench.errors import StbenchError
from pytest_stbench.index import loaded, own
from pytest_stbench.registry import Catalogue, Check

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
        "label_slides", "measured", "depth_adjusted", "perfect", "primary", "notes", "given", "regions",
        "domains", "silver", "every_gene",
    },
    "split": {"folds", "samples", "grouped", "dataset", "subject", "split", "config", "genes", "predicted"},
    "task": {
        "trivial", "simple", "available", "declared", "wanted", "named", "genes", "classes", "suite", "scope",
        "families", "family", "metrics", "atlas", "tested_patients",
    },
    "model": {"pretraining", "suite", "tested", "hashes", "files", "scope", "given"},
    "results": {"model", "simple", "values", "better", "between", "beside", "best", "refitted"},
}  # fmt: skip


def test_running_order():
    # A check that is added stands where its `after` puts it.
    ids = [record.id.rstrip("sdr") for record in CHECKS]
    assert list(dict.fromkeys(name for name in ids if name in (*EARLY, *LATE))) == [*EARLY, *LATE]
    assert len(Catalogue("check", CHECKS)) == len({record.id for record in CHECKS}) == len(CHECKS)


def test_checks_are_imported_by_their_name():
    for record in CHECKS:
        found = loaded(record)
        # A file of the same name hides its check as soon as it is imported.
        assert getattr(checks, record.name) is found, f"call the file of {record.name} otherwise"


def test_no_after_is_said_without_need():
    holding = {record.name for record in CHECKS if record.withholds}
    for record in CHECKS:
        for name in set(record.after) - holding:
            less = replace(record, after=tuple(other for other in record.after if other != name))
            records = [less if other is record else other for other in own(Check)]
            order = tuple(other.name for other in CHECKS)
            assert running_order(records).names != order, f"{record.name} stands there without after={name!r}"


def made(**after):
    return [
        Check(id="L", name=name, summary="", severity="warn", scope="task", target=f"lab:{name}", after=names)
        for name, names in after.items()
    ]


def test_a_check_runs_after_those_that_it_names_and_else_as_given():
    records = made(first=("last",), second=(), third=("second",), last=())
    assert running_order(records).names == ("second", "third", "last", "first")
    theirs = made(theirs=("metadata_missing",), inner=("theirs",))
    names = running_order([*reversed(theirs), *own(Check)]).names
    assert names[:3] == ("metadata_missing", "theirs", "inner")
    assert running_order([*own(Check), *theirs]).names == (*(r.name for r in CHECKS), "theirs", "inner")


@pytest.mark.parametrize(
    ("records", "says"),
    [
        (
            made(a=(), aa=("gene_idss",), gene_ids=()),
            "lab:aa: .*'gene_idss', which is no check; did you mean 'gene_ids'",
        ),
        (made(a=("a",)), r"in a circle \(a after a\)"),
        (
            made(a=("b",), b=("c",), c=("a",), d=()),
            r"in a circle \((a after b after c|b after c after a|c after a after b) after",
        ),
        (made(a=(), b="a"), "lab:b: @check: after is 'a': give a tuple of names, and write the index"),
        (made(a=()) * 2, "two check records are called 'a'"),
    ],
)
def test_what_cannot_be_ordered_is_said(records, says):
    with pytest.raises(StbenchError, match=says):
        running_order(records)


def test_the_order_of_a_project_is_that_of_the_registry(monkeypatch):
    from pytest_stbench.run import installed

    monkeypatch.setattr(installed, "external_records", lambda: made(inner=("theirs",), theirs=("gene_ids",)))
    installed.builtin_registry.cache_clear()
    try:
        assert installed.builtin_registry().checks.names[-2:] == ("theirs", "inner")
    finally:
        installed.builtin_registry.cache_clear()


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
