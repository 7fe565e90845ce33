"""Gates and verdicts: what must pass passes, what must not does not, and what cannot be decided says so."""

from __future__ import annotations

import functools
import json
import re

import pytest

FOLDS = {"baselines": ["train_mean"]}
BEATS = {"gates": {"spearman_gene": {"beats": {"baselines": ["train_mean"]}}}}
POOLED = ("-k", "(spearman_gene or rmse) and not P0")
"""The pooled scores alone; what they stand on is computed all the same."""

MODELS = '''

class Neighbour(Mean):
    """The observed gene that correlates best with each target in training; has an identity."""

    name = "neighbour-of-gates"
    revision = "1"
    noise = 0.0

    @property
    def config(self):
        return {"noise": self.noise}

    def fit(self, train, task):
        x = np.concatenate([np.asarray(slide.units.X.todense()) for slide in train])
        y = np.concatenate([slide.target for slide in train])
        a = x - x.mean(axis=0)
        b = y - y.mean(axis=0)
        size = np.sqrt((a**2).sum(axis=0))[:, None] * np.sqrt((b**2).sum(axis=0))
        self.best = np.argmax((a.T @ b) / np.maximum(size, 1e-9), axis=0)

    def impute(self, slide, observed_genes, target_genes):
        x = np.asarray(slide.units.X.todense(), dtype=np.float32)[:, self.best]
        rng = np.random.default_rng(0)
        return (x + self.noise * rng.standard_normal(x.shape)).astype(np.float32)


@pytest.fixture
def neighbour():
    return Neighbour()


@pytest.fixture
def worse():
    model = Neighbour()
    model.noise = 200.0
    return model


class Nearly:
    """The simple baseline, and a millionth."""

    def __init__(self):
        from pytest_stbench.baselines.gene_gene_ridge import GeneGeneRidge

        self.ridge = GeneGeneRidge()

    def fit(self, train, task):
        self.ridge.fit(train, task)

    def impute(self, slide, observed_genes, target_genes):
        found = np.asarray(self.ridge.impute(slide, observed_genes, target_genes))
        return found + 1e-6 * np.random.default_rng(0).standard_normal(found.shape)


@pytest.fixture
def nearly():
    return Nearly()


@pytest.fixture
def relabelled():
    from pytest_stbench.baselines.train_mean import TrainMean

    return TrainMean()


class Wrong(Mean):
    def impute(self, slide, observed_genes, target_genes):
        return super().impute(slide, observed_genes, target_genes).T


@pytest.fixture
def wrong():
    return Wrong()


class Constant:
    def impute(self, slide, observed_genes, target_genes):
        return np.zeros((slide.n_units, len(target_genes)), dtype=np.float32)


@pytest.fixture
def constant():
    return Constant()
'''


@pytest.fixture(scope="module")
def lab(make_bench):
    """A folder in which every test writes the small task with its own gates."""
    bench = make_bench("gates")
    bench.conftest(MODELS)
    return bench


def test_gate_that_passes(lab):
    lab.task(**FOLDS, **BEATS)
    run = lab.run("--stbench-model=neighbour", *POOLED)
    assert run.code == 0
    assert run.outcome("spearman_gene[sim-lopo]") == "passed"
    line = run.line("PASS         spearman_gene 0.")
    assert re.search(r"beats train_mean by 0\.\d+, guarded \[0\.\d+, 0\.\d+\] \(margin 0\.\d+, 2% of", line)
    found = run.properties("spearman_gene[sim-lopo]")
    assert (found["stbench.verdict"], found["stbench.against"]) == ("pass", "train_mean")
    assert 0 < found["stbench.margin"] < found["stbench.difference_low"] < found["stbench.difference"]


