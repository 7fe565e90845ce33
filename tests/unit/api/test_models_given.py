"""Which task and which models are meant."""

from __future__ import annotations

import pytest

from pytest_stbench.api.evaluating import _models, _task_path
from pytest_stbench.errors import StbenchError


class Mine:
    pass


class Named:
    name = "my model/2"


def make():
    return Mine()


NAMED, MADE = Named(), Mine()


@pytest.mark.parametrize(
    ("given", "models", "names"),
    [
        (Mine, {"Mine": Mine}, []),
        (MADE, {"Mine": MADE}, []),
        (NAMED, {"my_model_2": NAMED}, []),
        (make, {"make": make}, []),
        ("ridge", {}, ["ridge"]),
        (["ridge", NAMED, "import:a.b:c"], {"my_model_2": NAMED}, ["ridge", "import:a.b:c"]),
        ({"1st": Mine, "b": MADE}, {"model_1st": Mine, "b": MADE}, []),
    ],
)
def test_objects_are_called_by_their_names(given, models, names):
    assert _models(given) == (models, names)


def test_two_of_one_name_are_refused():
    with pytest.raises(StbenchError, match="two models are called 'Mine': give a mapping of names"):
        _models([Mine, MADE])


@pytest.mark.parametrize("given", [[], {}])
def test_no_model_is_refused(given):
    with pytest.raises(StbenchError, match="no model was given"):
        _models(given)


def test_a_task_is_a_file_or_a_shipped_one(tmp_path):
    path = tmp_path / "a.stbench.yaml"
    path.write_text("")
    assert _task_path(path) == path
    assert _task_path("smoke-imputation").name == "smoke-imputation.stbench.yaml"
    with pytest.raises(
        StbenchError, match=r"no shipped task of that name.*did you mean 'smoke-imputation'.*smoke-niches"
    ):
        _task_path("smoke-imputatoin")
