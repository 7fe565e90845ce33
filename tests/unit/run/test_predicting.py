"""A cell is fitted at most once; what the model did wrong is told in its own terms."""

from __future__ import annotations

import contextlib
import shutil

import numpy as np
import pytest

from pytest_stbench.calls import predicting, recent
from pytest_stbench.calls.computing import Prediction
from pytest_stbench.calls.contestants import baseline_contestant, user_contestant
from pytest_stbench.calls.failures import CellFailed
from pytest_stbench.calls.predicting import Predictor
from pytest_stbench.models import identity as identities
from pytest_stbench.models.identity import json_digest
from pytest_stbench.run.cells import Cell
from pytest_stbench.run.folding import Folding
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.open_dataset import OpenDataset
from pytest_stbench.splits.table import Fold
from pytest_stbench.store.store import Store

REGISTRY = builtin_registry()


class Plain:
    """Predicts the mean of training; counts what it is asked."""

    log: list  # set anew for every test

    def fit(self, train, task):
        self.log.append("fit")
        self.mean = np.mean(np.concatenate([slide.target for slide in train]), axis=0)

    def impute(self, slide, observed_genes, target_genes):
        self.log.append(slide.meta.slide_id)
        return np.tile(self.mean, (slide.n_units, 1)).astype(np.float32)


class Named(Plain):
    name = "named"
    revision = "1"


class ChangesInput(Plain):
    name = "changes"
    revision = "1"

    def impute(self, slide, observed_genes, target_genes):
        slide.units.X = slide.units.X * 2
        return super().impute(slide, observed_genes, target_genes)


class Raises(Plain):
    def fit(self, train, task):
        self.log.append("fit")
        message = "no good"
        raise RuntimeError(message)


class WrongShape(Plain):
    def impute(self, slide, observed_genes, target_genes):
        return super().impute(slide, observed_genes, target_genes)[:, :-1]


class Stateless:
    """Has no fit."""

    def impute(self, slide, observed_genes, target_genes):
        return np.zeros((slide.n_units, len(target_genes)), np.float32)


@pytest.fixture(autouse=True)
def log():
    Plain.log = []
    return Plain.log


@pytest.fixture
def fold(tmp_path, make_task, make_dataset, make_slide):
    spec = make_task().spec
    dataset = make_dataset([make_slide(name, seed) for seed, name in enumerate(("A1", "B1", "C1", "C2"))])
    cell = Cell(
        dataset="sim",
        variant="",
        view="sim",
        split="lopo",
        seed=0,
        fold=Fold(name="C", train=("A1", "B1"), test=("C1", "C2")),
    )
    return Folding(spec, REGISTRY.families["imputation"], OpenDataset(Store(tmp_path))).fold(
        cell, dataset, ()
    )


@pytest.fixture
def new_predictor(tmp_path):
    def make(progress=lambda label: contextlib.nullcontext()):
        return Predictor(Store(tmp_path / "store"), retry=False, progress=progress)

    return make


def key(model):
    return json_digest({"model": model})


def ask(predictor, model, fold, label="m", cell_key=key):
    return predictor.model(user_contestant(label, model), fold, cell_key, f"{label} cell", None)


@pytest.mark.parametrize("model", [Plain, Named])
def test_one_process_fits_once(new_predictor, fold, log, model):
    predictor = new_predictor()
    first = ask(predictor, model, fold)
    assert ask(predictor, model, fold) is first
    assert log == ["fit", "C1", "C2"]
    assert (len(predictor.tally.computed), len(predictor.tally.reused)) == (1, 0)
    assert list(first.values) == ["C1", "C2"]
    assert all(
        values.dtype == np.float32 and values.shape == (36, len(fold.genes))
        for values in first.values.values()
    )
    assert first.seconds > 0
    assert not first.reused


def test_a_named_model_is_served_from_the_store(new_predictor, fold, log):
    first = ask(new_predictor(), Named, fold)
    predictor = new_predictor()
    second = ask(predictor, Named, fold)
    assert log == ["fit", "C1", "C2"]
    assert second.reused
    assert (len(predictor.tally.computed), len(predictor.tally.reused)) == (0, 1)
    assert second.seconds == first.seconds
    for slide, values in first.values.items():
        np.testing.assert_array_equal(second.values[slide], values)


def test_what_the_store_has_leaves_memory_and_comes_back_as_it_was(new_predictor, fold, log, monkeypatch):
    monkeypatch.setattr(recent, "MOST_BYTES", 0)
    predictor = new_predictor()
    first = ask(predictor, Named, fold)
    assert not any(isinstance(known, Prediction) for known in predictor._recent._known.values())
    again = ask(predictor, Named, fold)
    assert log == ["fit", "C1", "C2"]
    assert (again.seconds, again.reused, again.remarks) == (first.seconds, False, first.remarks)
    assert (len(predictor.tally.computed), len(predictor.tally.reused)) == (1, 0)
    for slide, values in first.values.items():
        np.testing.assert_array_equal(again.values[slide], values)