def test_gate_that_is_not_met_is_one_line(lab):
    lab.task(**FOLDS, **BEATS)
    run = lab.run("--stbench-model=worse", *POOLED)
    assert run.outcome("spearman_gene[sim-lopo]") == "failed"
    message = run.message("spearman_gene[sim-lopo]")
    assert message.count("\n") == 0
    assert re.fullmatch(
        r"spearman_gene -?0\.\d+ \[-?0\.\d+, 0\.\d+\] n=6 patients: not shown to beat train_mean by 0\.\d+ "
        r"\(difference -?0\.\d+, guarded \[.*\], p=.*\)",
        message,
    )
    assert run.lines("GateNotMet: spearman_gene")
    assert run.properties("spearman_gene[sim-lopo]")["stbench.verdict"] == "fail"


class TestCopies:
    """The predictions of a baseline are a reference under any name, and pass no gate."""

    @pytest.mark.parametrize("gate", [{"beats": {"baselines": ["train_mean"]}}, {"min": -1.0}])
    def test_under_another_name_it_fails_the_gate(self, lab, gate):
        lab.task(**FOLDS, gates={"spearman_gene": gate})
        run = lab.run("--stbench-model=relabelled", "-k", "spearman_gene and not P0")
        assert run.outcome("spearman_gene[sim-lopo]") == "failed"
        message = run.message("spearman_gene[sim-lopo]")
        assert message.endswith("reference, its predictions are those of train_mean")
        assert run.properties("spearman_gene[sim-lopo]")["stbench.verdict"] == "reference"
        assert run.line("  FAIL         spearman_gene").endswith("those of train_mean")

    def test_a_millionth_beside_it_changes_nothing(self, lab):
        lab.task(**FOLDS, gates={"spearman_gene": {"beats": {"baselines": ["train_mean", "ridge"]}}})
        run = lab.run("--stbench-model=nearly", "-k", "spearman_gene and not P0")
        assert run.outcome("spearman_gene[sim-lopo]") == "failed"
        assert "its predictions are those of gene_gene_ridge" in run.message("spearman_gene[sim-lopo]")

    def test_without_a_gate_it_is_told_and_nothing_fails(self, lab):
        lab.task(**FOLDS)
        run = lab.run("--stbench-model=relabelled", "-k", "spearman_gene and not P0")
        assert run.outcome("spearman_gene[sim-lopo]") == "passed"
        assert run.line("  reference    spearman_gene")
        assert "stbench.verdict" not in run.properties("spearman_gene[sim-lopo]")


class TestRedAndGreen:
    """FAIL stands in the summary if and only if an item failed."""

    def fails(self, run):
        return [line for line in run.out.splitlines() if re.match(r"  FAIL\b", line)]

    def test_a_score_without_a_gate_stands_above_or_below(self, lab):
        lab.task(**FOLDS)
        run = lab.run("--stbench-model=worse", "--stbench-save=ungated.json", *POOLED)
        assert run.code == 0
        assert not self.fails(run)
        assert run.properties("spearman_gene[sim-lopo]")["stbench.standing"] == "below S"
        assert run.line("* spearman_gene ").endswith("below S")
        assert run.lines("  below        spearman_gene")
        saved = json.loads((lab.folder / "ungated.json").read_text())
        (verdict,) = saved["verdicts"]
        assert (verdict["verdict"], verdict["gated"]) == ("fail", False)
        (score,) = [
            s for s in saved["scores"] if (s["role"], s["metric"], s["fold"]) == ("model", "rmse", None)
        ]
        assert score["standing"] == "below S"
        assert score["difference"] < 0

    def test_what_the_file_does_not_ask_for_decides_nothing(self, lab):
        lab.task(**FOLDS, gates={"spearman_gene": {"min": -1.0}})
        run = lab.run("--stbench-model=worse", *POOLED)
        assert run.code == 0
        assert not self.fails(run)
        assert run.line("  PASS         spearman_gene")
        assert run.line("* spearman_gene ").endswith("pass")

    def test_an_expected_failure_is_none_and_one_that_did_not_come_is(self, lab):
        lab.task(**KNOWN)
        known = lab.run("--stbench-model=worse", *POOLED)
        assert known.code == 0
        assert not self.fails(known)
        assert known.line("  XFAIL        spearman_gene")
        assert known.line("* spearman_gene ").endswith("xfail")
        unexpected = lab.run("--stbench-model=neighbour", *POOLED)
        assert unexpected.code == 1
        assert self.fails(unexpected) == ["  FAIL         [XPASS(strict)] known until v3"]

    def test_a_failed_gate_is_one(self, lab):
        lab.task(**FOLDS, gates={"rmse": {"max": 1e-6}})
        run = lab.run("--stbench-model=neighbour", *POOLED)
        assert run.of("failed") == ["rmse[sim-lopo]"]
        (line,) = self.fails(run)
        assert "rmse" in line


