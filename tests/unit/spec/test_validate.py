from __future__ import annotations

import pickle
import re
from dataclasses import replace
from typing import get_args, get_origin

import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.errors import Problem, TaskFileError
from pytest_stbench.registry import Catalogue, Family
from pytest_stbench.spec import dataset_entry, model
from pytest_stbench.spec.rest import PLACEHOLDERS
from pytest_stbench.spec.validate import load_task

VALID = """\
stbench: 1
name: her2st-imputation
version: 2
family: imputation
datasets:
  her2st:
    source: h5ad
    path: her2st/*.h5ad
    scale: 0.5
imputation: {hide: {folds: 5, fold: 1}}
"""

TEN_MISTAKES = """\
stbench: 1
name: ten
version: 0
family: imputaton
datasets:
  her2st:
    source: h5da
    path: /data/*.h5ad
splits: [lopoo]
preprocess:
  normalise: log1p_cp10
metrics: [spearman_gen, {niche_jaccard: {k: 50}}]
baselines: [train_means]
checks:
  gene_sparsty: {max_sparse_share: 0.2}
"""


def test_a_valid_file_is_loaded_with_its_lines(write, registry):
    path = write(VALID)

    task = load_task(path, registry)

    assert task.spec.name == "her2st-imputation"
    assert task.spec.datasets["her2st"].scale.um_per_px == 0.5
    assert task.line("datasets", "her2st", "path") == (path, 8)
    assert task.line("datasets", "her2st", "organ") == (path, 6)
    assert task.line("gates") == (path, 1)


def test_ten_mistakes_are_ten_problems(problems):
    found = problems(TEN_MISTAKES)

    assert {key: line for key, (line, _) in found.items()} == {
        "version": 3,
        "family": 4,
        "datasets.her2st.source": 7,
        "datasets.her2st.path": 8,
        "splits[0]": 9,
        "preprocess.normalise": 11,
        "metrics[0]": 12,
        "metrics[1].k": 12,
        "baselines[0]": 13,
        "checks.gene_sparsty": 15,
    }
    matches = {key: re.findall(r"did you mean '(\w+)'", message) for key, (_, message) in found.items()}
    assert matches == {
        "version": [],
        "family": ["imputation"],
        "datasets.her2st.source": ["h5ad"],
        "datasets.her2st.path": [],
        "splits[0]": ["lopo"],
        "preprocess.normalise": ["log1p_cp10k"],
        "metrics[0]": ["spearman_gene"],
        "metrics[1].k": [],
        "baselines[0]": ["train_mean"],
        "checks.gene_sparsty": ["gene_sparsity"],
    }
    for key, part in {
        "family": "allowed: expression, imputation",
        "datasets.her2st.source": "allowed: h5ad, simulated",
        "splits[0]": "allowed: fixed, locorpus, loorgan, lopanel, lopo, losite, lotech, pgkf, within",
        "preprocess.normalise": "allowed: log1p_cp10k, log1p_median, log1p, pearson_residuals",
        "metrics[1].k": "allowed: n",
        "version": "at least 1",
        "datasets.her2st.path": "relative",
    }.items():
        assert part in found[key][1]


def test_each_problem_is_one_line_of_file_line_key(write, registry):
    path = write(TEN_MISTAKES)

    with pytest.raises(TaskFileError) as caught:
        load_task(path, registry)

    lines = str(caught.value).splitlines()
    assert len(lines) == 10
    assert all(re.match(rf"{re.escape(str(path))}:\d+: [\w\[\].]+: ", line) for line in lines)


