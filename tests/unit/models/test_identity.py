from __future__ import annotations

import json
import math
from enum import StrEnum
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.errors import ModelError
from pytest_stbench.models.identity import canonical_json, identity, input_class, pretraining

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


def named(**attributes):
    return SimpleNamespace(**{"name": "mine", "revision": "1", **attributes})


@pytest.mark.parametrize("missing", ["name", "revision"])
@pytest.mark.parametrize("value", [None, ""])
def test_name_and_revision_are_needed(missing, value):
    assert identity(named(**{missing: value})) is None


def test_a_plain_object_has_no_identity():
    assert identity(object()) is None


def test_identity_holds_what_the_model_says():
    found = identity(named(config={"layers": 4, "sizes": (1, 2.5)}, pretraining=["HEST", "TCGA"]))
    assert (found.name, found.revision) == ("mine", "1")
    assert found.config == {"layers": 4, "sizes": [1, 2.5]}
    assert found.pretraining == ("HEST", "TCGA")


def test_identity_is_a_snapshot_of_the_configuration():
    config = {"sizes": [1]}
    found = identity(named(config=config))
    before = found.digest
    config["sizes"].append(2)
    assert found.digest == before


@pytest.mark.parametrize("change", [{"name": "other"}, {"revision": "2"}, {"config": {"a": 1}}])
def test_digest_depends_on_name_revision_and_config(change):
    assert identity(named()).digest != identity(named(**change)).digest


def test_digest_does_not_depend_on_pretraining_or_order_of_config():
    one = identity(named(config={"a": 1, "b": 2}, pretraining=("HEST",)))
    two = identity(named(config={"b": 2, "a": 1}))
    assert one.digest == two.digest


def test_a_subclass_that_inherits_name_and_revision_is_another_model():
    class Base:
        name = "mine"
        revision = "1"

    class Ablation(Base):
        pass

    assert identity(Base()).digest != identity(Ablation()).digest


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(), JSON), st.dictionaries(st.text(), JSON))
def test_two_configurations_share_a_digest_only_when_they_are_one_text(a, b):
    one, two = identity(named(config=a)), identity(named(config=b))
    assert (one.digest == two.digest) == (canonical_json(a) == canonical_json(b))
    assert json.loads(canonical_json(one.config)) == json.loads(json.dumps(a))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"path": Path("x")}, r"config\['path'\] of the model is .*not JSON-serialisable.*str\(\)"),
        ({"a": {"b": [np.zeros(2)]}}, r"config\['a'\]\['b'\]\[0\] of the model is array.*\.tolist\(\)"),
        ({"a": np.int64(3)}, r"\(int64\).*int\(\)"),
        ({"a": math.nan}, r"config\['a'\] of the model is nan"),
        ({"a": math.inf}, r"config\['a'\] of the model is inf"),
        ({"a": {1, 2}}, r"\(set\)"),
        ({1: "a"}, r"config\[1\] of the model has a key that is not a string \(int\): write '1'"),
        ({"a": {2: "b"}}, r"config\['a'\]\[2\] of the model has a key that is not a string"),
        (["a"], r"`config` of the model must be a mapping, found list"),
    ],
)
def test_config_that_is_not_json_is_refused(config, message):
    with pytest.raises(ModelError, match=message):
        identity(named(config=config))


def test_config_that_contains_itself_is_refused():
    config = {}
    config["me"] = config
    with pytest.raises(ModelError, match="contains itself"):
        identity(named(config={"a": config}))


def test_a_value_that_stands_twice_is_fine():
    shared = [1]
    assert identity(named(config={"a": shared, "b": shared})).config == {"a": [1], "b": [1]}


def test_subclasses_of_plain_types_become_plain():
    class Size(StrEnum):
        SMALL = "small"

    config = identity(named(config={"size": Size.SMALL, "rate": np.float64(0.5)})).config
    assert [type(value) for value in config.values()] == [str, float]
    assert config == {"size": "small", "rate": 0.5}


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"revision": 3}, r"`revision` of the model must be a string, found 3 \(int\).*revision = '3'"),
        ({"name": len}, r"`name` of the model must be a string"),
        ({"pretraining": "HEST"}, r"`pretraining`.* found 'HEST': write"),
        ({"pretraining": [1]}, r"`pretraining`.* found \[1\]"),
        ({"pretraining": 1}, r"`pretraining`.* found 1"),
    ],
)
def test_attributes_of_the_wrong_kind_are_refused(attributes, message):
    with pytest.raises(ModelError, match=message):
        identity(named(**attributes))


def test_pretraining_and_input_class_without_identity():
    model = SimpleNamespace(pretraining={"b", "a"}, input_class="image")
    assert pretraining(model) == ("a", "b")
    assert input_class(model) == "image"
    assert (pretraining(object()), input_class(object())) == ((), None)


def test_the_text_of_a_class_is_read_once(monkeypatch):
    class Model:
        name, revision = "mine", "1"

    read = []
    monkeypatch.setattr("inspect.getsource", lambda kind: read.append(kind) or "text")
    assert identity(Model()).source == identity(Model()).source != ""
    assert read == [Model]