class TestMinPatientDifference:
    """What one patient may lose against a baseline."""

    def test_it_is_held_against_the_baselines_of_beats(self, lab):
        gate = {"beats": {"baselines": ["train_mean"]}, "min_patient_difference": 0.0}
        lab.task(**FOLDS, gates={"spearman_gene": gate})
        run = lab.run("--stbench-model=neighbour", "-k", "spearman_gene and not P0")
        assert run.outcome("spearman_gene[sim-lopo]") == "passed"
        assert re.search(
            r"PASS .*patient P\d+ 0\.\d+ against train_mean >= min_patient_difference 0", run.out
        )

    def test_it_names_who_lost(self, lab):
        lab.task(**FOLDS, gates={"spearman_gene": {"min_patient_difference": 0.5}})
        run = lab.run("--stbench-model=neighbour", "-k", "spearman_gene and not P0")
        assert run.outcome("spearman_gene[sim-lopo]") == "failed"
        assert re.search(r"patient P\d+ -?0\.\d+ against \w+ < min_patient_difference 0\.5", run.out)


class TestGivenGates:
    """``--stbench-gate``: gates of the command line."""

    def test_it_gates_by_the_same_schema(self, lab):
        lab.task(**FOLDS)
        run = lab.run("--stbench-model=neighbour", "--stbench-gate=spearman_gene.min=0.99", *POOLED)
        assert run.of("failed") == ["spearman_gene[sim-lopo]"]
        assert "< min 0.99" in run.message("spearman_gene[sim-lopo]")

    def test_it_wins_over_the_file_key_by_key(self, lab):
        lab.task(**FOLDS, gates={"spearman_gene": {"min": 0.99, "max": 1.0}})
        run = lab.run(
            "--stbench-model=neighbour", "--stbench-gate", "spearman_gene.min=-1",
            "--stbench-gate", "spearman_gene.beats.baselines=train_mean",
            "--stbench-gate", "spearman_gene.beats.margin=0.01", *POOLED,
        )  # fmt: skip
        assert run.code == 0, run.out
        assert len(run.lines("  PASS         spearman_gene")) == 3

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("spearman_gen.min=0.2", "did you mean 'spearman_gene'"),
            ("spearman_gene.mini=0.2", "did you mean 'min'"),
            ("spearman_gene.min=low", "found 'low'; expected a number"),
            ("spearman_gene.min", "expected METRIC.RULE=VALUE"),
            ("spearman_gene=0.2", "expected METRIC.RULE=VALUE"),
            ("spearman_gene.min=[", "--stbench-gate spearman_gene.min=["),
        ],
    )
    def test_what_no_task_could_take_is_refused_at_once(self, lab, text, told):
        lab.task(**FOLDS)
        run = lab.run("--stbench-model=mean", f"--stbench-gate={text}")
        assert run.code == pytest.ExitCode.USAGE_ERROR
        assert told in run.out
        assert "Traceback" not in run.out

    def test_a_gate_that_meets_no_score_is_not_passed(self, lab):
        lab.task(**FOLDS)
        run = lab.run("--stbench-model=neighbour", "--stbench-gate=kappa.min=0.2", *POOLED)
        assert run.code == 1
        assert run.line("gate    kappa.min=0.2 was applied to no score of this run: it is not passed")

    def test_a_mistake_of_the_task_is_named_with_the_option(self, lab):
        lab.task(**FOLDS)
        run = lab.run("--stbench-model=neighbour", "--stbench-gate=spearman_gene.min=7", *POOLED)
        assert run.code == 2
        assert "--stbench-gate spearman_gene.min=7:1: gates.spearman_gene.min: found 7; " in run.out


