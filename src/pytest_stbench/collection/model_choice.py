"""``--stbench-model``: which fixture, baseline, entry point or import path is scored."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.errors import ModelError
from pytest_stbench.registry import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIXES = ("fixture", "baseline", "import", "predictions", "published")
ENTRY_POINT_GROUP = "pytest_stbench.models"
FOLDERS: pytest.StashKey[dict[str, Any]] = pytest.StashKey()


@dataclass(frozen=True, slots=True)
class BaselineChoice:
    """A built-in baseline in the place of a model."""

    name: str


@dataclass(frozen=True, slots=True)
class NoModel:
    """Why there is no model; every item that needs one is blocked by this one cause."""

    cause: str
    message: str


NOT_GIVEN = NoModel(
    "no model",
    "no model was given: add --stbench-model=NAME (a fixture of yours, a baseline such as ridge, a published "
    "method such as tangram, an entry point or import:PACKAGE.MODULE:ATTRIBUTE), or run the data checks "
    "alone with -m stbench_check",
)


def split_choice(text: str) -> tuple[str, str]:
    """Return (form, name) of one ``--stbench-model`` value; a bare name has the form ``name``."""
    form, colon, rest = text.partition(":")
    if colon and form in PREFIXES:
        return form, rest
    return "name", text


def resolve_bare(name: str) -> Any:
    """Return what a bare NAME stands for where no fixture has that name."""
    from importlib import metadata

    from pytest_stbench.models.fresh import load_entry_point
    from pytest_stbench.published import names, published
    from pytest_stbench.registry import SIMPLE
    from pytest_stbench.run.installed import builtin_registry

    baselines = builtin_registry().baselines
    if name == SIMPLE or name in baselines:
        return BaselineChoice(name)
    entries = [entry.name for entry in metadata.entry_points(group=ENTRY_POINT_GROUP)]
    if name in entries:
        return _loaded(load_entry_point, name)
    if name.partition(":")[0] in names():
        return _loaded(published, name)
    # Diagnostics and controls see the truth or another model: they are never offered as a model.
    known = [SIMPLE, *(record.name for record in baselines if record.kind == "model"), *entries, *names()]
    return NoModel(
        f"unknown model {name}",
        f"--stbench-model={name}: there is no fixture, baseline, entry point or published method of that "
        f"name{nearest(name, known)}. Define a fixture {name!r} in a conftest.py beside or above the task "
        f"file, or choose one of: {', '.join(known)}",
    )


def resolve_explicit(form: str, name: str) -> Any:
    """Return what ``baseline:NAME``, ``published:NAME`` or ``import:PATH`` stands for."""
    from pytest_stbench.models.fresh import import_model
    from pytest_stbench.published import published

    if form == "baseline":
        return BaselineChoice(name)
    return _loaded(published if form == "published" else import_model, name)


def _folder(config: pytest.Config, name: str) -> Any:
    """Return the predictions in a folder, the same for all items."""
    from pytest_stbench.collection.session import runner_of
    from pytest_stbench.models.predictions import PredictionFolder

    known = config.stash.setdefault(FOLDERS, {})
    if name not in known:
        checksums = runner_of(config).checksums
        known[name] = _loaded(lambda folder: PredictionFolder(Path(folder), checksums), name)
    return known[name]


def _loaded(load: Callable[[str], Any], name: str) -> Any:
    from pytest_stbench.calls.tracebacks import user_traceback

    try:
        return load(name)
    except ModelError as error:
        return NoModel(f"model {name}", str(error))
    except Exception as error:  # noqa: BLE001  # a user's module may raise anything
        what = f"importing it raised {type(error).__name__}: {error}".partition("\n")[0]
        return NoModel(f"model {name}", f"{what}\n{user_traceback(error)}")


def register_fallbacks(config: pytest.Config) -> None:
    """Register, for every bare name, a fixture that a fixture of the user's conftest shadows."""
    _refuse_same_labels(config.getoption("stbench_model"))
    module = ModuleType("pytest_stbench_fallback_models")
    for text in config.getoption("stbench_model"):
        form, name = split_choice(text)
        if form == "name" and name.isidentifier():
            setattr(module, f"fallback_{name}", _fallback(name))
    config.pluginmanager.register(module, "stbench-fallback-models")


def _refuse_same_labels(choices: list[str]) -> None:
    """Two models of one name could not be told apart in ids and results."""
    seen: dict[str, str] = {}
    for choice in choices:
        label = model_label(choice)
        if label in seen:
            raise pytest.UsageError(
                f"--stbench-model={seen[label]} and --stbench-model={choice} are both called {label!r} in "
                "ids and results: give one of them another name, for example by a fixture, or run them apart"
            )
        seen[label] = choice


def _fallback(name: str) -> Any:
    @pytest.fixture(name=name)
    def fallback(request: pytest.FixtureRequest) -> Any:
        """The model that --stbench-model names, unless a fixture of a conftest.py or plugin has its name."""
        try:
            return request.getfixturevalue(name)  # that of a plugin, which this one shadows
        except pytest.FixtureLookupError as error:
            if error.argname != name:
                raise
            return resolve_bare(name)

    return fallback


def model_fixture(choices: list[str]) -> Any:
    """Return the fixture ``stbench_model`` of a task module.

    One choice by name is a static dependency, so that every scope and parametrisation of the
    user's fixture works; several are looked up by name when an item runs.
    """
    if not choices:
        return _made_by(lambda config: NOT_GIVEN)  # noqa: ARG005
    if len(choices) > 1:
        return _one_of_several()
    form, name = split_choice(choices[0])
    if form in ("name", "fixture") and name.isidentifier():
        return _static(name)
    return _made_by(lambda config: _resolve(config, form, name))


def _resolve(config: pytest.Config, form: str, name: str) -> Any:
    if form == "predictions":
        return _folder(config, name)
    return resolve_bare(name) if form in ("name", "fixture") else resolve_explicit(form, name)


def _static(name: str) -> Any:
    def stbench_model(**fixtures: Any) -> Any:
        """The model under test."""  # `pytest --fixtures` lists what it is
        return fixtures[name]

    parameter = inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    stbench_model.__signature__ = inspect.Signature([parameter])  # type: ignore[attr-defined]  # read by inspect.signature
    return pytest.fixture(stbench_model)


def _made_by(make: Callable[[pytest.Config], Any]) -> Any:
    """Resolve when an item asks: a run of the data checks alone imports no model."""

    @pytest.fixture
    def stbench_model(pytestconfig: pytest.Config) -> Any:
        """The model under test."""  # `pytest --fixtures` lists what it is
        return make(pytestconfig)

    return stbench_model


def _one_of_several() -> Any:
    @pytest.fixture
    def stbench_model(request: pytest.FixtureRequest, stbench_model_name: str) -> Any:
        """The model under test, one of several."""  # `pytest --fixtures` lists what it is
        __tracebackhide__ = True
        form, name = split_choice(stbench_model_name)
        if form not in ("name", "fixture") or not name.isidentifier():
            return _resolve(request.config, form, name)
        try:
            return request.getfixturevalue(name)
        except pytest.fail.Exception as error:
            if "has no parameter defined" not in str(error):
                raise
            return NoModel(
                f"parametrised model {name}",
                f"the fixture {name} is parametrised, which works only for a single --stbench-model: "
                f"run pytest with --stbench-model={name} alone",
            )

    return stbench_model


def model_label(choice: str) -> str:
    """Return the name a model has in ids and tables."""
    form, name = split_choice(choice)
    if form == "predictions":
        return Path(name).resolve().name
    return name.rpartition(":")[2] if form == "import" else name
