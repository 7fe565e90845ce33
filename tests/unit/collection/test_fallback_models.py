"""What a bare name of a model stands for where a plugin has a fixture of that name."""

from __future__ import annotations

from types import ModuleType

import pytest

from pytest_stbench.collection import model_choice

TEST = """
def test_models(leiden, nobody):
    assert (leiden, nobody) == ("of a plugin", "bare nobody")
"""


def test_a_fixture_of_a_plugin_comes_before_a_published_method(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_PLUGINS", raising=False)
    monkeypatch.setattr(model_choice, "resolve_bare", "bare {}".format)
    early, late = ModuleType("early_models"), ModuleType("late_models")
    early.leiden = pytest.fixture(lambda: "of a plugin", name="leiden")
    late.leiden, late.nobody = map(model_choice._fallback, ("leiden", "nobody"))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_of_names.py").write_text(TEST)
    given = ["-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path / "test_of_names.py"]
    assert pytest.main([*map(str, given)], plugins=[early, late]) == 0
