from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from pytest_stbench.errors import TaskFileError
from pytest_stbench.resources import tasks_dir
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec.defaults import family_of, metrics_of
from pytest_stbench.spec.extends import load_tree, merge
from pytest_stbench.spec.validate import load_task
from pytest_stbench.spec.yaml_lines import Node, line_marks, plain


def _node(value, file="x"):
    if isinstance(value, dict):
        value = {key: _node(child, file) for key, child in value.items()}
    elif isinstance(value, list):
        value = [_node(child, file) for child in value]
    return Node(value=value, file=Path(file), line=1)


def test_mappings_merge_and_lists_replace(write):
    write(
        "preprocess: {filter: {min_counts: 5, min_genes: 6}, genes: hvg}\nmetrics: [a, b]\nseeds: [1, 2]\n",
        "b.stbench-inc.yaml",
    )
    path = write(
        "extends: b.stbench-inc.yaml\npreprocess: {filter: {min_counts: 9}, genes: {n: 7}}\nseeds: [3]\n"
    )

    found = plain(load_tree(path).root)

    assert found["preprocess"] == {
        "filter": {"min_counts": 9, "min_genes": 6},
        "genes": {"select": "hvg", "n": 7},
    }
    assert found["seeds"] == [3]
    assert [metric["name"] for metric in found["metrics"]] == ["a", "b"]
    assert "extends" not in found


def test_each_key_points_to_the_file_it_came_from(write):
    base = write("name: base\nversion: 1\nclaim: population\n", "parts/b.stbench-inc.yaml")
    path = write("stbench: 1\nextends: parts/b.stbench-inc.yaml\nversion: 2\n")

    marks = line_marks(load_tree(path).root)

    assert marks[("version",)] == (path, 3)
    assert marks[("name",)] == (base, 1)
    assert marks[("claim",)] == (base, 3)


def test_of_several_fragments_the_later_wins_and_paths_are_relative_to_the_file_that_names_them(write):
    write("name: one\nversion: 1\n", "parts/one.stbench-inc.yaml")
    write("extends: one.stbench-inc.yaml\nname: two\n", "parts/two.stbench-inc.yaml")
    write("name: three\nextends: ../parts/one.stbench-inc.yaml\n", "more/three.stbench-inc.yaml")
    path = write("extends: [more/three.stbench-inc.yaml, parts/two.stbench-inc.yaml]\n")

    assert plain(load_tree(path).root) == {"name": "two", "version": 1}


def test_a_circle_shows_its_chain(write):
    write("extends: c.stbench-inc.yaml\n", "b.stbench-inc.yaml")
    write("extends: b.stbench-inc.yaml\nname: c\n", "c.stbench-inc.yaml")
    path = write("extends: b.stbench-inc.yaml\n")

    (problem,) = load_tree(path).problems

    assert "circle" in problem.message
    names = [Path(part).name for part in problem.message.split(": ", 1)[1].split(" -> ")]
    assert names == ["b.stbench-inc.yaml", "c.stbench-inc.yaml", "b.stbench-inc.yaml"]
    assert problem.file.name == "c.stbench-inc.yaml"


def test_a_diamond_is_no_circle_and_is_read_once(write):
    write("name: [\n", "base.stbench-inc.yaml")
    for name in ("left", "right"):
        write("extends: base.stbench-inc.yaml\n", f"{name}.stbench-inc.yaml")
    path = write("extends: [left.stbench-inc.yaml, right.stbench-inc.yaml]\n")

    (problem,) = load_tree(path).problems

    assert problem.file.name == "base.stbench-inc.yaml"


