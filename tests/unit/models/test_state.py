"""What a model was built with decides whose prediction it is given."""

from __future__ import annotations

import functools
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.models.fresh import ModelHandle
from pytest_stbench.models.identity import identity
from pytest_stbench.models.state import state_of
from pytest_stbench.registry import load_target
from pytest_stbench.run.installed import builtin_registry


class Model:
    name = "mine"
    revision = "1"

    def __init__(self, value=None, **further):
        self.value = value
        vars(self).update(further)

    def impute(self, slide, observed_genes, target_genes): ...


@dataclass
class Inner:
    sizes: tuple = (1, 2)
    rate: float = 0.5


@dataclass
class Outer:
    inner: Inner = field(default_factory=Inner)
    labels: dict = field(default_factory=dict)


class Slotted:
    __slots__ = ("size",)

    def __init__(self, size):
        self.size = size


class Weighted:
    """Looks like a module of a framework: weights, settings, parts, and hooks that have no digest."""

    def __init__(self, weight, rate=0.5, parts=None):
        self.rate = rate
        self._weight = np.asarray(weight, np.float32)
        self._hooks = [lambda: None]
        self._modules = parts or {}

    def state_dict(self):
        return OrderedDict(weight=self._weight)


class Tensor:
    """Looks like a tensor on a device; `numpy` is only for some kinds."""

    def __init__(self, values, dtype="float32"):
        self.values, self.dtype = np.asarray(values, np.float32), dtype
        self.cookie = lambda: None

    def detach(self):
        return self

    cpu = detach

    def float(self):
        return Tensor(self.values)

    def numpy(self):
        if self.dtype == "bfloat16":
            raise TypeError
        return self.values


def digest(value):
    found = identity(Model(value))
    assert not found.undigested
    return found.digest


def masked(mask):
    return np.ma.MaskedArray([1.0, 2.0], mask=mask)


DIFFERENT = {
    "numbers": (1, 2),
    "float and its successor": (0.1, np.nextafter(0.1, 1)),
    "text": ("a", "b"),
    "number and text": (1, "1"),
    "number and truth": (1, True),
    "nothing and text": (None, "None"),
    "order of a list": ([1, 2], [2, 1]),
    "nesting": ([[1], 2], [1, [2]]),
    "text that looks like a list": (["a", "b"], ['a","b']),
    "values of a dictionary": ({"a": 1}, {"a": 2}),
    "keys of a dictionary": ({1: "a"}, {"1": "a"}),
    "sets": ({1, 2}, {1, 3}),
    "float32 arrays": (np.zeros(3, np.float32), np.float32([0, 0, 1e-45])),
    "shape of an array": (np.zeros((2, 3)), np.zeros((3, 2))),
    "kind of an array": (np.zeros(2, np.float32), np.zeros(2, np.int32)),
    "arrays of objects": (np.array(["a", None], object), np.array(["b", None], object)),
    "masks": (masked([0, 1]), masked([1, 0])),
    "nested dataclasses": (Outer(), Outer(inner=Inner(sizes=(1, 3)))),
    "slots": (Slotted(1), Slotted(2)),
    "functions": (np.mean, np.median),
    "ufuncs": (np.tanh, np.exp),
    "methods": ([1].count, [2].count),
    "arguments of a partial": (functools.partial(max, 1), functools.partial(max, 2)),
    "generators": (np.random.default_rng(0), np.random.default_rng(1)),
    "big numbers": (10**5000, 10**5000 + 1),
    "relative paths": (Path("a/b.pt"), Path("a/c.pt")),
    "weights": (Weighted([1, 2]), Weighted([1, 3])),
    "settings beside weights": (Weighted([1]), Weighted([1], rate=0.1)),
    "kinds of parts": (Weighted([1], parts={"act": Inner()}), Weighted([1], parts={"act": Outer()})),
    "settings of parts": (
        Weighted([1], parts={"drop": Weighted([], 0.1)}),
        Weighted([1], parts={"drop": Weighted([], 0.2)}),
    ),
    "tensors": (Tensor([1, 2]), Tensor([1, 3])),
    "kinds of tensors": (Tensor([1]), Tensor([1], "bfloat16")),
}


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_has_another_identity(pair):
    one, two = pair
    assert digest(one) != digest(two)
    assert digest({"deep": [one]}) != digest({"deep": [two]})


EQUAL = {
    "order of keys": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "numpy and Python numbers": ([np.float64(0.5), np.int64(3), np.bool_(True)], [0.5, 3, True]),
    "numbers alone": ([1, np.int64(-2), np.float64(0.1)], [1, -2, 0.1]),
    "float32 and the number it is": (np.float32(0.1), float(np.float32(0.1))),
    "nan": (float("nan"), np.float64("nan")),
    "layout of an array": (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
    "empty arrays": (np.zeros((0, 3)), np.zeros((0, 3))),
    "sets": ({"a", "b", "c"}, {"c", "b", "a"}),
    "nested dataclasses": (Outer(), Outer()),
    "weights": (Weighted([1, 2]), Weighted([1, 2])),
    "tensors": (Tensor([1, 2], "bfloat16"), Tensor([1, 2], "bfloat16")),
    "generators": (np.random.default_rng(0), np.random.default_rng(0)),
    "absolute paths": (Path("/a/b/c.pt"), Path("/x/d.pt")),
    "absolute paths as text": ("/a/b/c.pt", r"C:\x\y\c.pt"),
    "devices": ("cuda:0", "cuda:1"),
}  # fmt: skip


@pytest.mark.parametrize("pair", EQUAL.values(), ids=EQUAL)
def test_what_is_equal_hits(pair):
    one, two = pair
    assert digest(one) == digest(two)
    assert digest([one]) == digest([two])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(deadline=None, max_examples=100)
@given(VALUES, VALUES)
def test_equal_only_where_values_are(one, two):
    assert digest(one) == digest(one)
    # repr tells 1 from True and 0.0 from -0.0; keys in another order are the same dictionary.
    if digest(one) == digest(two) and not any(
        mark in repr((one, two)) for mark in ("cuda", "cpu", "mps", "/", ":\\")
    ):
        assert sorted(repr(one)) == sorted(repr(two))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda: 1, r"value \(.*<lambda>\)"),
        ({"a": [lambda: 1]}, r"value\['a'\]\[0\] \(.*<lambda>\)"),
        (threading.Lock(), r"value \(lock\)"),
        (Outer(labels={"x": threading.Lock()}), r"value\.labels\['x'\] \(lock\)"),
        ((i for i in range(3)), r"value \(generator\)"),
    ],
)
def test_what_has_no_digest_is_named(value, said):
    (found,) = state_of(Model(value, size=3)).undigested
    assert re.fullmatch(said, found), found