def test_a_shipped_task_is_extended_by_gates(make_bench):
    bench = make_bench("extended")
    bench.write(
        "mine.stbench.yaml",
        "extends: stbench:smoke-imputation\ngates: {pearson_gene: {min: 0.99}}\n",
    )
    run = bench.run("--stbench-model=mean", "--stbench-plan")
    assert run.code == 0, run.out
    assert "stbench plan: smoke-imputation v" in run.out
    assert "pearson_gene min 0.99: can be decided with 6 patients" in run.out
    assert "spearman_gene beats ridge" in run.out


def test_several_models_are_told_after_holm(lab):
    lab.task(**FOLDS)
    run = lab.run(
        "--stbench-model=neighbour", "--stbench-model=worse", "--stbench-save=two.json", "-k",
        "spearman_gene and not P0",
    )  # fmt: skip
    found = {v["model"]: v for v in json.loads((lab.folder / "two.json").read_text())["verdicts"]}
    assert {v["n_holm"] for v in found.values()} == {2}
    assert found["worse"]["p_holm"] >= found["worse"]["p"]
    if found["neighbour"]["verdict"] == "pass":
        assert run.line("holm    spearman_gene[neighbour-sim-lopo]")


def test_metric_without_gate_passes_whatever_its_value(lab):
    lab.task(**FOLDS)
    run = lab.run("--stbench-model=mean", *POOLED)
    assert run.code == 0
    assert run.outcome("spearman_gene[sim-lopo]") == "passed"
    assert "stbench.value" in run.properties("spearman_gene[sim-lopo]")


@pytest.mark.parametrize(
    ("gate", "outcome", "told"),
    [
        ({"min": -1.0}, "passed", ">= min -1"),
        ({"min": 0.99}, "failed", "< min 0.99"),
        ({"min_patient": 0.99}, "failed", "worst patient P0"),
        ({"min_lower": 0.99}, "failed", "< min_lower 0.99"),
        ({"max": 0.99, "min": 0.98}, "failed", "< min 0.98"),
        ({"beats": {"baselines": ["ridge"], "margin": 0.0}}, "failed", "gene_gene_ridge"),
        (
            {"beats": {"baselines": ["train_mean"], "margin": 0.99}},
            "failed",
            "train_mean plus the margin of 0.99",
        ),
    ],
)
def test_limits(lab, gate, outcome, told):
    lab.task(**FOLDS, gates={"spearman_gene": gate})
    run = lab.run("--stbench-model=neighbour", "-k", "spearman_gene and not P0")
    assert run.outcome("spearman_gene[sim-lopo]") == outcome
    assert told in run.out


FEW = {**FOLDS, **BEATS, "datasets": {"sim": {"params": {"patients": 4}}}}


class TestUnderpowered:
    """Four patients decide no comparison."""

    def test_population_claim_fails_with_its_own_letter(self, lab):
        lab.task(**FEW)
        run = lab.run("--stbench-model=neighbour", *POOLED)
        assert run.code == 1
        assert run.outcome("spearman_gene[sim-lopo]") == "underpowered"
        assert "underpowered: 4 of the 6 patients needed to show that it beats train_mean" in run.message(
            "spearman_gene[sim-lopo]"
        )
        assert re.search(r"(mini\.stbench\.yaml |^)[.a-zA-Z]*U[.a-zA-Z]*( +\[.*)?$", run.out, re.MULTILINE)
        assert re.search(r"1 underpowered", run.out.splitlines()[-1])
        assert run.lines("UNDERPOWERED spearman_gene")
        assert run.properties("spearman_gene[sim-lopo]")["stbench.verdict"] == "underpowered"

    def test_exploratory_claim_shows_it_only(self, lab):
        lab.task(**FEW, claim="exploratory")
        run = lab.run("--stbench-model=neighbour", *POOLED)
        assert run.code == 0
        assert run.outcome("spearman_gene[sim-lopo]") == "underpowered"
        assert run.lines("UNDERPOWERED spearman_gene")


