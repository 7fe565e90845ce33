from __future__ import annotations

import functools
import threading

import pytest

from pytest_stbench.errors import ModelError
from pytest_stbench.models.fresh import ModelHandle, methods
from pytest_stbench.models.probe import EmbedProbe


class Remembering:
    """A model that keeps all it was ever fitted on."""

    name = "remembering"
    revision = "1"
    input_class = "image"
    pretraining = ("HEST",)

    def __init__(self, size=1):
        self.size = size
        self.seen = []

    def fit(self, train, task):
        self.seen.extend(train)

    def predict_expression(self, slide, genes):
        return list(self.seen)


class Locked(Remembering):
    """Has `fit` and cannot be copied."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


class LockedReader:
    """Has no `fit` and cannot be copied."""

    def __init__(self):
        self.lock = threading.Lock()

    def predict_expression(self, slide, genes):
        return 1


class Embedder:
    def embed(self, slide):
        return 1


def build():
    return Remembering(size=3)


class Builder:
    def __call__(self):
        return Remembering(size=4)


SOURCES = {
    "object": lambda: Remembering(),
    "class": lambda: Remembering,
    "function": lambda: build,
    "lambda": lambda: lambda: Remembering(),
    "partial": lambda: functools.partial(Remembering, size=5),
    "callable object": lambda: Builder(),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_no_fold_sees_what_an_earlier_one_was_fitted_on(source):
    handle = ModelHandle("m", source())
    assert handle.identity.name == "remembering"
    seen = []
    for fold in ("a", "b", "c"):
        model = handle.fresh()
        model.fit([fold], None)
        seen.append(model.predict_expression(None, None))
    assert seen == [["a"], ["b"], ["c"]]


def test_the_copy_is_taken_when_the_handle_is_made():
    model = Remembering()
    handle = ModelHandle("m", model)
    model.fit(["leak"], None)
    assert handle.fresh().seen == []


def test_fresh_models_are_distinct_objects():
    handle = ModelHandle("m", Remembering())
    one, two = handle.fresh(), handle.fresh()
    assert one is not two
    assert one.seen is not two.seen


def test_facts_of_a_handle():
    handle = ModelHandle("m", Remembering)
    assert handle.methods == {"predict_expression"}
    assert (handle.input_class, handle.pretraining) == ("image", ("HEST",))
    assert handle.identity.digest == ModelHandle("other label", Remembering()).identity.digest


def test_nothing_is_built_before_it_is_needed_and_nothing_twice():
    built = []

    def factory():
        built.append(1)
        return Remembering()

    handle = ModelHandle("m", factory)
    assert built == []
    _ = handle.identity, handle.methods, handle.fresh()
    assert built == [1]
    handle.fresh()
    assert built == [1, 1]


def test_an_object_with_fit_that_cannot_be_copied_is_refused():
    with pytest.raises(
        ModelError, match=r"model 'm' \(Locked\) has `fit` .*cannot be deep-copied \(TypeError: .*lambda"
    ):
        ModelHandle("m", Locked())


def test_the_same_class_as_a_factory_is_fine():
    assert ModelHandle("m", Locked).fresh() is not ModelHandle("m", Locked).fresh()


def test_an_object_that_copies_into_itself_is_refused():
    class Selfish(Remembering):
        def __deepcopy__(self, memo):
            return self

    with pytest.raises(ModelError, match="its deep copy is the same object"):
        ModelHandle("m", Selfish())


def test_an_object_without_fit_is_used_as_it_is_when_it_cannot_be_copied():
    reader = LockedReader()
    handle = ModelHandle("m", reader)
    assert handle.fresh() is reader
    assert handle.fresh() is reader


def test_a_factory_that_returns_one_object_for_ever_is_refused():
    single = Remembering()
    handle = ModelHandle("m", lambda: single)
    handle.fresh()
    with pytest.raises(ModelError, match="returned the same Remembering twice"):
        handle.fresh()


def test_a_factory_may_share_what_cannot_be_fitted():
    reader = LockedReader()
    handle = ModelHandle("m", lambda: reader)
    assert handle.fresh() is handle.fresh() is reader


def test_models_without_weak_references_are_built_anew():
    class Slotted:
        __slots__ = ()

        def fit(self, train, task): ...
        def impute(self, slide, observed_genes, target_genes): ...

    handle = ModelHandle("m", Slotted)
    assert handle.fresh() is not handle.fresh()


class NeedsPath(Remembering):
    def __init__(self, path, *, device):
        super().__init__()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "found None: return the model from the fixture or factory"),
        ({}, "found an object of type dict"),
        (
            NeedsPath,
            r"built by NeedsPath, which needs arguments \(path, device\).*lambda: NeedsPath\(path=\.\.\.\)",
        ),
    ],
)
def test_what_is_no_model_is_refused_at_once(source, message):
    with pytest.raises(ModelError, match=message):
        ModelHandle("m", source)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (lambda: None, "found None"),
        (lambda: Remembering, "returned the class Remembering, not a model"),
        (lambda: 3, "found an object of type int"),
    ],
)
def test_a_factory_of_no_models_is_refused_when_it_is_called(factory, message):
    handle = ModelHandle("m", factory)
    with pytest.raises(ModelError, match=message):
        handle.fresh()


def test_a_misspelt_method_is_pointed_out():
    class Typo:
        def predict_expresion(self, slide, genes): ...

    with pytest.raises(ModelError, match="did you mean 'predict_expression'"):
        ModelHandle("m", Typo())


def test_what_a_constructor_raises_passes_through():
    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ModelHandle("m", broken).fresh()


def test_embed_alone_is_probed():
    handle = ModelHandle("m", Embedder())
    assert handle.methods == {"embed", "predict_expression", "impute"}
    assert isinstance(handle.fresh(), EmbedProbe)


def test_embed_beside_other_methods_is_not_probed():
    class Both(Embedder):
        def predict_labels(self, slide, classes): ...

    handle = ModelHandle("m", Both())
    assert handle.methods == {"embed", "predict_labels"}
    assert isinstance(handle.fresh(), Both)


def test_capabilities():
    assert "impute" in methods(Embedder())
    assert "segment" not in methods(Embedder())
    assert "embed" not in methods(Remembering())
    assert methods(Remembering()) == {"predict_expression"}
