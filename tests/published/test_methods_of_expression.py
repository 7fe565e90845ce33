from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest

from pytest_stbench.models import ModelHandle
from pytest_stbench.published import published

KINDS = np.arange(60) % 2
PACKAGES = {
    "tangram": ("tangram", "tangram-sc"), "moscot": ("moscot", "moscot"), "gimvi": ("scvi", "scvi-tools"),
    "spage": ("sklearn", None), "celltypist": ("celltypist", "celltypist"), "leiden": ("igraph", "igraph"),
    "decoupler": ("decoupler", "decoupler"), "squidpy_neighbourhood": ("squidpy", "squidpy"),
    "banksy": ("banksy", "pybanksy"),
}  # fmt: skip
"""What a method needs, as a module and as a distribution."""


def handle(name):
    module, distribution = PACKAGES[name]
    pytest.importorskip(module)
    made = ModelHandle(name, published(name))
    assert made.identity.name == name
    assert (
        distribution is None or f"{distribution} {metadata.version(distribution)}" in made.identity.revision
    )
    assert not made.identity.undigested
    assert made.terms.licence
    assert made.declares_pretraining
    return made


@pytest.mark.parametrize("name", ["spage", "tangram", "moscot", "gimvi"])
def test_hidden_genes_follow_the_kinds_of_units(given, name, monkeypatch):
    train, slide, task = given
    made = handle(name)
    monkeypatch.setattr("pytest_stbench.published.gimvi.EPOCHS", 30)  # of one step each: too few to learn
    model = made.fresh()
    model.fit(train, task)
    values, what = model.impute(slide, list(task.observed_genes), list(task.genes))
    assert what == "counts"
    assert values.shape == (60, 2)
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (values.std(axis=0) > 0).all()
    if name != "gimvi":
        assert abs(np.corrcoef(values[:, 0], KINDS)[0, 1]) > 0.8
    level = model.reference[:, list(task.genes)].X.mean()
    assert 1 / 3 < values.mean() / level < 3


@pytest.mark.parametrize("name", ["squidpy_neighbourhood", "celltypist", "decoupler"])
def test_classes_are_found(given, name):
    train, slide, task = given
    model = handle(name).fresh()
    model.fit(train, task)
    found = np.asarray(model.predict_labels(slide, list(task.classes)))
    assert found.shape == (60, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert ((found[:, 1] > 0.5) == KINDS).mean() > 0.9
    backwards = np.asarray(model.predict_labels(slide, ["odd", "even"]))
    np.testing.assert_allclose(backwards[:, ::-1], found, atol=1e-6)


def test_banksy_embeds_a_slide(given):
    model = handle("banksy")._make()
    found = model.embed(given[1])
    assert found.shape == (60, 20)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(model.embed(given[1]), found, atol=1e-4)


def test_leiden_finds_as_many_clusters_as_asked(given):
    model = handle("leiden")._make()
    assert [len(set(model.cluster(given[1], n))) for n in (2, 3)] == [2, 3]
    kinds = model.cluster(given[1], 2)
    assert max((kinds == KINDS).mean(), (kinds != KINDS).mean()) > 0.9