TWO_FOLDS = {"baselines": ["train_mean"], "splits": [{"pgkf": {"k": 2}}]}


class TestNotEvaluable:
    """Where nothing could be scored there is no pass."""

    @pytest.fixture(autouse=True)
    def store(self, monkeypatch, tmp_path):
        """Make the metric undefined; what is stored of it is for no other test."""
        from pytest_stbench.metrics import correlation

        few = functools.partial(correlation.spearman_gene, min_units=10_000)
        monkeypatch.setattr(correlation, "spearman_gene", few)
        return f"--stbench-store={tmp_path / 'store'}"

    @pytest.fixture
    def run(self, lab, store):
        lab.task("mini", TWO_FOLDS)
        return lab.run("--stbench-model=neighbour", store, "-k", "spearman_gene or rmse")

    def test_letter_and_count(self, run):
        assert run.outcome("spearman_gene[sim-pgkf]") == "not evaluable"
        assert run.outcome("spearman_gene[sim-pgkf-1]") == "not evaluable"
        assert run.outcome("rmse[sim-pgkf]") == "passed"
        assert re.search(r"mini\.stbench\.yaml \S*N", run.out)
        assert "3 not evaluable" in run.out.splitlines()[-1]
        assert "stbench.value" not in run.properties("spearman_gene[sim-pgkf]")
        assert "too_few_units" in run.properties("spearman_gene[sim-pgkf]")["stbench.undefined"]

    def test_a_gate_on_it_fails(self, lab, store):
        lab.task("mini", TWO_FOLDS, BEATS)
        run = lab.run("--stbench-model=neighbour", store, "-k", "spearman_gene")
        assert run.code == 1
        assert run.outcome("spearman_gene[sim-pgkf]") == "not evaluable"
        assert "not evaluable" in run.message("spearman_gene[sim-pgkf]")
        assert run.reports["spearman_gene[sim-pgkf]"]["call"].failed


KNOWN = {**FOLDS, **BEATS, "xfail": {"spearman_gene": "known until v3"}}


class TestXfail:
    """``xfail`` of a task file excuses an unmet gate and nothing else."""

    def test_unmet_gate_is_expected(self, lab):
        lab.task(**KNOWN)
        run = lab.run("--stbench-model=worse", "-rx", *POOLED)
        assert run.code == 0
        assert run.outcome("spearman_gene[sim-lopo]") == "xfailed"
        assert run.lines("known until v3")

    def test_met_gate_turns_red(self, lab):
        lab.task(**KNOWN)
        run = lab.run("--stbench-model=neighbour", *POOLED)
        assert run.code == 1
        assert run.outcome("spearman_gene[sim-lopo]") == "failed"
        assert "[XPASS(strict)] known until v3" in run.message("spearman_gene[sim-lopo]")

    def test_contract_and_blocked_items_stay_red(self, lab):
        lab.task(**KNOWN)
        run = lab.run("--stbench-model=wrong")
        assert run.code == 1
        assert run.outcome("contract[sim-lopo-P01]") == "failed"
        assert run.outcome("spearman_gene[sim-lopo]") == "blocked"
        assert not run.of("xfailed")

    def test_underpowered_stays_red(self, lab):
        lab.task(**KNOWN, datasets={"sim": {"params": {"patients": 4}}})
        run = lab.run("--stbench-model=neighbour", "-k", "spearman_gene and not P0")
        assert run.code == 1
        assert not run.of("xfailed")


@pytest.mark.parametrize("name", ["ridge", "train_mean", "baseline:gene_gene_ridge"])
def test_a_baseline_is_a_reference_and_no_rival_of_itself(lab, name):
    lab.task(**FOLDS, gates={"spearman_gene": {"beats": {"baselines": ["train_mean", "ridge"]}}})
    run = lab.run(f"--stbench-model={name}", "-k", "spearman_gene and not P0")
    verdict = run.properties("spearman_gene[sim-lopo]")["stbench.verdict"]
    assert verdict == "reference"
    assert run.outcome("spearman_gene[sim-lopo]") == "passed"