def test_values_of_the_wrong_kind_hide_no_mistake_and_cause_none(problems):
    found = problems(
        VALID.replace("stbench: 1", "stbench: '1'").replace(
            "hide: {folds: 5, fold: 1}", "hide: {folds: 5, fold: 7, n: 1}"
        )
        + "splits: [lopoo, 5, lopo, {pgkf: {m: 1}}, lopo]\n"
        + "metrics: [5, pearson_gen, pearson_gene, {rmse: 5}]\n"
        + "gates: {pearson_gene: {min: x, max: 2}, rmse: {max: 1}, rmsee: {max: 1}}\n"
        + "baselines: [train_means, {a: b}, coords, coords]\n"
        + "checks: {patient_leakage: 5, gene_sparsity: {reason: 5, max_sparse_share: x}}\n"
        + "seeds: [a, 1, 1]\nmarks: [a b, 5]\nstrange: 1\n"
        + "preprocess:\n  genes: {select: svg, n: x, names: [A]}\n"
        + "  variants: {v: {genes: {select: list, names: 5}}}\n"
    )

    assert list(found) == [
        "stbench",
        "imputation.hide.fold",
        "imputation.hide.n",
        "splits[0]",
        "splits[1]",
        "splits[3].m",
        "splits[4]",
        "metrics[0]",
        "metrics[1]",
        "metrics[3]",
        "gates.pearson_gene.max",
        "gates.pearson_gene.min",
        "gates.rmsee",
        "baselines[0]",
        "baselines[1]",
        "baselines[3]",
        "checks.gene_sparsity.max_sparse_share",
        "checks.gene_sparsity.reason",
        "checks.patient_leakage",
        "seeds[0]",
        "seeds[2]",
        "marks[0]",
        "marks[1]",
        "strange",
        "preprocess.genes.n",
        "preprocess.genes.names",
        "preprocess.variants.v.genes.names",
    ]
    assert "listed twice" in found["splits[4]"][1]
    assert found["stbench"][1] == "found '1', not the number of a format: write `stbench: 1`"


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        ("image: {path: 5}", ["image.um_per_px", "image.path"]),
        ("image: {path: a, alignment: 5}", ["image.alignment"]),
        ("labels: {path: '{slide}/{slide}', niche: 5}", ["labels.niche", "labels.path"]),
        ("keys: {x: 5, y: b}", ["keys.x"]),
        ("bin: {geometry: square, size_um: x}", ["bin.size_um"]),
        ("bin: {geometry: visium, size_um: 3, origin_um: [0, a], min_qv: x}",
         ["bin.min_qv", "bin.origin_um[1]", "bin.size_um"]),
        ("slides: [A, 5, A]", ["slides[1]", "slides[2]"]),
        ("params: {a: 1, b: 2}", ["params.a", "params.b"]),
    ],
)  # fmt: skip
def test_of_a_data_set_every_mistake_is_told_and_no_other(problems, settings, keys):
    found = problems(VALID.replace("    scale: 0.5\n", f"    {settings}\n"))
    assert sorted(found) == sorted(f"datasets.her2st.{key}" for key in keys)


def test_mistakes_of_yaml_of_fragments_and_of_the_task_are_told_together(write, registry):
    base = write("claim: popular\nbaselines: [coord]\n", "b.stbench-inc.yaml")
    path = write(VALID + "extends: b.stbench-inc.yaml\nname: again\nmetrics: [rmsee]\n")

    with pytest.raises(TaskFileError) as caught:
        load_task(path, registry)

    assert [(p.file, p.line, p.key) for p in caught.value.problems] == [
        (path, 12, "name"),
        (path, 13, "metrics[0]"),
        (base, 1, "claim"),
        (base, 2, "baselines[0]"),
    ]


def test_another_version_of_the_format_is_the_only_thing_said(problems):
    assert list(problems("stbench: 7\nfamilies: [x]\n")) == ["stbench"]


def test_an_empty_mapping_of_data_sets_is_refused(problems):
    text = VALID[: VALID.index("datasets:")] + "datasets: {}\nimputation: {hide: {}}\n"

    assert list(problems(text)) == ["datasets"]