def test_what_only_memory_has_stays_there(new_predictor, fold, log, monkeypatch):
    monkeypatch.setattr(recent, "MOST_BYTES", 0)
    predictor = new_predictor()
    first = ask(predictor, Plain, fold)
    assert ask(predictor, Plain, fold) is first


def test_what_left_memory_and_is_gone_from_the_store_is_made_again(
    new_predictor, fold, log, monkeypatch, tmp_path
):
    monkeypatch.setattr(recent, "MOST_BYTES", 0)
    predictor = new_predictor()
    first = ask(predictor, Named, fold)
    shutil.rmtree(tmp_path / "store" / "predictions")
    again = ask(predictor, Named, fold)
    assert log == ["fit", "C1", "C2"] * 2
    for slide, values in first.values.items():
        np.testing.assert_array_equal(again.values[slide], values)


class Sized(Named):
    """Its prediction depends on an argument that neither `revision` nor `config` tells."""

    def __init__(self, size, **further):
        self.size = size
        vars(self).update(further)

    def impute(self, slide, observed_genes, target_genes):
        return super().impute(slide, observed_genes, target_genes) + np.float32(self.size)


def test_models_of_other_arguments_get_their_own_predictions(new_predictor, fold, log):
    one = ask(new_predictor(), lambda: Sized(0), fold)
    two = ask(new_predictor(), lambda: Sized(1), fold)
    assert (one.reused, two.reused) == (False, False)
    np.testing.assert_allclose(two.values["C1"], one.values["C1"] + 1, rtol=1e-6)
    again = ask(new_predictor(), Sized(np.int64(1)), fold)
    assert again.reused
    np.testing.assert_array_equal(again.values["C1"], two.values["C1"])


def test_two_names_of_one_identity_are_an_error(new_predictor, fold):
    predictor = new_predictor()
    ask(predictor, lambda: Sized(1, weights="/data/run/a.pt"), fold, label="one")
    with pytest.raises(
        CellFailed, match=r"one and two are one model.*weights=b\.pt\).*`revision` or `config`"
    ):
        ask(predictor, lambda: Sized(1, weights="/data/run/b.pt"), fold, label="two")
    ask(predictor, lambda: Sized(2), fold, label="two")


def test_what_has_no_digest_stays_in_memory_with_one_warning(new_predictor, fold, log):
    for _ in range(2):
        predictor = new_predictor()
        first = ask(predictor, lambda: Sized(1, act=lambda: 1), fold)
        second = ask(
            predictor, lambda: Sized(1, act=lambda: 1), fold, cell_key=lambda model: key(model)[::-1]
        )
        assert (len(predictor.tally.computed), len(predictor.tally.reused)) == (2, 0)
        (said,) = first.remarks
        assert second.remarks == ()
        assert "no digest: act (" in said
        assert "`__getstate__`" in said


def test_a_difference_of_source_or_file_is_said_once(new_predictor, fold, monkeypatch):
    first = ask(new_predictor(), lambda: Sized(1, weights="/data/run/a.pt"), fold)
    assert (
        ask(new_predictor(), lambda: Sized(1, weights="/elsewhere/run/a.pt"), fold).remarks == first.remarks
    )
    monkeypatch.setattr(identities, "_source", lambda kind: "another text")
    predictor = new_predictor()
    again = ask(predictor, lambda: Sized(1, weights="/data/run/b.pt"), fold)
    assert again.reused
    (said,) = again.remarks
    assert "a change of the source of its class, weights (a.pt then, b.pt here)" in said
    assert "another `revision`" in said
    predictor.forget()
    assert ask(predictor, lambda: Sized(1, weights="/data/run/b.pt"), fold).remarks == ()


def test_a_model_without_identity_is_not(new_predictor, fold, log):
    for _ in range(2):
        predictor = new_predictor()
        ask(predictor, Plain, fold, label="plain")
        assert predictor.tally.memory_only == {"plain"}
    assert log.count("fit") == 2


def test_another_revision_or_cell_is_another_prediction(new_predictor, fold, log):
    class Newer(Named):
        revision = "2"

    ask(new_predictor(), Named, fold)
    ask(new_predictor(), Newer, fold)
    ask(new_predictor(), Named, fold, cell_key=lambda model: json_digest({"model": model, "cell": 2}))
    assert log.count("fit") == 3


def test_forgetting_frees_predictions_and_keeps_failures(new_predictor, fold, log):
    predictor = new_predictor()
    ask(predictor, Plain, fold, label="plain")
    with pytest.raises(CellFailed):
        ask(predictor, Raises, fold, label="raises")
    predictor.forget()
    ask(predictor, Plain, fold, label="plain")
    with pytest.raises(CellFailed):
        ask(predictor, Raises, fold, label="raises")
    assert log.count("fit") == 3


