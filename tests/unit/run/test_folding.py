"""Genes, scales and means of a fold come from its training slides alone."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.errors import DataError
from pytest_stbench.run.cells import Cell
from pytest_stbench.run.folding import Folding, listed_genes
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.open_dataset import OpenDataset
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.splits.table import Fold
from pytest_stbench.store.store import Store

REGISTRY = builtin_registry()
ALL_UNITS = {"min_counts": 0, "min_genes": 0}
LOPO = Fold(name="C", train=("A1", "B1"), test=("C1",))


def cell_of(fold=LOPO, seed=0, variant=""):
    return Cell(dataset="sim", variant=variant, view="sim", split="lopo", fold=fold, seed=seed)


@pytest.fixture
def fold_of(tmp_path, make_task, make_dataset, make_slide):
    """The fold C of slides A1, B1 and C1; slides can be replaced, the task changed."""

    def make(cell=None, roots=(), slides=None, **changes):
        own = {name: make_slide(name, seed) for seed, name in enumerate(("A1", "B1", "C1"))} | (slides or {})
        spec = make_task(**changes).spec
        folding = Folding(spec, REGISTRY.families[spec.family], OpenDataset(Store(tmp_path / "store")))
        return folding.fold(cell or cell_of(), make_dataset(own.values()), roots)

    return make


@pytest.mark.parametrize("family", ["imputation", "expression"])
def test_another_test_slide_changes_nothing_that_was_fitted(fold_of, make_slide, family):
    changes = {} if family == "imputation" else {"family": "expression", "imputation": None}
    first = fold_of(**changes)
    other_slide = make_slide("C1", 99, n=64, scale=40.0)
    other = fold_of(slides={"C1": other_slide}, **changes)
    assert other.test[0].n_units == 64
    assert other.genes == first.genes
    assert other.fitted.target_sum == first.fitted.target_sum
    np.testing.assert_array_equal(other.train_mean, first.train_mean)
    np.testing.assert_array_equal(other.fitted.share, first.fitted.share)
    for ours, theirs in zip(first.train_inputs(), other.train_inputs(), strict=True):
        np.testing.assert_array_equal(ours.target, theirs.target)
    assert other.task == first.task


def test_another_training_slide_does(fold_of, make_slide):
    scaled = {"filter": ALL_UNITS, "normalise": "log1p_median", "genes": {"select": "all"}}
    first = fold_of(preprocess=scaled)
    other = fold_of(
        slides={"A1": make_slide("A1", 99, scale=40.0)},
        preprocess=scaled,
    )
    assert other.fitted.target_sum != first.fitted.target_sum
    assert not np.array_equal(other.train_mean, first.train_mean)


def test_the_mean_of_training_weighs_patients_not_slides(fold_of, make_slide):
    fold = Fold(name="C", train=("A1", "A2", "B1"), test=("C1",))
    made = fold_of(cell_of(fold), slides={"A2": make_slide("A2", 7, n=100)})
    targets = [made.fitted.transform(slide) for slide in made.train]
    patient_a = np.concatenate(targets[:2]).mean(axis=0)
    np.testing.assert_allclose(made.train_mean, (patient_a + targets[2].mean(axis=0)) / 2)


def test_inputs_hold_observed_genes_and_targets_the_hidden_ones(fold_of):
    made = fold_of()
    assert set(made.genes).isdisjoint(made.task.observed_genes)
    given = made.input(made.test[0])
    assert tuple(given.units.var_names) == made.task.observed_genes
    assert made.truth(made.test[0]).values.shape == (36, len(made.genes))


def test_the_filter_is_applied_to_both_sides(fold_of, make_slide):
    def with_empty_units(name, seed):
        slide = make_slide(name, seed)
        counts = slide.counts.toarray()
        counts[:5] = 0
        from dataclasses import replace

        from scipy.sparse import csr_matrix

        return replace(
            slide,
            counts=csr_matrix(counts),
            libsize=counts.sum(axis=1).astype(float),
            n_detected=(counts > 0).sum(axis=1),
        )

    made = fold_of(
        slides={"A1": with_empty_units("A1", 0), "C1": with_empty_units("C1", 2)},
        preprocess={"filter": {"min_counts": 1, "min_genes": 1}, "genes": {"select": "svg", "n": 5}},
    )
    assert [slide.n_units for slide in (*made.train, *made.test)] == [31, 36, 31]


def test_a_side_without_units_is_told(fold_of):
    with pytest.raises(DataError, match=r"fold C: no unit of the training slides passes `preprocess.filter`"):
        fold_of(preprocess={"filter": {"min_counts": 10**6, "min_genes": 0}, "genes": {"select": "svg"}})


def test_a_fold_is_kept_until_another_is_asked(tmp_path, make_task, make_dataset, make_slide):
    spec = make_task().spec
    dataset = make_dataset([make_slide(name, seed) for seed, name in enumerate(("A1", "B1", "C1"))])
    folding = Folding(spec, REGISTRY.families["imputation"], OpenDataset(Store(tmp_path)))
    first = folding.fold(cell_of(), dataset, ())
    assert folding.fold(cell_of(seed=0), dataset, ()) is first
    other = folding.fold(cell_of(Fold(name="A", train=("B1", "C1"), test=("A1",))), dataset, ())
    assert other.test[0].meta.slide_id == "A1"
    assert folding.fold(cell_of(), dataset, ()) is not first


def test_another_seed_reaches_the_model(tmp_path, make_task, make_dataset, make_slide):
    spec = make_task().spec
    dataset = make_dataset([make_slide(name, seed) for seed, name in enumerate(("A1", "B1", "C1"))])
    folding = Folding(spec, REGISTRY.families["imputation"], OpenDataset(Store(tmp_path)))
    assert [folding.fold(cell_of(seed=seed), dataset, ()).task.seed for seed in (0, 5)] == [0, 5]


def test_within_a_slide_train_and_test_share_no_unit(fold_of, make_slide):
    params = {"block_um": 500.0, "gap_um": 100.0, "test_share": 0.3}
    fold = Fold(name="test", train=("A1", "B1"), test=("A1", "B1"), within=True, seed=1, params=params)
    slides = {name: make_slide(name, seed, n=400) for seed, name in enumerate(("A1", "B1"))}
    made = fold_of(cell_of(fold), slides=slides)
    for train, test in zip(made.train, made.test, strict=True):
        assert train.n_units
        assert test.n_units
        assert set(train.unit_names).isdisjoint(test.unit_names)


def test_variants_change_the_scale(fold_of):
    variants = {"raw": {"normalise": "log1p"}}
    preprocess = {
        "filter": ALL_UNITS,
        "normalise": "log1p_cp10k",
        "genes": {"select": "svg", "n": 5},
        "variants": variants,
    }
    assert fold_of(preprocess=preprocess).task.normalise == "log1p_cp10k"
    assert fold_of(cell_of(variant="raw"), preprocess=preprocess).task.normalise == "log1p"


def test_listed_genes(make_task, tmp_path):
    config = DatasetSpec(source="simulated")
    assert listed_genes(make_task().spec.preprocess, config, ()) is None
    named = make_task(preprocess={"genes": {"select": "list", "names": ["GENA", "GENB"]}}).spec.preprocess
    assert listed_genes(named, config, ()) == ("GENA", "GENB")
    (tmp_path / "genes.csv").write_text("gene\nGENC\nGEND\n")
    filed = make_task(preprocess={"genes": {"select": "list", "file": "genes.csv"}}).spec.preprocess
    assert listed_genes(filed, config, (tmp_path,)) == ("GENC", "GEND")


def test_listed_genes_are_named_as_the_data_set_names_them(make_task):
    old = make_task(preprocess={"genes": {"select": "list", "names": ["CTGF", "CCN2"]}}).spec.preprocess
    assert listed_genes(old, DatasetSpec(source="simulated"), ()) == ("CCN2",)
    as_they_are = DatasetSpec(source="simulated", aliases=False)
    assert listed_genes(old, as_they_are, ()) == ("CTGF", "CCN2")


def test_observed_genes_from_a_file(fold_of, tmp_path):
    (tmp_path / "panel.csv").write_text("gene\nGENA\nGENB\nABSENT1\n")
    made = fold_of(roots=(tmp_path,), imputation={"observed": {"file": "panel.csv"}})
    assert made.task.observed_genes == ("GENA", "GENB")
    assert made.counted["observed_genes_not_measured"] == 1
