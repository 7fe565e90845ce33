from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from pytest_stbench.errors import ModelError
from pytest_stbench.models import fresh
from pytest_stbench.models.fresh import entry_point_names, import_model, load_entry_point


@pytest.fixture
def lab(tmp_path, monkeypatch):
    package = tmp_path / "stbench_test_lab"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "models.py").write_text("class Model:\n    small = 'small model'\n")
    (package / "needs.py").write_text("import a_package_that_nobody_has\n")
    (package / "broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "stbench_test_lab"
    for name in [name for name in sys.modules if name.startswith("stbench_test_lab")]:
        del sys.modules[name]


@pytest.mark.parametrize("prefix", ["import:", ""])
def test_an_attribute_is_imported(lab, prefix):
    assert import_model(f"{prefix}{lab}.models:Model").__name__ == "Model"


def test_an_attribute_may_be_dotted(lab):
    assert import_model(f"import:{lab}.models:Model.small") == "small model"


@pytest.mark.parametrize(
    "reference", ["", "a", "a:", ":b", "a b:c", "a:b:c", "../x:y", "import:", "import:a:"]
)
def test_a_malformed_reference_is_refused(reference):
    with pytest.raises(ModelError, match=r"does not name a model: write import:PACKAGE\.MODULE:ATTRIBUTE"):
        import_model(reference)


@pytest.mark.parametrize(
    ("reference", "missing"),
    [
        ("import:no_such_package.models:M", "no_such_package"),
        ("import:stbench_test_lab.modles:M", "stbench_test_lab.modles"),
        ("import:stbench_test_lab.models.deeper:M", "stbench_test_lab.models.deeper"),
    ],
)
def test_a_missing_module_is_named(lab, reference, missing):
    with pytest.raises(ModelError, match=f"there is no module '{missing}' .*PYTHONPATH"):
        import_model(reference)


def test_a_missing_attribute_is_named_with_the_nearest(lab):
    with pytest.raises(
        ModelError, match=r"stbench_test_lab\.models has no attribute 'Modle'; did you mean 'Model'"
    ):
        import_model(f"import:{lab}.models:Modle")


def test_exceptions_inside_the_users_module_are_theirs(lab):
    with pytest.raises(ZeroDivisionError):
        import_model(f"import:{lab}.broken:Model")
    with pytest.raises(ModuleNotFoundError, match="a_package_that_nobody_has"):
        import_model(f"import:{lab}.needs:Model")


@pytest.fixture
def offered(monkeypatch):
    def offer(*pairs):
        entries = [EntryPoint(name=name, value=value, group=fresh.ENTRY_POINT_GROUP) for name, value in pairs]

        def entry_points(*, group, name=None):
            assert group == "pytest_stbench.models"
            return [entry for entry in entries if name in (None, entry.name)]

        monkeypatch.setattr(fresh.metadata, "entry_points", entry_points)

    return offer


def test_entry_points_are_listed_without_loading(offered):
    offered(("b", "no.such:Thing"), ("a", "neither.this:Thing"))
    assert entry_point_names() == ("a", "b")


def test_an_entry_point_is_loaded(lab, offered):
    offered(("mine", f"{lab}.models:Model [gpu]"))
    assert load_entry_point("mine").__name__ == "Model"


def test_an_unknown_entry_point_is_refused_with_the_nearest(offered):
    offered(("uni_probe", "x:y"))
    with pytest.raises(
        ModelError, match=r"offers a model 'uni_prob' .*uni_probe\).*did you mean 'uni_probe'"
    ):
        load_entry_point("uni_prob")


def test_two_packages_with_one_name_are_refused(offered):
    offered(("mine", "b:y"), ("mine", "a:x"))
    with pytest.raises(ModelError, match=r"several installed packages offer a model 'mine' \(a:x, b:y\)"):
        load_entry_point("mine")
