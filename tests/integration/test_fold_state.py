"""State that outlives a fold: seen above the ceiling, and proven by one fold in a fresh process."""

from __future__ import annotations

import json

import pytest

KEEPS = '''
SEEN = {}


class Keeps:
    """Looks test slides up among all training slides that this process ever saw."""

    name, revision = "keeps_slides", "1"

    def fit(self, train, task):
        self.mean = np.nanmean(np.concatenate([slide.target for slide in train]), axis=0)
        for slide in train:
            counts = slide.counts.to_df()
            share = counts.div(np.maximum(counts.sum(axis=1), 1), axis=0)
            SEEN[slide.units.obsm["spatial"].tobytes()] = np.log1p(1e4 * share)

    def impute(self, slide, observed_genes, target_genes):
        known = SEEN.get(slide.units.obsm["spatial"].tobytes())
        if known is None:
            return np.tile(self.mean, (slide.n_units, 1)).astype(np.float32)
        return known[list(target_genes)].to_numpy(np.float32)


def pytest_addoption(parser):
    parser.addoption("--size")


@pytest.fixture
def keeps(request):
    assert request.config.getoption("--size") == "4"
    return Keeps
'''
FEW = {"sim": {"params": {"patients": 3}}}


@pytest.fixture(scope="module")
def bench(make_bench):
    bench = make_bench("kept")
    bench.conftest(KEEPS)
    bench.task(
        datasets=FEW, seeds=[0, 1], metrics=["spearman_gene"], baselines=["train_mean"], claim="exploratory"
    )
    return bench


def of_check(bench, file):
    (found,) = (
        check for check in json.loads((bench.folder / file).read_text())["checks"]
        if check["name"] == "state_across_folds"
    )  # fmt: skip
    return found


def test_a_memory_across_folds_warns_and_a_release_run_fails_it(bench):
    """With other files and options of the command line: the fresh process leaves them alone."""
    given = ("--stbench-model=keeps", "--size=4", "-k", "spearman or state")
    run = bench.run(*given, "--stbench-save=warned.json")
    assert run.outcome("state_across_folds") == "passed"
    assert any("of 3 patients of keeps on sim-lopo lie above" in warning for warning in run.warnings)
    assert of_check(bench, "warned.json")["status"] == "warn"

    run = bench.run(*given, "--stbench-no-skip", "--stbench-save=failed.json", "--junitxml=junit.xml")
    assert run.outcome("state_across_folds") == "failed"
    found = of_check(bench, "failed.json")
    assert found["status"] == "fail"
    assert "1.0000 on sim-lopo-" in found["message"]
    assert "0.0000 when that fold is fitted alone" in found["message"]
    assert "state_across_folds" in (bench.folder / "junit.xml").read_text()


def test_an_honest_model_among_several_workers_and_models_passes(bench):
    """Found by its own name, without what xdist was told; a baseline is not fitted again."""
    run = bench.run(
        "--stbench-model=mean", "--stbench-model=ridge", "--size=4", "--stbench-no-skip", "-n", "2",
        "-k", "spearman or state", "--stbench-save=honest.json",
    )  # fmt: skip
    stored = json.loads((bench.folder / "honest.json").read_text())
    found = {c["model"]: c for c in stored["checks"] if c["name"] == "state_across_folds"}
    assert run.outcome("state_across_folds[mean]") == "passed"
    assert "fresh process (within" in found["mean"]["message"]
    assert "fresh process" not in found["ridge"]["message"]