def test_a_model_that_changes_its_input_is_remarked_and_harms_nobody(new_predictor, fold, log):
    before = fold.test[0].counts.copy()
    for _ in range(2):
        found = ask(new_predictor(), ChangesInput, fold, label="changes")
        (remark,) = found.remarks
        assert remark.startswith("changes changes its input in predict; here nothing else sees that copy")
    assert found.reused, "remarks are kept with the prediction"
    assert (fold.test[0].counts != before).nnz == 0
    assert ask(new_predictor(), Named, fold).remarks == ()


def test_a_model_that_raises_fails_with_its_own_lines(new_predictor, fold, log):
    predictor = new_predictor()
    for _ in range(2):
        with pytest.raises(CellFailed) as caught:
            ask(predictor, Raises, fold)
    assert log == ["fit"]
    text = str(caught.value)
    assert text.startswith("m cell raised RuntimeError: no good (in fit)\n")
    assert "raise RuntimeError(message)" in text
    assert "model_calls.py" not in text
    assert len(predictor.tally.computed) == 0


def test_a_broken_contract_fails_and_is_not_stored(new_predictor, fold, log):
    for _ in range(2):
        with pytest.raises(CellFailed, match=r"m, slide C1: expected .*36.*found"):
            ask(new_predictor(), WrongShape, fold)
    assert log.count("fit") == 2


def test_a_model_without_fit(new_predictor, fold):
    assert (ask(new_predictor(), Stateless, fold).values["C1"] == 0).all()


def test_progress_is_told_about_computed_cells_alone(new_predictor, fold):
    told = []

    @contextlib.contextmanager
    def progress(label):
        told.append(label)
        yield

    predictor = new_predictor(progress)
    ask(predictor, Named, fold)
    ask(predictor, Named, fold)
    assert told == ["m cell"]


def test_baselines_of_every_kind(new_predictor, fold):
    predictor = new_predictor()
    ridge = baseline_contestant(
        "ridge", REGISTRY.families["imputation"], frozenset({"observed"}), REGISTRY.baselines
    )
    own = predictor.model(ridge, fold, key, "ridge cell", None)
    diagnostic = predictor.diagnostic(REGISTRY.baselines["libsize"], fold, "libsize cell", key)
    control = predictor.control(REGISTRY.baselines["shuffled"], own, "shuffled")
    for found in (own, diagnostic, control):
        assert [values.shape for values in found.values.values()] == [(36, len(fold.genes))] * 2
    for slide, values in own.values.items():
        assert not np.array_equal(control.values[slide], values)
        np.testing.assert_array_equal(np.sort(control.values[slide], axis=0), np.sort(values, axis=0))
    assert len(predictor.tally.computed) == 1


def test_a_diagnostic_is_computed_once(new_predictor, fold, monkeypatch):
    record = REGISTRY.baselines["libsize"]
    first = new_predictor().diagnostic(record, fold, "libsize cell", key)
    monkeypatch.setattr(predicting, "diagnostic_predictions", None)
    again = new_predictor().diagnostic(record, fold, "libsize cell", key)
    assert list(again.values) == list(first.values)
    for slide, values in first.values.items():
        assert again.values[slide].dtype == values.dtype
        assert again.values[slide].tobytes() == values.tobytes()


def test_the_tally_tells_each_cell_once():
    tally = predicting.Tally()
    tally.computed.add("a")
    tally.memory_only.add("m")
    assert tally.news() == {"computed": ["a"], "reused": [], "memory_only": ["m"]}
    tally.reused.update("ab")
    assert tally.news() == {"computed": [], "reused": ["a", "b"], "memory_only": []}
    assert tally.news() == {"computed": [], "reused": [], "memory_only": []}


def test_a_mistake_in_fit_is_made_twice_in_a_group_of_folds(new_predictor, fold, log):
    predictor = new_predictor()

    def fitted(number, group, model=Raises):
        contestant = user_contestant("m", model)
        predictor.model(
            contestant, fold, lambda _: json_digest([number, group]), f"m cell{number}", None, group=group
        )

    for number, told in enumerate(("raised RuntimeError", "raised RuntimeError", "was not tried", "was not")):
        with pytest.raises(CellFailed, match=rf"^m cell{number} {told}"):
            fitted(number, "lopo")
    assert log == ["fit", "fit"]
    with pytest.raises(CellFailed, match="raised RuntimeError: no good"):
        fitted(9, "another")


def test_mistakes_that_differ_or_are_no_mistakes_of_fit_are_made_in_every_fold(new_predictor, fold, log):
    class Differs(Raises):
        def fit(self, train, task):
            log.append("fit")
            raise RuntimeError(len(log))

    class Alternates(Plain):
        def fit(self, train, task):
            super().fit(train, task)
            if log.count("fit") % 2 == 1:
                message = "every other one"
                raise RuntimeError(message)

    for model, fits in ((Differs, 4), (WrongShape, 4), (Alternates, 4)):
        log.clear()
        predictor = new_predictor()
        for number in range(4):
            cell = json_digest([number, model.__name__])
            with contextlib.suppress(CellFailed):
                predictor.model(
                    user_contestant("m", model), fold, lambda _, cell=cell: cell, "m cell", None, group="g"
                )
        assert log.count("fit") == fits
