"""Every way to give a model, and what a model may and may not do."""

from __future__ import annotations

import re

import pytest

FOLDS = {"splits": [{"pgkf": {"k": 2}}], "baselines": ["train_mean"], "metrics": ["rmse", "spearman_gene"]}
WITH_IMAGE = {
    "family": "expression",
    "imputation": None,
    "datasets": {"sim": {"params": {"image": True}}},
    "metrics": ["pearson_gene"],
}

MODELS = '''
import json
import pathlib

HERE = pathlib.Path(__file__).parent


class Diary(Mean):
    """Writes down what every fit and prediction saw, and remembers it in itself."""

    def __init__(self):
        self.seen = []

    def fit(self, train, task):
        super().fit(train, task)
        self.seen.append(sorted(slide.meta.slide_id for slide in train))
        self.note({"fit": self.seen, "genes": list(task.genes)})

    def impute(self, slide, observed_genes, target_genes):
        self.note({"predict": slide.meta.slide_id, "fits": len(self.seen)})
        return super().impute(slide, observed_genes, target_genes)

    def note(self, what):
        with (HERE / "diary.jsonl").open("a") as file:
            file.write(json.dumps(what) + chr(10))


@pytest.fixture(scope="session")
def diary():
    return Diary()


@pytest.fixture
def of_function():
    return Mean()


@pytest.fixture(scope="module")
def of_module():
    return Mean()


@pytest.fixture(scope="session")
def of_session():
    return Mean()


@pytest.fixture
def as_class():
    return Mean


@pytest.fixture
def as_factory():
    return lambda: Mean()


@pytest.fixture(params=["a", "b"])
def several(request):
    return Mean()


class NeedsArguments(Mean):
    def __init__(self, size):
        self.size = size


@pytest.fixture
def needs_arguments():
    return NeedsArguments


class Stuck(Mean):
    def __deepcopy__(self, memo):
        raise TypeError("cannot pickle a lock")


@pytest.fixture
def stuck():
    return Stuck()


@pytest.fixture
def not_a_model():
    return 17


@pytest.fixture
def returns_none():
    Mean()


class Embeds:
    def embed(self, slide):
        return np.asarray(slide.units.X.todense(), dtype=np.float32)


@pytest.fixture
def embeds():
    return Embeds()


class Counts(Mean):
    def impute(self, slide, observed_genes, target_genes):
        return np.tile(np.arange(1.0, len(target_genes) + 1), (slide.n_units, 1)), "counts"


@pytest.fixture
def counts():
    return Counts()


class Prints(Mean):
    def impute(self, slide, observed_genes, target_genes):
        print("loss 0.123")
        return super().impute(slide, observed_genes, target_genes)


@pytest.fixture
def prints():
    return Prints()


class FirstGene:
    """Predicts from the counts it is given: what it is given shows in its scores."""

    def impute(self, slide, observed_genes, target_genes):
        first = np.asarray(slide.units.X[:, 0].todense(), dtype=np.float32)
        return np.tile(np.log1p(first), (1, len(target_genes)))


class Changes(FirstGene):
    def impute(self, slide, observed_genes, target_genes):
        values = super().impute(slide, observed_genes, target_genes)
        slide.units.X = slide.units.X * 7
        slide.units.obs["mine"] = 1
        slide.units.obsm["spatial"][:] = 0
        return values


@pytest.fixture
def changes():
    return Changes()


@pytest.fixture
def first_gene():
    return FirstGene()


class RaisesInInit(Mean):
    def __init__(self):
        raise FileNotFoundError("weights.pt")


@pytest.fixture
def raises_in_init():
    return RaisesInInit


class BadRevision(Mean):
    name = "bad"
    revision = 3


@pytest.fixture
def bad_revision():
    return BadRevision()


@pytest.fixture
def raises_in_fixture():
    raise RuntimeError("weights are not there")
'''

MEAN = """
import numpy as np


class Mean:
    def fit(self, train, task):
        self.mean = np.nanmean(np.concatenate([slide.target for slide in train]), axis=0)

    def impute(self, slide, observed_genes, target_genes):
        return np.tile(self.mean, (slide.n_units, 1)).astype(np.float32)
"""


@pytest.fixture(scope="module")
def lab(make_bench):
    """A folder with one small task and many models."""
    bench = make_bench("lab")
    bench.conftest(MODELS)
    bench.write("mylab.py", MEAN)
    bench.write("broken_lab.py", "import json\n\njson.loads('no json')\n")
    bench.task(**FOLDS)
    return bench


