"""Checks of a model and of its results: when they exist, when they run, what they tell."""

from __future__ import annotations

import json

import pytest

OF_MODEL = ("shared_corpus",)
OF_RESULTS = ("patient_effect_gap", "preprocessing_unstable", "state_across_folds")
PRETRAINED = """
@pytest.fixture
def pretrained(mean):
    mean.pretraining = ("PublicCollection", "SIM000001")
    return mean
"""
VARIANTS = {
    "variants": {
        "raw": {"normalise": "log1p"},
        "median": {"normalise": "log1p_median"},
        "strict": {"filter": {"min_counts": 200}},
    }
}


@pytest.fixture(scope="module")
def bench(make_bench):
    """Three patients whose slides come from one public collection; four settings."""
    bench = make_bench("of_model")
    bench.conftest(PRETRAINED)
    bench.task(
        splits=[{"pgkf": {"k": 2}}],
        datasets={"sim": {"params": {"patients": 4, "defects": {"shared_corpus": 0.5}}}},
        preprocess=VARIANTS,
        metrics=["spearman_gene"],
        baselines=["train_mean"],
        claim="exploratory",
    )
    return bench


@pytest.fixture(scope="module")
def both(bench):
    return bench.run("--stbench-model=pretrained", "--stbench-model=ridge", "--stbench-save=out.json")


def test_without_a_model_they_are_not_collected(bench):
    listed = bench.run("--collect-only", "-q")
    assert not [n for n in listed.names if n.partition("[")[0] in (*OF_MODEL, *OF_RESULTS)]


def test_each_model_has_its_own_and_they_run_before_and_after_all_scores(both):
    names = [name.partition("[")[0] for name in both.names]
    scores = [place for place, name in enumerate(names) if name == "spearman_gene"]
    for check in (*OF_MODEL, *OF_RESULTS):
        assert names.count(check) == 2
        places = [place for place, name in enumerate(names) if name == check]
        if check in OF_MODEL:
            assert max(places) < min(scores)
        else:
            assert min(places) > max(scores)
    assert "shared_corpus[pretrained]" in both.names


def test_they_block_nothing_and_warn_by_themselves(both):
    assert not both.of("blocked")
    assert any("pretrained on 'SIM000001'" in warning for warning in both.warnings)


def test_the_results_hold_the_ledger_and_a_record_per_model(both, bench):
    results = json.loads((bench.folder / "out.json").read_text())
    ledger = {entry["declared"]: entry for entry in results["contamination"]}
    assert set(ledger) == {"PublicCollection", "SIM000001"}
    assert ledger["SIM000001"]["match"] == "accession"
    assert ledger["PublicCollection"]["match"] == "corpus"
    assert ledger["SIM000001"]["test_slides"] == ["P03S1", "P04S1"]
    found = {(c["name"], c["model"]): c for c in results["checks"] if c["model"]}
    assert set(found) == {
        (name, model) for name in (*OF_MODEL, *OF_RESULTS) for model in ("pretrained", "ridge")
    }
    assert found["shared_corpus", "ridge"]["status"] == "pass"
    assert found["shared_corpus", "pretrained"]["status"] == "warn"
    # Ridge is its own simple baseline, the mean is below it in every setting.
    assert found["preprocessing_unstable", "pretrained"]["status"] == "pass"
    assert "4 settings" in found["preprocessing_unstable", "pretrained"]["message"]
    assert 0 < found["patient_effect_gap", "ridge"]["statistic"] < 1


def test_checks_alone_start_no_model(bench):
    run = bench.run("-m", "stbench_check", "--stbench-model=mean")
    assert not {name.partition("[")[0] for name in run.names} & {*OF_MODEL, *OF_RESULTS}
    alone = bench.run("-m", "stbench_model_check", "--stbench-model=mean")
    assert alone.outcome("preprocessing_unstable") == "skipped"
    assert not alone.lines("cells computed")


def test_an_unstated_pretraining_warns(bench):
    run = bench.run("-k", "shared_corpus", "--stbench-model=mean")
    assert run.outcome("shared_corpus") == "passed"
    assert any("does not declare" in warning for warning in run.warnings)


def test_one_setting_is_not_known_to_hold(make_bench):
    bench = make_bench("one_setting")
    bench.task(splits=[{"pgkf": {"k": 2}}], metrics=["spearman_gene"], baselines=["train_mean"])
    run = bench.run("--stbench-model=mean")
    assert any("no ablation is declared" in warning for warning in run.warnings)
