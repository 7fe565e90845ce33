"""Robustness: what is asked again, how answers come back, what is compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pytest_stbench.data.image import Image
from pytest_stbench.families.niches.declare import Niches
from pytest_stbench.families.question import FamilySettings
from pytest_stbench.families.robustness.ask import RobustnessQuestion
from pytest_stbench.families.robustness.declare import Robustness
from pytest_stbench.families.robustness.perturbations import PERTURBATIONS
from pytest_stbench.metrics import robust_share, self_consistency
from pytest_stbench.run.installed import builtin_registry

from .test_label_families import asked, labelled

REGISTRY = builtin_registry()
KINDS = np.array(["tumour", "stroma", "stroma"], dtype=object)
N = 24
ALL = [change.name for change in PERTURBATIONS]
NEEDS = {change.name: change.needs for change in PERTURBATIONS}


def slide(name, *, image=True):
    rng = np.random.default_rng(ord(name[0]))
    places = np.array([(10.0 + 8 * (i % 6), 10.0 + 8 * (i // 6)) for i in range(N)])
    made = labelled(name, name[0], KINDS[np.arange(N) % 3].tolist(), xy_um=2 * places, xy_px=places)
    pixels = Image.from_array(rng.integers(30, 230, (60, 70, 3), dtype=np.uint8), mpp=2.0)
    return replace(made, image=pixels if image else None)


def fold_of(*, image=True, given="both", **settings):
    made = RobustnessQuestion(
        FamilySettings(
            own=Robustness(wraps="niches", **settings),
            wraps=REGISTRY.families["niches"],
            inner=FamilySettings(own=Niches(input=given)),
        )
    )
    slides = [slide("A1", image=image), slide("B1", image=image), slide("C1", image=image)]
    fold = asked(made, slides[:2], slides[2:])
    observed = tuple(str(gene) for gene in slides[0].genes[fold.observed])
    return replace(fold, task=replace(fold.task, observed_genes=observed))


class Model:
    """Probabilities from the features of a unit that a test names."""

    def __init__(self, features):
        self.features = features

    def predict_labels(self, slide, classes):
        score = 1 / (1 + np.exp(-np.asarray(self.features(slide), float)))
        return np.column_stack([score, 1 - score])


def answers(fold, model):
    question, found = fold.question, {}
    for request in question.requests(fold):
        raw = question.ask(model, question.given(request, fold), request, fold.task)
        found[request.key] = question.accept(raw, request, fold, "model")
    return found


def shares(fold, predicted):
    record = REGISTRY.metrics["robust_share"]
    (arms,) = fold.truth(fold.test[0]).arms(record, predicted)
    given = {name: arms.offered[name]() for name in record.inputs}
    found = robust_share(arms.truth, arms.prediction, **given)
    return dict(zip(found.labels.tolist(), found.values.tolist(), strict=True))


def by_counts(slide):
    """What a model should do: look genes up by their names."""
    column = list(slide.units.var_names).index("AAA")
    return slide.units.X.toarray()[:, column] / 10


@pytest.mark.parametrize(
    ("image", "given", "needs"),
    [
        (True, "both", {"", "image", "counts"}),
        (True, "image", {"", "image"}),
        (True, "expression", {"", "counts"}),
        (False, "both", {"", "counts"}),
    ],
)
def test_what_is_asked_is_what_the_input_allows(image, given, needs):
    fold = fold_of(image=image, given=given)
    keys = [request.key for request in fold.question.requests(fold)]
    assert keys == ["C1", *(f"C1@{name}" for name in ALL if NEEDS[name] in needs)]


def test_the_file_may_name_perturbations():
    fold = fold_of(perturbations=("unit_order", "blur_1px"))
    assert [r.key for r in fold.question.requests(fold)] == ["C1", "C1@blur_1px", "C1@unit_order"]


def test_rows_of_another_order_come_back_in_place():
    fold = fold_of(perturbations=("unit_order",))
    seen = []

    class Labelled(Model):
        def predict_labels(self, slide, classes):
            seen.append((slide.units.obs_names.tolist(), slide.patches(8, 2.0)))
            return pd.DataFrame(
                super().predict_labels(slide, classes), index=slide.units.obs_names, columns=classes
            )

    found = answers(fold, Labelled(by_counts))
    (clean, patches), (moved, others) = seen
    assert sorted(moved) == sorted(clean) != moved
    order = [clean.index(name) for name in moved]
    np.testing.assert_array_equal(others, patches[order])
    np.testing.assert_array_equal(found["C1"], found["C1@unit_order"])


def test_rows_of_another_order_keep_their_new_names():
    fold = fold_of(perturbations=("unit_order",))
    for request in fold.question.requests(fold):
        asking = fold.asking(request)
        raw = asking.ask(Model(by_counts), asking.given())
        np.testing.assert_array_equal(asking.accept(raw, "model"), answers(fold, Model(by_counts))["C1"])


def test_a_model_that_depends_on_the_order_of_rows_is_told():
    fold = fold_of(perturbations=("unit_order", "gene_order"))
    found = shares(fold, answers(fold, Model(lambda slide: np.arange(slide.n_units) / 10)))
    assert found == {"unit_order": 0.0, "gene_order": 1.0}


def test_names_and_columns_of_genes_go_together():
    fold = fold_of(perturbations=("gene_order",))
    seen = []

    class Looking(Model):
        def predict_labels(self, slide, classes):
            seen.append((list(slide.units.var_names), slide.units.X.toarray()))
            return super().predict_labels(slide, classes)

    found = answers(fold, Looking(by_counts))
    (clean_names, clean), (names, counts) = seen
    assert sorted(names) == sorted(clean_names)
    order = [clean_names.index(name) for name in names]
    np.testing.assert_array_equal(counts, clean[:, order])
    np.testing.assert_array_equal(found["C1"], found["C1@gene_order"])


def test_a_model_that_takes_genes_by_their_place_is_told():
    fold = fold_of(perturbations=("gene_order",))
    placed = Model(lambda slide: slide.units.X.toarray() @ np.arange(4) / 30)
    assert shares(fold, answers(fold, placed)) == {"gene_order": 0.0}


def test_the_task_names_genes_in_the_order_of_the_columns():
    """Families that hand genes over by name must name them in the new order."""
    fold = fold_of(perturbations=("gene_order",))
    seen = []
    inner = fold.question.inner
    ask = inner.ask

    def looked(model, given, request, task):
        seen.append((task.observed_genes, tuple(given.units.var_names)))
        return ask(model, given, request, task)

    inner.ask = looked
    answers(fold, Model(by_counts))
    assert all(named == columns for named, columns in seen)
    assert seen[0][0] != seen[1][0]


def test_a_model_without_coordinates_is_untouched_by_them():
    fold = fold_of(perturbations=("rotate_slide", "translate_slide"))
    found = answers(fold, Model(by_counts))
    np.testing.assert_array_equal(found["C1"], found["C1@rotate_slide"])
    assert shares(fold, found) == {"rotate_slide": 1.0, "translate_slide": 1.0}
    placed = answers(fold, Model(lambda slide: slide.units.obsm["spatial"][:, 0] / 100))
    assert shares(fold, placed) == {"rotate_slide": 0.0, "translate_slide": 0.0}


def test_patches_that_are_looked_at_whole_do_not_see_their_orientation():
    names = ("rotate_90", "rotate_180", "rotate_270", "mirror")
    fold = fold_of(perturbations=names)
    whole = answers(fold, Model(lambda s: s.patches(8, 2.0).mean(axis=(1, 2, 3)) / 50))
    assert shares(fold, whole) == dict.fromkeys(names, 1.0)
    corner = answers(fold, Model(lambda s: s.patches(8, 2.0)[:, 0, 0, 0] / 50))
    assert set(shares(fold, corner).values()) == {0.0}
    found = self_consistency(corner["C1"], {name: corner[f"C1@{name}"] for name in names})
    assert (np.abs(found.values) < 0.8).all()


def test_the_trivial_baseline_is_that_of_the_wrapped_family():
    fold = fold_of(perturbations=("blur_1px",))
    large = labelled("D1", "D", KINDS[np.arange(90) % 3].tolist(), xy_px=np.zeros((90, 2)))
    truth = fold.question.truth(replace(large, image=fold.test[0].image), fold)
    # `stroma` for all of 90 units: F1 0.8 of 60, 0 of the 30 of tumour.
    assert truth.trivial == pytest.approx(0.4)
    assert truth.n_units == 90


def test_nothing_of_the_truth_is_in_a_perturbed_input():
    fold = fold_of()
    for request in fold.question.requests(fold):
        given = fold.question.given(request, fold)
        assert not given.units.obs.columns.size
        assert list(given.units.obsm) in (["spatial"], ["spatial", "embedding"])
        assert not hasattr(given, "labels")