@pytest.fixture(scope="module")
def together(lab):
    """Many models in one run."""
    names = (
        "of_function", "of_module", "of_session", "as_class", "as_factory", "several", "needs_arguments",
        "stuck", "not_a_model", "returns_none", "embeds", "counts", "prints", "first_gene", "changes",
        "import:mylab:Mean", "import:mylab:Nobody", "import:nolab:Model", "import:broken_lab:Other",
        "baseline:ridge", "train_mean", "libsize", "shuffled", "rigde", "predictions:out_v2",
        "raises_in_fixture", "raises_in_init", "bad_revision",
    )  # fmt: skip
    return lab.run(*(f"--stbench-model={name}" for name in names), "-o", "pythonpath=.")


def same_score(run, one, other):
    values = [run.properties(f"rmse[{name}-sim-pgkf]")["stbench.value"] for name in (one, other)]
    return values[0] == pytest.approx(values[1], rel=1e-6)


@pytest.mark.parametrize("name", ["of_function", "of_module", "of_session", "as_class", "as_factory", "Mean"])
def test_forms_of_a_model(together, name):
    assert together.outcome(f"contract[{name}-sim-pgkf-1]") == "passed"
    assert same_score(together, name, "of_function")


@pytest.mark.parametrize("name", ["of_function", "of_module", "of_session", "as_class", "as_factory"])
def test_scopes_alone(lab, name):
    run = lab.run(f"--stbench-model={name}", "-k", "rmse and not P01")
    assert run.outcome("rmse[sim-pgkf]") == "passed"
    assert run.code == 0


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("needs_arguments", "needs arguments (size)"),
        ("stuck", "cannot be deep-copied (TypeError: cannot pickle a lock)"),
        ("not_a_model", "found an object of type int"),
        ("returns_none", "return the model from the fixture"),
        ("Nobody", "mylab has no attribute 'Nobody'"),
        (
            "libsize",
            "libsize is a diagnostic: it is given the truth, so it can never be the model under test",
        ),
        ("shuffled", "shuffled is a control"),
        ("rigde", "did you mean 'ridge'?"),
        ("out_v2", "predictions"),
        ("bad_revision", "`revision` of the model must be a string, found 3 (int)"),
        ("several", "run pytest with --stbench-model=several alone"),
    ],
)
def test_what_is_no_model_is_refused_once(together, name, told):
    blocked = [item for item in together.of("blocked") if f"[{name}-" in item]
    assert len(blocked) == 2 * 3 + 2
    assert told in together.message(blocked[0])
    lines = [line for line in together.lines("blocked 12 items by ") if told in line]
    assert len(lines) == 1
    assert "Traceback" not in together.message(blocked[0])


def test_missing_module_is_told(together):
    assert len([line for line in together.lines("items by ") if "there is no module 'nolab'" in line]) == 1


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        (
            "raises_in_init",
            "building it raised FileNotFoundError: weights.pt",
            'raise FileNotFoundError("weights.pt")',
        ),
        ("Other", "importing it raised JSONDecodeError: Expecting value", "json.loads('no json')"),
    ],
)
def test_code_of_the_user_that_raises_before_a_fit(together, name, first, last):
    message = together.message(f"contract[{name}-sim-pgkf-1]")
    assert first in message
    assert last in message
    assert "pytest_stbench" not in message
    assert len([line for line in together.lines("blocked 12 items by ") if first in line]) == 1


def test_models_of_the_same_name_are_refused(lab):
    run = lab.run("--stbench-model=ridge", "--stbench-model=baseline:ridge")
    assert run.code == 4
    assert "are both called 'ridge'" in run.out


def test_data_checks_import_no_model(lab):
    run = lab.run("--stbench-model=import:broken_lab:Other", "-m", "stbench_check", "-o", "pythonpath=.")
    assert run.code == 0


def test_a_fixture_that_raises_is_the_users_error(together):
    assert together.outcome("rmse[raises_in_fixture-sim-pgkf]") == "error"
    message = together.message("rmse[raises_in_fixture-sim-pgkf]")
    assert "RuntimeError: weights are not there" in message
    assert "pytest_stbench" not in message


def test_unknown_name_tells_what_there_is(together):
    message = together.message("contract[rigde-sim-pgkf-1]")
    assert "there is no fixture, baseline, entry point or published method of that name" in message
    assert "train_mean" in message


def test_unknown_name_alone(lab):
    run = lab.run("--stbench-model=rigde")
    assert run.code == 1
    assert "did you mean 'ridge'?" in run.line("by unknown model rigde: ")
    assert run.outcome("panel_mismatch[sim]") == "passed"


def test_explicit_fixture_that_does_not_exist(lab):
    run = lab.run("--stbench-model=fixture:rigde")
    assert run.code == 1
    assert "Traceback" not in run.out
    assert "rigde" in run.out


