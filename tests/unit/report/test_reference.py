from __future__ import annotations

import inspect

from pytest_stbench.index import loaded
from pytest_stbench.registry import Baseline, Catalogue, Check, Family, Metric, Reader, Registry, Split
from pytest_stbench.report.reference import reference_pages, to_markdown
from pytest_stbench.run.installed import builtin_registry


def registry(**changes):
    metric = {
        "id": "X01",
        "name": "closeness",
        "summary": "How close | or far",
        "bounds": (0.0, None),
        "better": "down",
        "fill": None,
        "target": "math:sqrt",
        "source": "10.1000/1; https://example.org/a; A and B 2001",
    }
    check = Check(
        id="Y01",
        name="odd_units",
        summary="Is a unit odd?",
        severity="warn/fail",
        scope="split",
        target="math:sqrt",
        params={"limit": 0.5, "names": ("a", "b"), "by": {"spot": 3}, "file": None, "on": True},
        reasons={"limit": "because"},
        skip_fails=True,
    )
    return Registry(
        metrics=Catalogue("metric", [Metric(**{**metric, **changes})]),
        checks=Catalogue("check", [check]),
        baselines=Catalogue("baseline", list[Baseline]()),
        families=Catalogue("family", list[Family]()),
        splits=Catalogue("split", list[Split]()),
        readers=Catalogue("source", list[Reader]()),
    )


def test_one_page_for_each_kind():
    pages = reference_pages(registry())
    assert list(pages) == [
        "metrics.md", "checks.md", "baselines.md", "families.md", "splits.md", "sources.md",
    ]  # fmt: skip
    assert all(text.endswith("\n") and not text.endswith("\n\n") for text in pages.values())


def test_metric_with_open_bound_sources_and_a_bar_in_its_summary():
    page = reference_pages(registry())["metrics.md"]
    assert "| [`closeness`](#closeness) | X01 | How close \\| or far |" in page
    assert "| range | 0 to inf |" in page
    assert "| better | lower |" in page
    assert "| undefined by the model's own fault | left out of the mean |" in page
    assert "[10.1000/1](https://doi.org/10.1000/1); <https://example.org/a>; A and B 2001" in page
    assert "floor" not in page


def test_metric_with_fill_floor_and_inputs():
    page = reference_pages(
        registry(fill=0.0, floor=-1.0, inputs=("libsize", "train_mean"), better="context")
    )["metrics.md"]
    assert "counts as 0 in the mean" in page
    assert "| floor of a single value in the mean | -1 |" in page
    assert "| is also given | `libsize`, `train_mean` |" in page
    assert "never judged" in page


def test_thresholds_stand_as_a_task_file_writes_them():
    page = reference_pages(registry())["checks.md"]
    assert "`limit: 0.5`: because<br>`names: [a, b]`<br>`by: {spot: 3}`<br>`file: null`<br>`on: true`" in page
    assert "| severity | warn or fail |" in page
    assert "| a failure holds back | all metrics of its split |" in page
    assert "| when it cannot be computed | fails |" in page


def test_docstring_of_the_target_is_shown_without_its_summary():
    page = reference_pages(registry(target="pytest_stbench.splits.by_patient:pgkf"))["metrics.md"]
    assert "Patients are dealt greedily" in page


def test_items_of_a_list_and_a_doi_with_a_semicolon_stay_whole():
    doi = "10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2"
    page = reference_pages(registry(source=f"{doi}; 10.1000/1", over="slide"))["metrics.md"]
    assert f"| [{doi}](https://doi.org/{doi}); [10.1000/1](https://doi.org/10.1000/1) |" in page
    assert "| one value for each | slide |" in page
    assert (
        to_markdown("S.\n\nThese:\n\n- one that\n  goes on;\n- two.")
        == "These:\n\n- one that goes on;\n- two."
    )


def test_a_family_that_wraps_has_what_is_asked_from_another():
    page = reference_pages(builtin_registry())["families.md"]
    (part,) = (part for part in page.split("\n## ") if part.startswith("transfer\n"))
    for row in ("method of the model", "T, the trivial baseline", "S, the simple learned one (`ridge`)"):
        assert f"| {row} | that of the wrapped family |" in part
    assert "``" not in page
    assert "can run of `nnls`, `pca_ridge`" in page
    assert "| `otsu_watershed` |" in page


def test_no_text_begins_by_saying_its_summary_again():
    registry = builtin_registry()
    for kind in (registry.metrics, registry.checks, registry.baselines, registry.families, registry.splits):
        for record in kind:
            body = to_markdown(inspect.getdoc(loaded(record)) or "").replace("`", "").split()
            assert body[:3] != record.summary.split()[:3] or not body, f"{record.name}: {record.target}"
