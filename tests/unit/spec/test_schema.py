from __future__ import annotations

import pytest
import yaml
from jsonschema import Draft202012Validator

from pytest_stbench.spec.schema import json_schema

HEAD = "stbench: 1\nname: a\nversion: 1\nfamily: imputation\ndatasets: {d: {source: simulated}}\n"

RIGHT = [
    "",
    "splits: lopo",
    "splits: [lopo, {pgkf: {k: 4}}, {name: within, params: {gap_um: 300}}]",
    "metrics: [rmse, {niche_jaccard: {n: 50}}, {niche_jaccard: }]",
    "baselines: [ridge, coords]\nseeds: [0, 1]\nmarks: slow",
    "preprocess: {genes: svg, variants: {raw: {normalise: log1p}, h: {genes: hvg}}}",
    "preprocess: {genes: {select: list, names: [A]}, variants: ablate}",
    "imputation: {observed: {file: a.csv}}",
    "checks: {gene_sparsity: {max_sparse_share: 0.2, reason: x, waive: true, until: '2027-01-01'}}",
    "gates: {rmse: {beats: {baselines: ridge, margin: 0.1}, not_worse_than: {margin: 0}, min: 0}}",
    "xfail: {rmse: x}\nprimary: rmse\nmodel: my_model\ntimeout: 5",
]

WRONG = [
    "titel: x",
    "splits: [lopoo]",
    "splits: [{lopo: {}, pgkf: {}}]",
    "metrics: [{niche_jaccard: {k: 5}}]",
    "metrics: 5",
    "primary: nothing",
    "baselines: [nothing]",
    "seeds: [-1]",
    "timeout: 0",
    "datasets: {d: {source: simulated, pitch_um: 0}}",
    "preprocess: {filter: {min_counts: -1}}",
    "gates: {rmse: {not_worse_than: {margin: -1}}}",
    "preprocess: {genes: svgs}",
    "preprocess: {normalise: log}",
    "preprocess: {variants: {a-b: {}}}",
    "checks: {gene_sparsty: {}}",
    "checks: {gene_sparsity: {share: 1}}",
    "gates: {nothing: {min: 1}}",
    "gates: {rmse: {minn: 1}}",
    "claim: popular",
    "model: 'a.b:c'",
    "extends: b.yaml",
    "family: other",
    "version: 0",
    "datasets: {d: {source: other}}",
    "datasets: {d: {source: simulated, scale: pixels}}",
    "datasets: {a-b: {source: simulated}}",
    "datasets: {}",
]


@pytest.fixture(scope="module")
def validator(registry):
    schema = json_schema(registry)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _parsed(text):
    return yaml.safe_load(text)


@pytest.mark.parametrize("line", RIGHT)
def test_what_is_right_is_valid(validator, line):
    assert [error.message for error in validator.iter_errors(_parsed(HEAD + line))] == []


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_is_not(validator, line):
    document = {**_parsed(HEAD), **_parsed(line)}

    assert not validator.is_valid(document)


def test_each_of_ten_mistakes_is_found(validator):
    text = (
        "stbench: 1\nname: ten\nversion: 0\nfamily: imputaton\ndatasets: {her2st: {source: h5da}}\n"
        "splits: [lopoo]\npreprocess: {normalise: log1p_cp10}\nbaselines: [train_means]\n"
        "metrics: [spearman_gen, {niche_jaccard: {k: 50}}]\nseeds: [-1]\n"
        "checks: {gene_sparsty: {max_sparse_share: 0.2}}\n"
    )

    errors = list(validator.iter_errors(_parsed(text)))

    assert {error.path[0] if error.path else "checks" for error in errors} == set(_parsed(text)) - {
        "stbench",
        "name",
    }


@pytest.mark.parametrize("key", ["stbench", "name", "version", "family", "datasets"])
def test_what_is_required_may_come_from_a_fragment(validator, key):
    document = _parsed(HEAD)
    del document[key]

    assert not validator.is_valid(document)
    assert validator.is_valid({**document, "extends": "b.stbench-inc.yaml"})


def test_names_come_from_the_registry(registry):
    keys = json_schema(registry)["properties"]

    assert keys["family"]["enum"] == ["expression", "imputation"]
    assert set(keys["checks"]["properties"]) == set(registry.checks.names)