class TestSettings:
    """Simulated cohorts with known truth: the verdict on a model must follow it."""

    MODELS = '''

def ridge(x, y, penalty=10.0):
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = (x - mean) / scale
    weights = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ (y - y.mean(axis=0)))
    return lambda new: ((new - mean) / scale @ weights + y.mean(axis=0)).astype(np.float32)


class Image:
    """Ridge on statistics of the patches around the units."""

    polarity = False

    def features(self, slide):
        patches = slide.patches(size=56, mpp=2.0)
        density = -np.log(np.maximum(patches, 1) / 255.0)
        flat = density.reshape(len(patches), -1, 3)
        dark = patches[..., 0] < 160
        found = [flat.mean(axis=1), flat.std(axis=1), *np.percentile(flat, (10, 90), axis=1)]
        found.append(dark.mean(axis=(1, 2))[:, None])
        if self.polarity:
            left, right = dark[:, :, :28].sum(axis=(1, 2)), dark[:, :, 28:].sum(axis=(1, 2))
            found.append(((right - left) / (right + left + 1.0))[:, None])
        return np.concatenate(found, axis=1)

    def fit(self, train, task):
        self.model = ridge(
            np.concatenate([self.features(slide) for slide in train]),
            np.concatenate([slide.target for slide in train]),
        )

    def predict_expression(self, slide, genes):
        return self.model(self.features(slide))


@pytest.fixture
def colour():
    return Image()


@pytest.fixture
def polarity():
    model = Image()
    model.polarity = True
    return model
'''

    @pytest.fixture
    def cohort(self, make_bench):
        bench = make_bench("settings")
        bench.conftest(self.MODELS)
        name = "pearson_gene[sim-pgkf]"

        def run(setting, model, baselines):
            bench.task(
                family="expression", imputation=None, metrics=["pearson_gene", "partial_pearson_gene"],
                datasets={"sim": {"params": {
                    "setting": setting, "image": True, "units": 130, "genes": 150, "seed": 0,
                }}},
                splits=[{"pgkf": {"k": 3}}],
                preprocess={"genes": {"select": "svg", "n": 30}},
                baselines=["train_mean", "libsize", "he_colour"],
                gates={"pearson_gene": {"beats": {"baselines": baselines, "margin": 0.0}}},
            )  # fmt: skip
            done = bench.run(f"--stbench-model={model}", f"mini.stbench.yaml::{name}")
            gates = {
                found[2]: found[1]
                for line in done.lines("pearson_gene")
                if (found := re.search(r"^  (PASS|FAIL).*(?:beats|beat|than) (\w+)", line))
            }
            return done.outcome(name), gates, done

        return run

    def test_morphology_is_seen_by_a_model_that_looks(self, cohort):
        outcome, gates, run = cohort("morphology", "polarity", ["train_mean", "libsize", "he_colour"])
        assert outcome == "passed", run.out
        assert gates == {"train_mean": "PASS", "libsize": "PASS", "he_colour": "PASS"}

    def test_null_is_beaten_by_nobody(self, cohort):
        outcome, gates, run = cohort("no_signal", "colour", ["train_mean"])
        assert outcome == "failed", run.out
        assert gates["train_mean"] == "FAIL"

    def test_depth_is_known_to_the_library_size_alone(self, cohort):
        outcome, gates, run = cohort("depth", "colour", ["libsize"])
        assert outcome == "failed", run.out
        assert gates["libsize"] == "FAIL"
        assert "worse than libsize" in run.message("pearson_gene[sim-pgkf]")


NOT_WORSE = {**FOLDS, "gates": {"spearman_gene": {"not_worse_than": {"margin": 0.01}}}}


