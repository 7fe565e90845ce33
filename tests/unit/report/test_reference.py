from __future__ import annotations

from pytest_stbench.registry import Baseline, Catalogue, Check, Family, Metric, Reader, Registry, Split
from pytest_stbench.report.reference import reference_pages


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