def test_further_families_can_be_given(write, registry):
    path = write(VALID.replace("family: imputation", "family: mine").replace("imputation: {", "# {"))
    mine = Family(
        id="X",
        name="mine",
        summary="",
        method="m",
        primary="rmse",
        metrics=("rmse",),
        trivial="train_mean",
        simple=(),
        baselines=(),
        target="",
    )

    more = replace(registry, families=Catalogue("family", [*registry.families, mine]))
    assert load_task(path, more).spec.family == "mine"
    with pytest.raises(TaskFileError, match="there is no family 'mine'"):
        load_task(path, registry)


def _parts():
    found = {**vars(model), **vars(dataset_entry)}.values()
    return [c for c in found if isinstance(c, type) and issubclass(c, model.Part)]


def test_every_required_key_has_a_valid_placeholder():
    # SplitSpec and MetricSpec get their names from the short forms.
    for part in _parts():
        required = {name for name, field in part.model_fields.items() if field.is_required()}
        assert required <= PLACEHOLDERS.keys()
        part(**{name: PLACEHOLDERS[name] for name in required})


def test_every_number_of_the_model_refuses_text_and_booleans():
    def leaves(annotation):
        arguments = get_args(annotation)
        return {annotation} if not arguments else set().union(*map(leaves, arguments))

    checked = 0
    for part in _parts():
        for name, field in part.model_fields.items():
            if not leaves(field.annotation) & {int, float} or get_origin(field.annotation) is dict:
                continue
            for wrong in ("5", True):
                values = [wrong] if get_origin(field.annotation) is tuple else wrong
                errors = _errors_of(part, {name: values})
                assert any(loc[0] == name for loc in errors), (part, name)
                checked += 1
    assert checked > 20


def _errors_of(part, data):
    try:
        part.model_validate(data)
    except ValueError as error:
        return [item["loc"] for item in error.errors()]
    return []


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_any_change_of_a_valid_file_gives_a_task_or_a_task_file_error(registry, tmp_path_factory, data):
    more = "splits: [lopo]\nmetrics: [rmse]\nchecks: {empty_units: {reason: a}}\ngates: {rmse: {max: 1}}\n"
    lines = (VALID + more).splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    values = ["5", "x", "[a, 1]", "{a: 1}", "~", "{name: {}}", "[[1]]", "1.5", "true", ".nan", "-1"]
    value = data.draw(st.sampled_from(values))
    key = lines[number].partition(":")[0]
    lines[number] = f"{key}: {value}"
    path = tmp_path_factory.mktemp("any") / "a.stbench.yaml"
    path.write_text("\n".join(lines))

    try:
        load_task(path, registry)
    except TaskFileError as error:
        assert error.problems  # noqa: PT017  # either outcome is right, and this is what one must hold


def test_an_error_survives_a_process_pool(tmp_path):
    error = TaskFileError([Problem(file=tmp_path / "a.yaml", line=n, key="k", message="m") for n in (3, 1)])
    copy = pickle.loads(pickle.dumps(error))
    assert copy.problems == error.problems
    assert str(copy) == str(error)


def test_of_many_mistakes_some_are_told_and_the_others_counted(write, registry):
    keys = "".join(f"key{number:04}: 1\n" for number in range(3000))
    with pytest.raises(TaskFileError) as caught:
        load_task(write(VALID + keys), registry)
    lines = str(caught.value).splitlines()
    assert len(lines) == TaskFileError.SHOWN + 1
    assert ":11: key0000: unknown key" in lines[0]
    assert all("unknown key" in line for line in lines[:-1])
    assert lines[-1].endswith("2,950 more mistakes: correct these first")
    assert len(caught.value.problems) == 3000


def test_a_long_name_is_told_in_short(write, registry):
    long = "spearman_gene" * 10_000
    with pytest.raises(TaskFileError) as caught:
        load_task(write(VALID + f"metrics: [{long}]\n"), registry)
    assert len(str(caught.value)) < 600
    assert "there is no metric 'spearman_genespearman_gene" in str(caught.value)
