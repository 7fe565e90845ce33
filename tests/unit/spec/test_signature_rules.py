"""Rules on tasks of the family signatures."""

from __future__ import annotations

import pytest

from pytest_stbench.errors import TaskFileError
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec.fingerprint import gene_files
from pytest_stbench.spec.validate import load_task

TASK = """\
stbench: 1
name: mine
version: 1
family: signatures
datasets: {sim: {source: simulated, technology: Visium, resolution: spot}}
"""


@pytest.fixture
def load(tmp_path):
    def loaded(text):
        path = tmp_path / "mine.stbench.yaml"
        path.write_text(text)
        return load_task(path, builtin_registry())

    return loaded


@pytest.mark.parametrize(
    ("line", "key", "part"),
    [
        ("signatures: {names: [CYTT]}", "signatures.names[0]", "did you mean 'CYT'"),
        ("signatures: {names: [CYT, CYT]}", "signatures.names[1]", "listed twice"),
        ("signatures: {names: []}", "signatures.names", "is empty"),
        ("signatures: {gmt: /a.gmt}", "signatures.gmt", "absolute"),
        ("metrics: [pearson_spot]", "metrics[0]", "models of this task predict signatures"),
        ("metrics: [niche_jaccard]", "metrics[0]", "models of this task predict signatures"),
        ("metrics: [macro_f1]", "metrics[0]", "scores labels"),
    ],
)
def test_one_problem(load, line, key, part):
    with pytest.raises(TaskFileError) as caught:
        load(TASK + line)
    (problem,) = caught.value.problems
    assert problem.key == key
    assert part in problem.message


@pytest.mark.parametrize(
    "line",
    [
        "",
        "signatures: {names: [CYT, HOUSEKEEPING_EISENBERG_11]}",
        "signatures: {names: [MINE], gmt: a.gmt}",
        "metrics: [partial_spearman_gene, signature_specificity, top_decile_jaccard, rmse]",
        "imputation: {hide: {folds: 3}}",
    ],
)
def test_no_problem(load, line):
    assert load(TASK + line).spec.family == "signatures"


def test_signature_metrics_are_of_this_family_alone(load):
    text = TASK.replace("family: signatures", "family: expression") + "metrics: [signature_specificity]"
    with pytest.raises(TaskFileError, match="scores signatures; models of this task predict expression"):
        load(text)


def test_the_settings_are_of_this_family_alone(load):
    text = TASK.replace("family: signatures", "family: expression") + "signatures: {names: [CYT]}"
    with pytest.raises(TaskFileError, match="settings of the family signatures"):
        load(text)


def test_the_content_of_the_file_is_part_of_the_fingerprint(load):
    assert gene_files(load(TASK + "signatures: {gmt: a.gmt}").spec) == ("a.gmt",)
