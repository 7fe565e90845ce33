from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench import __version__
from pytest_stbench.spec.numbers import NUMBERS
from pytest_stbench.store import keys
from pytest_stbench.store.keys import cell_key, code_version, source_digest
from pytest_stbench.store.store import Store, StoreWarning

PARTS = {
    "task": {"name": "t", "version": 1},
    "dataset": "sha",
    "train": ["a", "b"],
    "test": ["c"],
    "seed": 0,
    "model": "digest",
    "genes": ["EPCAM", "KRT7"],
}
KEY = cell_key(PARTS)
VALUES = {"slide/1 ä": np.arange(6, dtype=np.float32).reshape(3, 2), "b": np.ones((1, 2), np.float32)}


JSON_PARTS = st.fixed_dictionaries(
    {
        "task": st.dictionaries(
            st.sampled_from(["name", "normalise"]), st.integers(0, 2) | st.text(max_size=2)
        ),
        "dataset": st.sampled_from(["x", "y"]),
        "train": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "test": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "seed": st.integers(0, 2),
        "model": st.sampled_from(["revision 1", "revision 2"]),
        "genes": st.lists(st.sampled_from(["A", "B"]), max_size=2),
    }
)


@settings(deadline=None, max_examples=50)
@given(JSON_PARTS, JSON_PARTS)
def test_two_cells_share_a_key_only_when_all_their_parts_are_equal(one, two):
    assert (cell_key(one) == cell_key(two)) == (one == two)


@pytest.mark.parametrize(
    "change",
    [{"model": "other revision"}, {"seed": 1}, {"train": ["a"]}, {"test": ["b"]}, {"dataset": "sha2"},
     {"genes": ["KRT7", "EPCAM"]}, {"task": {"name": "t", "version": 2}}, {"blocks": 3}],
)  # fmt: skip
def test_a_prediction_is_never_served_for_another_cell(tmp_path, change):
    assert Store(tmp_path).save(KEY, VALUES, {})
    assert Store(tmp_path).load(cell_key({**PARTS, **change})) is None


def test_a_prediction_is_never_served_for_another_code_version(tmp_path, monkeypatch):
    assert Store(tmp_path).save(KEY, VALUES, {})
    monkeypatch.setattr(keys, "code_version", lambda: "0.0.0+other")
    assert Store(tmp_path).load(cell_key(PARTS)) is None


def test_a_prediction_is_never_served_for_other_numbers(tmp_path, monkeypatch):
    assert Store(tmp_path).save(KEY, VALUES, {})
    monkeypatch.setattr(keys, "NUMBERS", NUMBERS + 1)
    monkeypatch.setattr(keys, "code_version", code_version.__wrapped__)
    assert Store(tmp_path).load(cell_key(PARTS)) is None
    monkeypatch.setattr(keys, "NUMBERS", NUMBERS)
    assert Store(tmp_path).load(cell_key(PARTS)) is not None


def test_a_file_under_another_cells_name_is_not_served(tmp_path):
    held = Store(tmp_path)
    assert held.save(KEY, VALUES, {})
    path = held._prediction(KEY)
    other = cell_key({**PARTS, "seed": 1})
    target = Store(tmp_path)._prediction(other)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(path.read_bytes())
    with pytest.warns(StoreWarning, match=f"it is the record of {KEY}"):
        assert Store(tmp_path).load(other) is None


@pytest.mark.parametrize("missing", sorted(PARTS))
def test_a_key_needs_all_its_parts(missing):
    with pytest.raises(ValueError, match=f"the key of a prediction needs {missing}"):
        cell_key({name: value for name, value in PARTS.items() if name != missing})


def test_code_version_follows_the_sources(tmp_path):
    (tmp_path / "data" / "readers").mkdir(parents=True)
    source = tmp_path / "data" / "readers" / "x.py"
    source.write_text("a = 1\n")
    (tmp_path / "report.py").write_text("")
    first = source_digest(tmp_path, ["data"])
    (tmp_path / "report.py").write_text("changed")
    assert source_digest(tmp_path, ["data"]) == first
    source.write_text("a = 2\n")
    second = source_digest(tmp_path, ["data"])
    source.rename(source.with_name("y.py"))
    assert len({first, second, source_digest(tmp_path, ["data"])}) == 3


def test_code_version_covers_what_shapes_predictions(monkeypatch):
    asked = []
    monkeypatch.setattr(keys, "source_digest", lambda *arguments: asked.append(arguments) or "digest")
    assert code_version.__wrapped__() == f"{__version__}+numbers.{NUMBERS}+digest"
    assert code_version.__wrapped__("metrics") == f"{code_version()}+digest", "beside the code of all keys"
    package = Path(keys.__file__).parents[1]
    assert asked == [(package, keys.SHAPING), (package, ("metrics",))]
    assert {"data", "preprocess", "families", "baselines", "models", "kernels"} <= set(keys.SHAPING)
    assert all((asked[0][0] / name / "__init__.py").exists() for name in keys.SHAPING)


def test_code_version_is_stable_within_a_process():
    assert code_version() == code_version()
