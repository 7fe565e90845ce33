from __future__ import annotations

from pathlib import Path

import pytest

from pytest_stbench.spec.model import VariantSpec
from pytest_stbench.spec.shorthand import ABLATION, normalise
from pytest_stbench.spec.yaml_lines import line_marks, parse_tree, plain

HERE = Path("a.stbench.yaml")


def _normalise(text):
    tree = normalise(parse_tree(text, HERE))
    assert tree.problems == ()
    return plain(tree.root)


@pytest.mark.parametrize("field", ["splits", "metrics"])
@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("one", [("one", {})]),
        ("[one, two]", [("one", {}), ("two", {})]),
        ("[one, {two: {k: 4}}]", [("one", {}), ("two", {"k": 4})]),
        ("[{two: }]", [("two", {})]),
        ("{two: {k: 4}}", [("two", {"k": 4})]),
        ("[{name: two, params: {k: 4}}]", [("two", {"k": 4})]),
        ("[]", []),
    ],
)
def test_named_lists(field, text, form):
    found = _normalise(f"{field}: {text}")[field]

    assert [(item["name"], item.get("params", {})) for item in found] == form


def test_the_long_form_is_left_as_it_is():
    text = "metrics: [{name: a, params: {n: 1}}]\nbaselines: [b]\nseeds: [1]\ngates: {a: {min: 0.1}}\n"

    assert _normalise(text) == plain(parse_tree(text, HERE).root)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("baselines: ridge", {"baselines": ["ridge"]}),
        ("seeds: 3", {"seeds": [3]}),
        ("marks: slow", {"marks": ["slow"]}),
        ("datasets: {a: {scale: 0.5}}", {"datasets": {"a": {"scale": {"um_per_px": 0.5}}}}),
        ("datasets: {a: {scale: 'uns:x'}}", {"datasets": {"a": {"scale": {"um_per_px": "uns:x"}}}}),
        ("preprocess: {genes: svg}", {"preprocess": {"genes": {"select": "svg"}}}),
        (
            "preprocess: {variants: {v: {genes: hvg}}}",
            {"preprocess": {"variants": {"v": {"genes": {"select": "hvg"}}}}},
        ),
        ("gates: {m: {beats: {baselines: ridge}}}", {"gates": {"m": {"beats": {"baselines": ["ridge"]}}}}),
        (
            "checks: {c: {share: 0.2, reason: why, owner: me, until: 2027-01-01, waive: true}}",
            {
                "checks": {
                    "c": {
                        "reason": "why",
                        "owner": "me",
                        "until": "2027-01-01",
                        "waive": True,
                        "params": {"share": 0.2},
                    }
                }
            },
        ),
        ("checks: {c: {params: {a: 1}, b: 2}}", {"checks": {"c": {"params": {"a": 1, "b": 2}}}}),
    ],
)
def test_short_forms(text, form):
    assert _normalise(text) == form


def test_lines_stay_those_of_the_short_form():
    text = "metrics:\n  - a\n  - b:\n      n: 5\nchecks:\n  c:\n    share: 1\n    reason: x\n"

    lines = {key: line for key, (_, line) in line_marks(normalise(parse_tree(text, HERE)).root).items()}

    assert lines["metrics", 0, "name"] == 2
    assert lines["metrics", 1, "name"] == 3
    assert lines["metrics", 1, "params", "n"] == 4
    assert lines["checks", "c", "params", "share"] == 7


@pytest.mark.parametrize("item", ["{a: , n: 5}", "[a]", "''", "{}", "5", "~", "{name: {x: 1}, params: {}}"])
def test_an_item_that_is_no_name_is_a_problem_and_keeps_its_place(item):
    tree = normalise(parse_tree(f"metrics:\n  - a\n  - {item}\n  - b\n", HERE))

    (problem,) = tree.problems
    assert (problem.line, problem.key) == (3, "metrics[1]")
    assert "expected a name" in problem.message
    assert [entry["name"] for entry in plain(tree.root)["metrics"]] == ["a", "", "b"]


def test_the_ablation_is_valid_and_changes_one_thing_at_a_time():
    variants = _normalise("preprocess: {variants: ablate}")["preprocess"]["variants"]

    assert list(variants) == list(ABLATION)
    for variant in variants.values():
        assert len(VariantSpec(**variant).model_fields_set) == 1


@pytest.mark.parametrize(
    "text",
    ["datasets: 5", "preprocess: x", "gates: [1]", "checks: {a: 5}", "checks: {a: {params: 5}}", "splits: ~"],
)
def test_what_is_no_short_form_is_left_for_validation(text):
    _normalise(text)
