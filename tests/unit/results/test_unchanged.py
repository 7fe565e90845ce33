"""A file that is as it was written is read fast, and to the same records; any other one is judged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from pytest_stbench.errors import ResultsError
from pytest_stbench.results import (
    ModelRecord,
    Results,
    load,
    load_pooled,
    pooled as pooled_module,
    save,
    schema as schema_module,
)
from pytest_stbench.results.unchanged import is_unchanged, with_digest

from ...large_results import large_results  # noqa: TID252  # of the tests alone, which no package has

CONTENT = json.dumps({"a": "µ", "b": [1, 2.5]}, indent=1, ensure_ascii=False).encode() + b"\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run.json"
    save(path, large_results(2, 2, metrics=("spearman_gene", "rmse")))
    return path


def test_the_digest_is_a_key_of_the_same_mapping():
    sealed = with_digest(CONTENT)
    data = json.loads(sealed)
    assert len(data.pop("sha256")) == 64
    assert data == json.loads(CONTENT)
    assert is_unchanged(sealed)
    assert not is_unchanged(CONTENT)
    assert not is_unchanged(b"")


@given(st.integers(0, len(with_digest(CONTENT)) - 1), st.integers(1, 255))
def test_any_byte_that_differs_is_seen(at, by):
    sealed = bytearray(with_digest(CONTENT))
    sealed[at] = (sealed[at] + by) % 256
    assert not is_unchanged(bytes(sealed))


def test_what_is_read_fast_is_what_is_read_in_full(path):
    fast, whole = load_pooled(path), load(path)
    assert fast.scores == tuple(score for score in whole.scores if score.fold is None)
    assert {len(score.per_patient) for score in fast.scores} == {6}
    for name in ("models", "tasks", "datasets", "lock", "contamination", "run", "earlier_runs", "kept"):
        assert getattr(fast, name) == getattr(whole, name), name
        assert repr(getattr(fast, name)) == repr(getattr(whole, name)), name
    assert fast.digests == whole.digests
    assert fast.verdicts == fast.checks == ()


def test_an_unchanged_file_is_not_judged_anew(path, monkeypatch):
    def never(results):
        raise AssertionError("judged")

    monkeypatch.setattr(schema_module, "mistakes", never)
    load(path)
    monkeypatch.setattr(pooled_module, "load", never)
    load_pooled(path)


@pytest.mark.parametrize("read", [load, load_pooled])
def test_an_edited_value_is_found_with_its_place(path, read):
    data = json.loads(path.read_text())
    data["scores"][1]["value"] += 0.1
    path.write_text(json.dumps(data, indent=1))
    with pytest.raises(ResultsError, match=r"scores\[1\] .*changed after it was written"):
        read(path)


@pytest.mark.parametrize("read", [load, load_pooled])
@pytest.mark.parametrize("older", [False, True])
def test_another_layout_and_older_files_are_read(path, read, older):
    expected = read(path)
    data = json.loads(path.read_text())
    if older:
        del data["sha256"]
    path.write_text(json.dumps(data, sort_keys=True))
    assert read(path) == expected


def test_a_field_of_a_later_version_is_said_by_the_full_reader(path):
    data = json.loads(path.read_text())
    del data["sha256"]
    data["scores"][0]["later"] = 1
    path.write_bytes(with_digest(json.dumps(data, indent=1).encode() + b"\n"))
    with pytest.raises(ResultsError, match=r"scores\.0\.later"):
        load_pooled(path)


def test_saving_again_makes_a_digest_of_what_is_there_then(path):
    before = load(path)
    save(path, Results(models=(ModelRecord(name="another"),)))
    assert is_unchanged(path.read_bytes())
    assert load(path).sha256 != before.sha256