def test_many_ways_to_one_fragment_cost_no_more_than_one(write):
    write("name: end\n", "f0.stbench-inc.yaml")
    for number in range(1, 40):
        names = ", ".join([f"f{number - 1}.stbench-inc.yaml"] * 2)
        write(f"extends: [{names}]\n", f"f{number}.stbench-inc.yaml")
    path = write("extends: f39.stbench-inc.yaml\n")

    assert plain(load_tree(path).root) == {"name": "end"}


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("none.stbench-inc.yaml", "there is no file"),
        ("b.yaml", "does not end in .stbench-inc.yaml"),
        ("other.stbench.yaml", "rename"),
        ("/etc/b.stbench-inc.yaml", "absolute"),
        ("'C:\\b.stbench-inc.yaml'", "absolute"),
        ("5", "found 5"),
        ("{a: b}", "expected the path"),
        ("[[b]]", "expected the path"),
        ("''", "expected the path"),
    ],
)
def test_what_cannot_be_extended_is_a_problem_at_its_line(write, value, part):
    (problem,) = load_tree(write(f"name: a\nextends: {value}\n")).problems

    assert (problem.line, problem.key) == (2, "extends")
    assert part in problem.message


def test_mistakes_of_fragments_are_told_with_their_file(write):
    bad = write("a: 1\na: 2\n", "b.stbench-inc.yaml")
    worse = write("a: [\n", "c.stbench-inc.yaml")
    path = write("extends: [b.stbench-inc.yaml, c.stbench-inc.yaml]\nname: a\nname: b\n")

    assert {problem.file for problem in load_tree(path).problems} == {bad, worse, path}


def test_a_task_file_that_cannot_be_read_raises(write):
    with pytest.raises(TaskFileError):
        load_tree(write("a: [\n"))


LEAVES = st.one_of(st.integers(), st.text("ab", max_size=2), st.lists(st.integers(), max_size=2))
TREES = st.recursive(
    LEAVES, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8
)
MAPPINGS = st.dictionaries(st.sampled_from("abcd"), TREES, max_size=4)


def _merge_plain(base, top):
    if isinstance(base, dict) and isinstance(top, dict):
        return {
            key: _merge_plain(base[key], top[key])
            if key in base and key in top
            else top.get(key, base.get(key))
            for key in base.keys() | top.keys()
        }
    return top


@settings(deadline=None, max_examples=50)
@given(MAPPINGS, MAPPINGS)
def test_merging_is_what_it_says(one, two):
    first, second = _node(one, "one"), _node(two, "two")

    assert plain(merge(first, second)) == _merge_plain(one, two)
    assert plain(merge(first, first)) == one
    assert plain(merge(_node({}), first)) == plain(merge(first, _node({}))) == one
    both = merge(first, second)
    assert all(key in line_marks(first) for key, (file, _) in line_marks(both).items() if file == Path("one"))
    assert all(
        key in line_marks(second) for key, (file, _) in line_marks(both).items() if file == Path("two")
    )


SHIPPED = sorted(path.name.removesuffix(".stbench.yaml") for path in tasks_dir().glob("*.stbench.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_task_can_be_extended(write, name):
    registry = builtin_registry()
    shipped = load_task(tasks_dir() / f"{name}.stbench.yaml", registry)
    metric = next(m.name for m in metrics_of(shipped.spec, family_of(shipped.spec, registry)))
    path = write(f"extends: stbench:{name}\ngates: {{{metric}: {{max: 0.5}}}}\n")
    mine = load_task(path, registry)
    assert mine.spec.model_copy(update={"gates": shipped.spec.gates}) == shipped.spec
    assert mine.spec.gates[metric].max == 0.5
    assert mine.line("gates", metric)[0] == path
    assert mine.line("family")[0].name == f"{name}.stbench.yaml"


def test_a_fragment_and_a_shipped_task_go_together(write):
    write("seeds: [1, 2]\n", "b.stbench-inc.yaml")
    path = write("extends: [stbench:smoke-imputation, b.stbench-inc.yaml]\nname: mine\n")
    spec = load_task(path, builtin_registry()).spec
    assert (spec.name, spec.family, spec.seeds) == ("mine", "imputation", (1, 2))


@pytest.mark.parametrize("value", ["stbench:smoke-imputatoin", "'stbench:'", "stbench:../smoke-imputation"])
def test_a_task_that_is_not_shipped_is_named(write, value):
    (problem,) = load_tree(write(f"extends: {value}\nname: x\n")).problems
    assert (problem.line, problem.key) == (1, "extends")
    assert "there is no shipped task" in problem.message
    assert "`stbench tasks list`" in problem.message
