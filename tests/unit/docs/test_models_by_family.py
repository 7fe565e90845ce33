"""The models of docs/models-by-family.md answer the smoke task of their family; what it calls refused is."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pytest_stbench.models.contract import ContractError
from pytest_stbench.resources import tasks_dir

from .folds import REGISTRY, fold_of

SMOKE = sorted(tasks_dir().glob("smoke-*.stbench.yaml"))
PAGE = Path(__file__).parents[3] / "docs" / "models-by-family.md"
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]}


def model_of(section):
    (code,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    names = {}
    exec(compile(code, str(PAGE), "exec"), names)  # the example as it stands on the page
    (made,) = [names[name] for name in re.findall(r"^class (\w+):", code, flags=re.MULTILINE)]
    return made()


def refused(section):
    _, _, rows = section.rpartition("| returned | message |\n|---|---|\n")
    lines = rows.split("\n\n")[0].splitlines()
    return [re.fullmatch(r"\| `(.+?)` \| `(.+)` \|", line).groups() for line in lines]


def test_the_page_has_every_family_that_is_shipped_as_a_smoke_task():
    shipped = {path.stem.partition(".")[0].removeprefix("smoke-").replace("-", "_") for path in SMOKE}
    assert set(SECTIONS) == shipped & set(REGISTRY.families.names), (
        f"write a section on each family of tasks/smoke-*.stbench.yaml into {PAGE.name}"
    )


@pytest.mark.parametrize("family", SECTIONS)
def test_the_model_of_a_family_answers_and_other_answers_are_refused(family):
    fold = fold_of(family)
    question, task = fold.question, fold.task
    predicted = {}
    for course in question.courses(fold):
        model = model_of(SECTIONS[family])
        if hasattr(model, "fit"):
            model.fit(fold.train_inputs(course.train), task)
        for request in course.requests:
            asking = fold.asking(request)
            given = asking.given()
            good = asking.ask(model, given)
            predicted[request.key] = asking.accept(good, "answer")
            assert np.isfinite(predicted[request.key]).any()
    question.complete(predicted, "answers")
    names = {
        "np": np, "pd": pd, "good": getattr(good, "raw", good), "genes": list(task.genes),
        "classes": list(task.classes), "units": given.units.obs_names,
    }  # fmt: skip
    rows = refused(SECTIONS[family])
    assert rows
    for expression, message in rows:
        raw = eval(expression, names)  # as it stands on the page
        with pytest.raises(ContractError) as caught:
            asking.accept(raw if good is names["good"] else type(good)(raw), "answer")
        pattern = ".*".join(re.escape(part) for part in message.split("..."))
        assert re.search(pattern, str(caught.value)), (expression, str(caught.value))
