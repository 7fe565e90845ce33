from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix

from pytest_stbench.adapters import Imputer
from pytest_stbench.errors import ModelError
from pytest_stbench.models import ModelHandle


def nearest(reference, slide, task):
    """The cell of the reference that is most like each unit."""
    genes = list(slide.var_names)
    seen = reference[:, genes].X.toarray()
    distance = ((slide.X.toarray()[:, None] - seen) ** 2).sum(axis=2)
    return reference.X[distance.argmin(axis=1)]


def fitted(make, train, method=nearest, task=None, **options):
    model = Imputer(method, **options)
    model.fit(train, task or make.task())
    return model


def asked(model, make, slide, genes=None):
    genes = genes or make.HIDDEN
    return model.impute(make.asked(slide), list(slide.units.var_names), list(genes))


def test_values_are_those_of_the_method_in_the_order_asked(make, train):
    slide = make.slide("s3", "p3")
    model = fitted(make, train)
    values, what = asked(model, make, slide)
    expected = nearest(model.reference, slide.units[:, list(make.OBSERVED)], None).toarray()
    assert what == "counts"
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, expected[:, [make.GENES.index(gene) for gene in make.HIDDEN]])
    backwards, _ = asked(model, make, slide, make.HIDDEN[::-1])
    np.testing.assert_array_equal(backwards, values[:, ::-1])


def as_anndata(names):
    """A method that answers by names: those of the genes given by `names`, units in another order."""

    def method(reference, slide, task):
        values = nearest(reference, slide, task).toarray()[::-1]
        var = pd.DataFrame(index=names(list(reference.var_names)))
        return AnnData(csr_matrix(values), pd.DataFrame(index=slide.obs_names[::-1]), var)

    return method


def as_frame(reference, slide, task):
    values = nearest(reference, slide, task).toarray()
    return pd.DataFrame(values, index=slide.obs_names, columns=reference.var_names)[
        list(reference.var_names)[::-1]
    ]


@pytest.mark.parametrize("method", [as_anndata(lambda names: [name.lower() for name in names]), as_frame])
def test_names_bring_rows_and_columns_back(make, train, method):
    slide = make.slide("s3", "p3")
    expected, _ = asked(fitted(make, train), make, slide)
    values, _ = asked(fitted(make, train, method), make, slide)
    np.testing.assert_array_equal(values, expected)


def test_the_method_may_change_what_it_is_given(make, train):
    def rude(reference, slide, task):
        values = nearest(reference, slide, task)
        for data in (reference, slide):
            data.var_names = [name.lower() for name in data.var_names]
            data.X.data[:] = 0
        return values

    slide = make.slide("s3", "p3")
    model, before = fitted(make, train, rude), slide.units.X.toarray()
    first, _ = asked(model, make, slide)
    again, _ = asked(model, make, slide)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(slide.units.X.toarray(), before)


def test_units_without_counts_get_the_mean_of_the_reference(make, train):
    slide = make.slide("s3", "p3", empty=(0, 7))
    model = fitted(make, train)
    values, _ = asked(model, make, slide)
    mean = model.reference[:, list(make.HIDDEN)].X.toarray().mean(axis=0)
    np.testing.assert_allclose(values[[0, 7]], np.tile(mean, (2, 1)), rtol=1e-6)
    nothing = make.slide("s4", "p3", empty=range(30))
    np.testing.assert_allclose(asked(model, make, nothing)[0], np.tile(mean, (30, 1)), rtol=1e-6)


def test_one_unit_alone_is_answered(make, train):
    assert asked(fitted(make, train), make, make.slide("s3", "p3", n=1))[0].shape == (1, 2)


def test_genes_that_a_panel_lacks_are_not_handed_on(make, train):
    seen = []

    def method(reference, slide, task):
        seen.append(list(slide.var_names))
        return nearest(reference, slide, task)

    slide = make.slide("s3", "p3")
    slide.units.var["measured"] = [name not in make.OBSERVED[:2] for name in make.OBSERVED]
    asked(fitted(make, train, method), make, slide)
    assert seen == [list(make.OBSERVED[2:])]
    slide.units.var["measured"] = [name in make.OBSERVED[:4] for name in make.OBSERVED]
    with pytest.raises(ModelError, match="has 4 of 4 genes that are observed on s3, and 5 are needed"):
        asked(fitted(make, train, method), make, slide)


def times(factor):
    return lambda reference, slide, task: nearest(reference, slide, task) * factor


@pytest.mark.parametrize("factor", [1 / 20, 20])
def test_values_on_another_scale_than_the_reference_are_an_error(make, train, factor):
    slide = make.slide("s3", "p3")
    with pytest.raises(ModelError, match=r"may grow with the number of cells .* rescale=True"):
        asked(fitted(make, train, times(factor), name="moved"), make, slide)
    model = fitted(make, train, times(factor), rescale=True)
    values, _ = asked(model, make, slide)
    assert values.mean() == pytest.approx(model.reference[:, list(make.HIDDEN)].X.mean(), rel=1e-5)


def test_values_on_the_scale_of_the_task_are_held_against_its_targets(make, train):
    def level(reference, slide, task):
        return np.full((slide.n_obs, reference.n_vars), 14.5)

    slide = make.slide("s3", "p3")
    values = asked(fitted(make, train, level, counts=False), make, slide)
    assert values.shape == (30, 2)
    with pytest.raises(ModelError, match="rescale=True"):
        asked(fitted(make, train, level), make, slide)  # as counts they would be too many


def test_wrong_answers_say_what_to_return(make, train):
    slide = make.slide("s3", "p3")

    def some(reference, slide, task):
        return pd.DataFrame(np.ones((slide.n_obs, 1)), columns=[make.HIDDEN[0]])

    with pytest.raises(ModelError, match=r"returned no values for 1 of 2 genes, the first 'hid2'"):
        asked(fitted(make, train, some), make, slide)
    with pytest.raises(ModelError, match=r"returned shape \(11, 30\), expected \(30, 11\)"):
        asked(fitted(make, train, lambda r, s, t: nearest(r, s, t).T), make, slide)
    with pytest.raises(ModelError, match=r"returned shape \(\), expected"):
        asked(fitted(make, train, lambda r, s, t: None), make, slide)


def test_values_that_are_not_finite_or_below_zero_are_left_to_the_contract(make, train):
    slide = make.slide("s3", "p3")
    for value in (np.nan, -1.0):
        answer = asked(
            fitted(make, train, lambda r, s, t, v=value: np.full((s.n_obs, r.n_vars), v)), make, slide
        )
        assert np.array_equal(answer[0], np.full((30, 2), value, dtype=np.float32), equal_nan=True)


def test_a_reference_without_asked_genes_is_an_error(make, train):
    atlas = train[0].counts[:, list(make.OBSERVED)].copy()
    atlas.obs["label"] = "kind"
    with pytest.raises(
        ModelError, match="the reference lacks 2 of 2 genes that are asked for, such as 'HID1'"
    ):
        fitted(make, train, task=make.told(make.task(), atlas))


def test_identity_is_that_of_function_and_arguments():
    handles = [
        ModelHandle("m", Imputer(nearest, revision="1", **options))
        for options in ({}, {}, {"most": 10}, {"counts": False})
    ]
    assert handles[0].digest == handles[1].digest
    assert len({handle.digest for handle in handles}) == 3
    assert handles[0].identity.name == "nearest"
    assert ModelHandle("m", Imputer(nearest)).identity is None