def test_an_open_file_has_no_digest(tmp_path):
    with (tmp_path / "x").open("w") as file:
        assert state_of(Model(file)).undigested == ("value (TextIOWrapper)",)


def test_what_getstate_leaves_out_does_not_count():
    class Leaves(Model):
        def __getstate__(self):
            return {key: value for key, value in vars(self).items() if key != "lock"}

    found = state_of(Leaves(1, lock=threading.Lock()))
    assert found.undigested == ()
    assert found.attributes != state_of(Leaves(2, lock=threading.Lock())).attributes


def test_a_value_that_contains_itself_has_a_digest():
    def ring(number):
        made = [number]
        made.append(made)
        return made

    assert digest(ring(1)) == digest(ring(1)) != digest(ring(2))
    me = Model()
    me.value = me
    assert not state_of(me).undigested


def test_what_is_nested_too_deep_is_named():
    deep = []
    for _ in range(10_000):
        deep = [deep]
    (found,) = state_of(Model(deep)).undigested
    assert found.endswith("(nested more than 100 deep)")


def test_fit_does_not_change_the_identity_of_a_handle():
    class Fitted(Model):
        log: ClassVar[list] = []

        def fit(self, train, task):
            self.value = train
            self.log.append(train)

    for source in (Fitted, lambda: Fitted(), Fitted()):
        handle = ModelHandle("m", source)
        before = handle.digest
        for _ in range(2):
            handle.fresh().fit([1], None)
        assert handle.identity.digest == before
        assert ModelHandle("m", source).digest == before


def test_classes_that_a_function_makes_are_told_apart():
    def model(width, layers):
        class Made(Model):
            size = width
            sizes = layers

        return Made

    one = identity(model(1, [1])()).digest
    assert one == identity(model(1, [1])()).digest
    assert one != identity(model(2, [1])()).digest
    assert one != identity(model(1, [2])()).digest


def test_names_of_files_are_kept_beside():
    found = identity(Model({"w": "/a/b/one.pt"}, cache=Path("/tmp/x")))
    assert found.beside["paths"] == {"value['w']": "one.pt", "cache": "x"}
    assert found.beside["source"] == identity(Model(2)).source != ""


@pytest.mark.parametrize(
    "record", [r for r in builtin_registry().baselines if r.kind == "model"], ids=lambda r: r.name
)
def test_predictions_of_every_baseline_can_be_kept(record):
    handle = ModelHandle(record.name, load_target(record.target))
    assert handle.identity.undigested == ()
    assert handle.digest == ModelHandle(record.name, load_target(record.target)).digest


def scaled(by):
    def wrap(function):
        @functools.wraps(function)
        def inner(value):
            return function(value) * by

        return inner

    return wrap


def plain(value):
    return value


class Bag(list):
    pass


def bag(size):
    made = Bag([1])
    made.size = size
    return made


def made_class(width):
    class Layer:
        size = width

    return Layer


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (bag(1), bag(2)),
        (made_class(1), made_class(2)),
        (made_class(1)(), made_class(2)()),
        (Weighted([1], parts={"a": Inner(rate=1)}), Weighted([1], parts={"a": Inner(rate=2)})),
    ],
)
def test_what_a_name_alone_would_hide(one, two):
    assert digest(one) != digest(two)


def test_private_attributes_of_a_module_count_and_its_hooks_do_not():
    one, two = Weighted([1]), Weighted([1])
    assert digest(one) == digest(two)
    two._temperature = 2.0
    assert digest(one) != digest(two)


@pytest.mark.parametrize(
    "value", [scaled(2)(plain), np.frompyfunc(lambda x: x, 1, 1)], ids=["decorated", "frompyfunc"]
)
def test_a_function_that_its_name_does_not_lead_to_has_no_digest(value):
    (found,) = state_of(Model(value)).undigested
    assert found.startswith("value (")


def test_what_raises_while_it_is_read_is_named():
    class Broken(dict):
        def __iter__(self):
            raise RuntimeError

    assert state_of(Model(Broken(a=1))).undigested == ("value (RuntimeError while it was read)",)


def test_what_a_class_keeps_for_itself_does_not_change_its_identity():
    class Lazy(Model):
        _weights = None
        size = 1

    before = identity(Lazy()).digest
    Lazy._weights = np.ones(3)
    Lazy._further = [1]
    assert identity(Lazy()).digest == before
    Lazy.size = 2
    assert identity(Lazy()).digest != before


def test_settings_of_a_class_count_whatever_their_kind():
    def model(rate):
        class Made(Model):
            settings = Inner(rate=rate)

        return Made()

    assert identity(model(1)).digest == identity(model(1)).digest != identity(model(2)).digest
