from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_stbench.models.protocol import (
    PREDICTION_METHODS,
    Embeds,
    HasFit,
    Imputes,
    PredictsExpression,
    has_fit,
    prediction_methods,
)


class Everything:
    def fit(self, train, task): ...
    def predict_expression(self, slide, genes): ...
    def impute(self, slide, observed_genes, target_genes): ...
    def embed(self, slide): ...


class Nothing:
    embed = None
    fit = 3


def test_methods_of_an_object_and_of_its_class():
    expected = {"predict_expression", "impute", "embed"}
    assert prediction_methods(Everything()) == expected
    assert prediction_methods(Everything) == expected
    assert has_fit(Everything())


def test_attributes_that_cannot_be_called_are_no_methods():
    assert prediction_methods(Nothing()) == frozenset()
    assert not has_fit(Nothing())


@pytest.mark.parametrize("protocol", [HasFit, PredictsExpression, Imputes, Embeds])
def test_protocols_can_be_asked_for(protocol):
    assert isinstance(Everything(), protocol)
    assert not isinstance(object(), protocol)


def test_the_table_of_the_contract_is_complete():
    assert set(PREDICTION_METHODS) == {
        "predict_expression",
        "predict_signature",
        "predict_labels",
        "predict_proportions",
        "segment",
        "impute",
        "cluster",
        "embed",
    }


def test_what_collection_needs_imports_no_array_library():
    code = (
        "import sys, pytest_stbench.models, pytest_stbench.models.protocol, pytest_stbench.models.fresh, "
        "pytest_stbench.models.identity, pytest_stbench.models.fresh\n"
        "print(sorted({'numpy', 'pandas', 'scipy', 'anndata'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_public_names_are_loaded_on_demand():
    import pytest_stbench.models as models

    assert {name: getattr(models, name).__name__ for name in models.__all__} == {n: n for n in models.__all__}
    with pytest.raises(AttributeError, match="attribute nothing"):
        _ = models.nothing
