"""Models without ``fit`` in whole runs: each input is asked once, whatever folds, families and workers."""

from __future__ import annotations

import pytest

pytest.importorskip("xdist", reason="pytest-xdist is not installed")

FEW = {"sim": {"params": {"patients": 3}}}
EMBEDDING = {
    "family": "embedding", "imputation": None, "datasets": FEW, "embedding": {"input": "expression"},
    "metrics": ["knn_purity"], "preprocess": {"genes": None}, "claim": "exploratory",
}  # fmt: skip
NICHES = {
    **EMBEDDING, "family": "niches", "embedding": None, "metrics": ["ari", "nmi"],
    "niches": {"mode": "unsupervised", "input": "expression"},
}  # fmt: skip

MODELS = '''
import os
from pathlib import Path

HERE = Path(__file__).parent


class Encoder:
    """Writes down every input that it is asked to embed; its process ends at the one named in a file."""

    name, revision = "asked_once_encoder", "1"
    net = None

    def embed(self, slide):
        with (HERE / "asked").open("a") as file:
            file.write(slide.meta.slide_id + "\\n")
        deaths = HERE / "deaths"
        if deaths.exists() and slide.meta.slide_id in deaths.read_text().split():
            deaths.unlink()
            os.kill(os.getpid(), 15)
        if self.net is None:
            self.net = np.random.default_rng(0).normal(size=(slide.units.n_vars, 8))
        return np.log1p(slide.units.X.toarray()) @ self.net[: slide.units.n_vars]


class Ready(Encoder):
    """With its weights when it is built."""

    name = "asked_once_ready"

    def __init__(self):
        self.net = np.random.default_rng(0).normal(size=(500, 8))


class Nameless(Encoder):
    name = None


class Remembers(Encoder):
    """What it says of a slide depends on those it was asked before."""

    name = "asked_once_remembers"

    def __init__(self):
        self.seen = []

    def embed(self, slide):
        self.seen.append(slide.meta.slide_id)
        return super().embed(slide) + len(self.seen)


class Fitted(Encoder):
    """With a fit that learns nothing: asked in every fold."""

    name = "asked_once_fitted"

    def fit(self, train, task):
        pass


@pytest.fixture
def encoder():
    return Encoder


@pytest.fixture
def ready():
    return Ready


@pytest.fixture
def nameless():
    return Nameless


@pytest.fixture
def remembers():
    return Remembers


@pytest.fixture
def fitted():
    return Fitted
'''
OBSERVED = ["EPCAM", "KRT8", "CD3D", "CD3E", "MS4A1", "COL1A1", "VIM", "PECAM1"]
CONTRACTS = "embeds.stbench.yaml::contract"


@pytest.fixture
def lab(make_bench, request):
    """A folder whose models have names of their own in the store that all share."""
    made = make_bench("lab")
    models = MODELS.replace("asked_once", request.node.name)
    made.models = lambda further="": made.conftest(models + further)
    made.models()
    made.task("embeds", EMBEDDING)
    return made


def asked(bench):
    path = bench.folder / "asked"
    found = sorted(path.read_text().split()) if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def value(run):
    return run.properties("knn_purity[sim-lopo]")["stbench.value"]


def test_three_folds_of_three_slides_are_three_calls_and_another_family_none(lab):
    run = lab.run("--stbench-model=encoder", CONTRACTS)
    assert [run.outcome(f"contract[sim-lopo-P0{number}]") for number in (1, 2, 3)] == ["passed"] * 3
    first = asked(lab)
    assert len(first) == len(set(first)) == 3

    lab.task("niches", NICHES)
    run = lab.run("--stbench-model=encoder", "niches.stbench.yaml::contract")
    assert run.outcome("contract[sim-lopo-P01]") == "passed"
    assert asked(lab) == []


def test_scores_are_those_of_a_model_that_is_asked_in_every_fold(lab):
    once = value(lab.run("--stbench-model=encoder", "embeds.stbench.yaml::knn_purity[sim-lopo]"))
    assert len(asked(lab)) == 3
    each = value(lab.run("--stbench-model=fitted", "embeds.stbench.yaml::knn_purity[sim-lopo]"))
    assert len(asked(lab)) == 9
    assert once == each


def test_two_workers_ask_each_input_once_between_them(lab):
    run = lab.run("--stbench-model=ready", "-n", "2", CONTRACTS)
    assert run.outcome("contract[sim-lopo-P02]") == "passed"
    found = asked(lab)
    assert len(found) == len(set(found)) == 3


def test_the_first_answers_of_weights_that_are_loaded_late_may_be_those_of_each_worker(lab):
    run = lab.run("--stbench-model=encoder", "-n", "2", CONTRACTS)
    assert run.outcome("contract[sim-lopo-P02]") == "passed"
    found = asked(lab)
    assert len(set(found)) == 3
    assert len(found) <= 3 + 2


def test_a_model_without_identity_is_asked_once_in_each_run(lab):
    for _ in range(2):
        run = lab.run("--stbench-model=nameless", CONTRACTS)
        assert run.outcome("contract[sim-lopo-P03]") == "passed"
        assert len(asked(lab)) == 3


def test_a_model_that_remembers_is_asked_in_every_fold_and_told(lab):
    run = lab.run("--stbench-model=remembers", CONTRACTS)
    (told,) = {text for text in run.warnings if "has no fit" in text}
    assert told.startswith("remembers has no fit, and what it holds changes")
    # Two answers show it, then the three of each of three folds.
    assert len(asked(lab)) == 2 + 9


def test_a_run_that_was_ended_resumes_with_the_slide_it_was_at(lab):
    lab.run("--stbench-model=nameless", CONTRACTS)
    names = asked(lab)
    lab.write("deaths", names[2])
    assert lab.subprocess("--stbench-model=encoder", CONTRACTS, timeout=600).returncode != 0
    before = asked(lab)
    run = lab.run("--stbench-model=encoder", CONTRACTS)
    assert run.outcome("contract[sim-lopo-P01]") == "passed"
    after = asked(lab)
    assert sorted({*before, *after}) == names
    assert set(before) & set(after) == {names[2]}, "only the slide that it was at is asked again"
    assert len(before) + len(after) == 4


def test_the_readout_of_an_encoder_shares_its_embeddings(lab):
    genes = {"imputation": {"hide": None, "observed": {"names": OBSERVED}}, "datasets": FEW}
    lab.task("genes", genes, claim="exploratory", baselines=["train_mean"])
    lab.task("again", genes, claim="exploratory", metrics=["rmse"], seeds=[0, 1])
    run = lab.run("--stbench-model=encoder", "genes.stbench.yaml::contract", "again.stbench.yaml::contract")
    assert run.outcome("contract[sim-lopo-P01]") == "passed"
    assert run.outcome("contract[sim-lopo-P03-s1]") == "passed"
    found = asked(lab)
    assert len(found) == len(set(found)) == 3
