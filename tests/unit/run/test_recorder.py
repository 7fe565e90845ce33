"""Records of a task: what stands beside a score, which verdict it gets, which facts it stands on."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pytest_stbench.calls.contestants import baseline_contestant, make_ladder, user_contestant
from pytest_stbench.kernels.sketch import sketch
from pytest_stbench.metrics.aggregate import SlideValue
from pytest_stbench.run.cells import make_grid
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.scores.ceilings import Ceiling
from pytest_stbench.run.scores.recorder import Recorder
from pytest_stbench.run.scores.scoring import CellScores
from pytest_stbench.spec.defaults import family_of
from pytest_stbench.splits.table import Sample

REGISTRY = builtin_registry()
PATIENTS = "ABCDEF"
OFFERED = frozenset({"observed"})

CEILING = 0.9


class Model:
    name = "model"
    revision = "3"
    pretraining = ("HEST",)

    def impute(self, slide, observed_genes, target_genes): ...


class Anonymous:
    input_class = "counts"

    def impute(self, slide, observed_genes, target_genes): ...


class FakeRun:
    """A task run whose scores are given: by name of who predicted, a value for each slide."""

    def __init__(self, task, samples, values):
        self.task = task
        self.spec = task.spec
        self.registry = REGISTRY
        self.family = family_of(task.spec, REGISTRY)
        self.grid = make_grid(task, lambda name, config: samples, REGISTRY.splits)
        self.roots = (task.path.parent,)
        self._values = values

    def ladder(self, dataset):
        return make_ladder(self.spec, self.family, OFFERED, REGISTRY.baselines)

    def _scores(self, who, cell):
        values = self._values.get(who, self._values["else"])
        return CellScores(
            values={
                metric.name: {
                    slide: SlideValue(value=values(slide, cell.seed), n_total=5, n_valid=5)
                    for slide in cell.fold.test
                }
                for metric in self.spec.metrics
            },
            n_units=dict.fromkeys(cell.fold.test, 10),
            n_genes={metric.name: 5 for metric in self.spec.metrics},
            seconds=1.0,
            peak_memory_mb=7.0,
        )

    def ceilings(self, cell):
        return {
            metric.name: dict.fromkeys(cell.fold.test, Ceiling(CEILING, 0.03)) for metric in self.spec.metrics
        }

    def scores(self, contestant, cell):
        return self._scores("model", cell)

    def baseline_scores(self, record, cell):
        return self._scores(record.name, cell)

    def control_scores(self, record, contestant, cell):
        return self._scores(record.name, cell)


def rising(start, step=0.01):
    return lambda slide, seed: start + step * PATIENTS.index(slide[0])


VALUES = {
    "model": rising(0.60, 0.02),
    "train_mean": rising(0.0, 0.0),
    "gene_gene_ridge": rising(0.50),
    "shuffled": rising(0.01),
    "else": rising(0.20),
}


@pytest.fixture
def recorder(make_task, make_samples):
    def make(values=None, samples=None, **changes):
        own = {"metrics": ["spearman_gene", "pearson_gene"], "baselines": ["libsize", "shuffled"]}
        samples = samples or make_samples(PATIENTS)
        return Recorder(FakeRun(make_task(**{**own, **changes}), samples, {**VALUES, **(values or {})}), None)

    return make


@pytest.fixture
def model():
    return user_contestant("mymodel", Model())


def pool_of(recorder):
    (pool,) = recorder._run.grid.pools
    return pool


def test_a_fold_stands_beside_the_trivial_and_the_simple_baseline(recorder, model):
    made = recorder()
    record = made.fold(model, pool_of(made).cells[1], "spearman_gene")
    assert (record.role, record.model, record.fold, record.seed) == ("model", "mymodel", "B", None)
    assert (record.value, record.trivial, record.baseline) == (pytest.approx(0.62), 0.0, pytest.approx(0.51))
    assert record.per_patient == {"B": pytest.approx(0.62)}
    assert record.per_slide == {"B1": pytest.approx(0.62)}
    assert (record.n_patients, record.n_units, record.n_genes, record.seconds) == (1, 10, 5, 1.0)
    assert record.ci_low is record.ci_high is record.ci_method is None


def test_a_fold_names_its_seed_where_there_are_several(recorder, model):
    made = recorder(seeds=[4, 5])
    assert made.fold(model, pool_of(made).cells[1], "spearman_gene").seed == 5


def test_the_pooled_score_comes_first_and_then_its_ladder(recorder, model):
    made = recorder()
    pooled = made.pooled(model, pool_of(made), "spearman_gene")
    assert [(score.role, score.model) for score in pooled.scores] == [
        ("model", "mymodel"),
        ("baseline", "train_mean"),
        ("baseline", "gene_gene_ridge"),
        ("baseline", "libsize"),
        ("control", "shuffled(mymodel)"),
    ]
    score = pooled.scores[0]
    assert score.value == pytest.approx(0.65)
    assert (score.trivial, score.baseline) == (0.0, pytest.approx(0.525))
    assert score.ceiling == pytest.approx(CEILING)
    assert score.skill == pytest.approx((0.65 - 0.525) / (CEILING - 0.525))
    assert (score.median, score.min, score.max) == (
        pytest.approx(0.65),
        pytest.approx(0.6),
        pytest.approx(0.7),
    )
    assert score.ci_low < score.value < score.ci_high
    assert score.ci_method == "t_logit"
    assert (score.standing, score.difference) == ("above S", pytest.approx(0.125))
    assert 0 < score.difference_low < 0.125
    assert (score.n_patients, score.n_units, score.seconds) == (6, 60, 6.0)
    assert all(other.fold is None and other.metric == "spearman_gene" for other in pooled.scores)


def test_the_primary_metric_is_held_to_the_one_rule_without_any_gate(recorder, model):
    made = recorder()
    pooled = made.pooled(model, pool_of(made), "spearman_gene")
    assert pooled.verdict.verdict == "pass"
    assert pooled.verdict.primary
    assert {gate.reference for gate in pooled.verdict.gates} == {"train_mean", "gene_gene_ridge"}
    assert not pooled.verdict.gated
    assert made.pooled(model, pool_of(made), "pearson_gene").verdict is None


def test_a_model_below_the_simple_baseline_fails_the_one_rule(recorder, model):
    made = recorder({"model": rising(0.40)})
    verdict = made.pooled(model, pool_of(made), "spearman_gene").verdict
    assert verdict.verdict == "fail"
    assert {gate.reference: gate.outcome for gate in verdict.gates} == {
        "train_mean": "pass",
        "gene_gene_ridge": "fail",
    }


def test_ridge_in_a_gate_is_the_simple_baseline(recorder, model):
    made = recorder(gates={"pearson_gene": {"beats": {"baselines": ["ridge"], "margin": 0.3}}})
    pooled = made.pooled(model, pool_of(made), "pearson_gene")
    (gate,) = pooled.verdict.gates
    assert (gate.reference, gate.margin, gate.outcome) == ("gene_gene_ridge", 0.3, "fail")
    assert (pooled.verdict.primary, pooled.verdict.gated) == (False, True)


def test_a_gate_alone_decides_the_item(recorder, model):
    made = recorder({"model": rising(0.40)}, gates={"spearman_gene": {"min": 0.1}})
    pooled = made.pooled(model, pool_of(made), "spearman_gene")
    assert pooled.verdict.verdict == "pass", "the file asks for a minimum"
    shown = {gate.reference: gate.outcome for gate in pooled.verdict.gates if not gate.declared}
    assert shown == {"train_mean": "pass", "gene_gene_ridge": "fail"}, "it does not beat ridge"
    assert pooled.scores[0].standing == "below S"


def test_the_margin_is_two_percent_of_the_ladder_at_least(recorder, model):
    made = recorder()
    gates = made.pooled(model, pool_of(made), "spearman_gene").verdict.gates
    assert [gate.margin for gate in gates] == [pytest.approx(0.02 * 0.525)] * 2
    assert {gate.margin_floor for gate in gates} == {"2% of the distance between T and S"}
    barely = recorder({"model": lambda slide, seed: VALUES["gene_gene_ridge"](slide, seed) + 0.005})
    assert barely.pooled(model, pool_of(barely), "spearman_gene").verdict.verdict == "fail"


class TestCopies:
    """A model whose predictions are those of S is a reference under any name."""

    @pytest.fixture
    def judged(self, recorder, model, monkeypatch):
        def make(same, gates=None, metric="spearman_gene"):
            made = recorder(gates=gates)
            plain = FakeRun._scores
            rng = np.random.default_rng(0)
            arrays = {name: rng.standard_normal((20, 5)) for name in ("model", *VALUES, "libsize")}
            arrays["model"] = arrays[same] + 1e-6 if same else arrays["model"]

            def scores(run, who, cell):
                kept = {slide: sketch(arrays.get(who, arrays["else"])) for slide in cell.fold.test}
                return replace(plain(run, who, cell), sketches=kept)

            monkeypatch.setattr(FakeRun, "_scores", scores)
            return made.pooled(model, pool_of(made), metric).verdict

        return make

    @pytest.mark.parametrize("same", ["gene_gene_ridge", "train_mean"])
    def test_of_a_reference(self, judged, same):
        verdict = judged(same)
        assert (verdict.verdict, verdict.same_as) == ("reference", (same,))

    def test_of_nobody(self, judged):
        assert judged(None).verdict == "pass"

    def test_of_a_baseline_that_nobody_is_held_to(self, judged):
        assert judged("libsize").verdict == "pass"

    @pytest.mark.parametrize("rule", [{"min": 0.1}, {"beats": {"baselines": ["train_mean"]}}])
    @pytest.mark.parametrize("metric", ["spearman_gene", "pearson_gene"])
    def test_passes_no_gate_of_any_metric(self, judged, rule, metric):
        verdict = judged("gene_gene_ridge", {metric: rule}, metric)
        assert (verdict.verdict, verdict.gated) == ("reference", True)


def test_a_baseline_against_itself_is_a_reference(recorder):
    made = recorder({"model": VALUES["gene_gene_ridge"]})
    ridge = baseline_contestant("ridge", REGISTRY.families["imputation"], OFFERED, REGISTRY.baselines)
    assert made.pooled(ridge, pool_of(made), "spearman_gene").verdict.verdict == "reference"


def test_seeds_are_averaged_for_the_model_and_counted_once_for_baselines(recorder, model):
    made = recorder(
        {"model": lambda slide, seed: 0.5 + 0.1 * seed, "libsize": lambda slide, seed: float(seed)},
        seeds=[0, 1],
    )
    scores = {score.model: score for score in made.pooled(model, pool_of(made), "spearman_gene").scores}
    assert scores["mymodel"].value == pytest.approx(0.55)
    assert scores["mymodel"].seed is None
    assert scores["mymodel"].seed_sd == pytest.approx(0.1 / math.sqrt(2))
    assert scores["libsize"].value == 0.0
    assert scores["libsize"].seed_sd is None
    assert scores["libsize"].n_units == scores["mymodel"].n_units == 60


def test_where_a_score_belongs(recorder, make_samples):
    made = recorder()
    place = made.facts.place(pool_of(made))
    assert (place["task"], place["dataset"], place["variant"], place["split"]) == ("small", "sim", "", "lopo")
    assert (place["technology"], place["organ"]) == ("Visium", None)
    samples = tuple(
        Sample(slide=f"{p}1", patient=p, organ="breast", disease="x" if p == "A" else "y") for p in PATIENTS
    )
    place = recorder(samples=samples).facts.place(pool_of(recorder(samples=samples)))
    assert (place["organ"], place["disease"]) == ("breast", None), (
        "what all slides share, never the most frequent"
    )


def test_a_slide_without_patient_stands_for_itself(recorder):
    samples = tuple(Sample(slide=f"{p}1", patient=None if p == "F" else p) for p in PATIENTS)
    split = {"random_slide": {}} if "random_slide" in REGISTRY.splits else "within"
    assert recorder(samples=samples, splits=[split]).facts.patients("sim")["F1"] == "F1"


def test_records_of_models(recorder, model):
    made = recorder()
    named = made.facts.model(model)
    assert (named.name, named.revision, named.pretraining, named.cached) == ("mymodel", "3", ("HEST",), True)
    assert named.config_digest == model.handle.identity.digest
    assert named.input_class == "expression"
    anonymous = made.facts.model(user_contestant("other", Anonymous()))
    assert (anonymous.revision, anonymous.config_digest, anonymous.cached) == (None, None, False)
    assert anonymous.input_class == "counts"


def test_the_fingerprint_follows_the_content_of_gene_files(recorder, tmp_path):
    file = tmp_path / "panel.csv"
    file.write_text("gene\nA\n")
    changes = {"imputation": {"observed": {"file": "panel.csv"}}}
    first = recorder(**changes).facts.task()
    assert recorder(**changes).facts.task() == first
    file.write_text("gene\nA\nB\n")
    second = recorder(**changes).facts.task()
    assert second.fingerprint != first.fingerprint
    assert (second.name, second.version, second.primary) == ("small", 1, "spearman_gene")


def test_the_fingerprint_follows_the_task_and_not_its_gates(recorder):
    first = recorder().facts.task().fingerprint
    assert recorder(seeds=[1]).facts.task().fingerprint != first
    assert recorder(preprocess={"genes": {"select": "hvg"}}).facts.task().fingerprint != first
    assert recorder(title="another title").facts.task().fingerprint == first


def test_the_error_of_draws_stands_in_the_record_and_reaches_the_margin(recorder, model):
    made = recorder()
    pool = pool_of(made)
    plain = made.pooled(model, pool, "spearman_gene")
    assert plain.scores[0].monte_carlo_se is None
    # One slide a patient, six of them: .03 / sqrt(6).
    assert plain.scores[0].ceiling_se == pytest.approx(0.03 / math.sqrt(6))
    moved = recorder()
    scores = moved._run._scores

    def noisy(name, cell):
        found = scores(name, cell)
        shift = (0.4, -0.4, 0.1, -0.1) if name == "model" else (0.0, 0.0, 0.0, 0.0)
        for metric, values in found.values.items():
            for slide, value in values.items():
                found.values[metric][slide] = replace(value, effects=shift)
        return found

    moved._run._scores = noisy
    found = moved.pooled(model, pool_of(moved), "spearman_gene")
    error = np.std([0.4, -0.4, 0.1, -0.1], ddof=1) / math.sqrt(4) / math.sqrt(6)
    assert found.scores[0].monte_carlo_se == pytest.approx(error)
    assert found.scores[1].monte_carlo_se == 0
    beats = [gate for gate in found.verdict.gates if gate.kind == "beats"]
    assert {gate.margin_floor for gate in beats} == {"twice the Monte Carlo standard error"}
    assert [gate.margin for gate in beats] == [pytest.approx(2 * error)] * len(beats)