def test_embedding_alone_is_probed(together):
    assert together.outcome("contract[embeds-sim-pgkf-1]") == "passed"
    value = together.properties("spearman_gene[embeds-sim-pgkf]")["stbench.value"]
    assert value > 0.2


def test_counts_are_normalised(together):
    assert together.outcome("contract[counts-sim-pgkf-1]") == "passed"
    assert "stbench.value" in together.properties("rmse[counts-sim-pgkf]")


def test_what_a_model_prints_stays_with_its_item(together):
    report = together.reports["contract[prints-sim-pgkf-1]"]["call"]
    assert "loss 0.123" in report.capstdout
    assert "loss 0.123" not in together.out


def test_model_that_changes_its_input_is_told_and_harms_nobody(together):
    assert together.outcome("contract[changes-sim-pgkf-1]") == "passed"
    told = [
        text for text in together.warnings if text.startswith("changes changes its input in predict; here ")
    ]
    assert told
    assert same_score(together, "changes", "first_gene")


def test_baseline_as_model(together):
    properties = together.properties("rmse[ridge-sim-pgkf]")
    assert properties["stbench.value"] == pytest.approx(properties["stbench.baseline"])


def test_parametrised_fixture_alone(lab):
    run = lab.run("--stbench-model=several")
    expected = {"contract[a-sim-pgkf-1]", "contract[b-sim-pgkf-1]", "rmse[a-sim-pgkf]", "rmse[b-sim-pgkf-2]"}
    assert expected <= set(run.names)
    assert run.code == 0
    assert run.lines("model several[a]")
    assert run.lines("model several[b]")
    assert run.properties("rmse[b-sim-pgkf]")["stbench.model"] == "several[b]"


def test_every_fold_has_a_model_of_its_own(lab):
    import json

    run = lab.run("--stbench-model=diary", "-k", "rmse")
    assert run.outcome("rmse[sim-pgkf]") == "passed"
    notes = [json.loads(line) for line in (lab.folder / "diary.jsonl").read_text().splitlines()]
    fits = [note["fit"] for note in notes if "fit" in note]
    assert [len(fit) for fit in fits] == [1, 1], "a fit saw that of another fold"
    assert not set(fits[0][0]) & set(fits[1][0])
    assert len(fits[0][0]) + len(fits[1][0]) == 6
    training = None
    for note in notes:
        if "fit" in note:
            training = note["fit"][-1]
        else:
            assert note["fits"] == 1
            assert note["predict"] not in training
    assert sorted(note["predict"] for note in notes if "predict" in note) == sorted(fits[0][0] + fits[1][0])


def test_model_of_the_task_file_and_its_override(make_bench):
    bench = make_bench()
    bench.conftest(MODELS)
    bench.task(**FOLDS, model="of_session")
    run = bench.run("-k", "rmse")
    assert run.properties("rmse[sim-pgkf]")["stbench.model"] == "of_session"
    run = bench.run("-k", "rmse", "--stbench-model=baseline:ridge")
    assert run.properties("rmse[sim-pgkf]")["stbench.model"] == "ridge"


def test_task_file_cannot_name_code(make_bench):
    bench = make_bench()
    bench.task(**FOLDS, model="import:os:system")
    run = bench.run()
    assert run.code != 0
    assert run.collect_errors or run.of("blocked") or run.of("error")
    assert not run.of("failed")


def test_user_fixture_shadows_a_baseline(make_bench):
    bench = make_bench()
    bench.conftest("\n\n@pytest.fixture\ndef ridge():\n    return Mean()\n")
    bench.task(**FOLDS)
    run = bench.run("--stbench-model=ridge", "-k", "spearman_gene")
    properties = run.properties("spearman_gene[sim-pgkf]")
    assert properties["stbench.value"] == pytest.approx(0.0)
    assert properties["stbench.baseline"] > 0.2


def test_embedding_of_images_is_probed(make_bench):
    bench = make_bench()
    bench.conftest(
        "\n\nclass Colour:\n"
        "    def embed(self, slide):\n"
        "        patches = slide.patches(size=14, mpp=4.0).astype(np.float32)\n"
        "        return np.concatenate([patches.mean(axis=(1, 2)), patches.std(axis=(1, 2))], axis=1)\n\n\n"
        "@pytest.fixture\ndef colour():\n    return Colour()\n"
    )
    bench.task(**{**FOLDS, **WITH_IMAGE})
    run = bench.run("--stbench-model=colour", "-k", "pearson_gene or contract")
    assert run.outcome("contract[sim-pgkf-1]") == "passed"
    assert run.properties("pearson_gene[sim-pgkf]")["stbench.value"] > 0.05
    assert re.search(r"model colour", run.out)