class TestCompare:
    """``not_worse_than`` the run given with ``--stbench-compare``."""

    SCORE = ("-k", "spearman_gene and not P0")

    @pytest.fixture
    def stored(self, lab):
        lab.task(**NOT_WORSE)
        for name in ("neighbour", "worse"):
            path = lab.folder / f"{name}.json"
            if not path.exists():
                lab.run(f"--stbench-model={name}", f"--stbench-save={path.name}", "-k", "spearman_gene")
                assert path.exists()
        return lab

    def test_against_itself(self, stored):
        run = stored.run("--stbench-model=neighbour", "--stbench-compare=neighbour.json", *self.SCORE)
        assert run.outcome("spearman_gene[sim-lopo]") == "passed", run.out
        assert "no patient gained or lost" in run.line("compare spearman_gene[sim-lopo] with neighbour.json")

    def test_against_a_better_run(self, stored):
        run = stored.run("--stbench-model=worse", "--stbench-compare=neighbour.json", *self.SCORE)
        assert run.outcome("spearman_gene[sim-lopo]") == "failed", run.out
        assert "worse than neighbour.json" in run.message("spearman_gene[sim-lopo]")
        assert re.search(
            r"lost most: patients P\d+ -0\.\d+",
            run.line("compare spearman_gene[sim-lopo] with neighbour.json"),
        )

    def test_against_a_worse_run(self, stored):
        run = stored.run("--stbench-model=neighbour", "--stbench-compare=worse.json", *self.SCORE)
        assert run.outcome("spearman_gene[sim-lopo]") == "passed", run.out

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"preprocess": {"normalise": "log1p_median"}}, "normalis"),
            ({"datasets": {"sim": {"params": {"seed": 5}}}}, "sim"),
            ({"version": 2}, "version"),
            ({"splits": [{"pgkf": {"k": 3}}]}, ""),
        ],
        ids=["normalisation", "data", "version", "split"],
    )
    def test_what_is_not_comparable_is_refused(self, stored, change, named):
        stored.task("mini", NOT_WORSE, change)
        run = stored.run(
            "--stbench-model=neighbour", "--stbench-compare=neighbour.json", "-k",
            "spearman_gene and not P0 and not pgkf-",
        )  # fmt: skip
        (name,) = run.names
        assert run.code == 1
        assert run.reports[name]["call"].failed
        message = run.message(name)
        assert "neighbour.json" in message
        assert named in message
        assert "Traceback" not in message

    def test_without_a_stored_run_it_is_not_decided_and_not_passed(self, stored):
        run = stored.run("--stbench-model=neighbour", *self.SCORE)
        assert run.code == 1
        assert run.outcome("spearman_gene[sim-lopo]") == "not evaluable"
        assert "no earlier run was given" in run.message("spearman_gene[sim-lopo]")
        assert run.line("  NOT EVALUABLE spearman_gene")

    def test_an_exploratory_claim_shows_it_only_and_no_skip_fails_it(self, stored):
        stored.task("mini", NOT_WORSE, claim="exploratory")
        run = stored.run("--stbench-model=neighbour", *self.SCORE)
        assert run.code == 0
        assert run.outcome("spearman_gene[sim-lopo]") == "not evaluable"
        assert stored.run("--stbench-model=neighbour", "--stbench-no-skip", *self.SCORE).code == 1

    def test_plan_uses_the_stored_run(self, stored):
        run = stored.run("--stbench-plan", "--stbench-compare=neighbour.json")
        assert run.code == 0
        assert re.search(
            r"spearman_gene not_worse_than the stored run by 0\.01: can be decided.* SD = -?0\.\d+ at SD 0\.",
            run.out,
        )


def test_stored_values_are_those_of_the_run(lab):
    lab.task(**FOLDS)
    run = lab.run("--stbench-model=neighbour", "--stbench-save=values.json", *POOLED)
    stored = json.loads((lab.folder / "values.json").read_text())
    (score,) = [
        s for s in stored["scores"]
        if s["metric"] == "rmse" and s["fold"] is None and s["role"] == "model"
    ]  # fmt: skip
    assert run.properties("rmse[sim-lopo]")["stbench.value"] == pytest.approx(score["value"], rel=1e-5)
    assert sorted(score["per_patient"]) == [f"P0{n}" for n in range(1, 7)]
