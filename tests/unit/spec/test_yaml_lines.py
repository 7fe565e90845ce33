from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import example, given, settings, strategies as st

from pytest_stbench.errors import TaskFileError
from pytest_stbench.spec.yaml_lines import MAX_BYTES, key_text, line_marks, parse_tree, plain, read_tree

HERE = Path("a.stbench.yaml")


def _read(text):
    return plain(parse_tree(text, HERE).root)


def _fatal(text):
    with pytest.raises(TaskFileError) as caught:
        parse_tree(text, HERE)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("nULL", "nULL"),
        ("1e4", 10000.0),
        ("1E+2", 100.0),
        ("-1.5e-3", -0.0015),
        (".5", 0.5),
        ("5.", 5.0),
        ("0o14", 12),
        ("012", 12),
        ("0x1F", 31),
        ("-7", -7),
        ("+7", 7),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("-0x1F", "-0x1F"),
        ("12:30:45", "12:30:45"),
        ("2026-01-31", "2026-01-31"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("'5'", "5"),
        ('"true"', "true"),
        ("''", ""),
        ("=", "="),
    ],
)
def test_scalars_follow_the_core_schema(text, value):
    found = _read(f"a: {text}")["a"]

    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_read():
    assert math.isnan(_read("a: .nan")["a"])


def test_keys_are_text_as_written():
    assert _read("1: a\nNO: b\ntrue: c\n~: d") == {"1": "a", "NO": "b", "true": "c", "~": "d"}


def test_every_key_and_item_has_its_line():
    tree = parse_tree("a: 1\nb:\n  - x\n  - c: 2\n    d: 3\ne: {f: 1,\n  g: 2}\n", HERE)

    lines = {key: line for key, (_, line) in line_marks(tree.root).items()}

    assert lines == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 3,
        ("b", 1): 4,
        ("b", 1, "c"): 4,
        ("b", 1, "d"): 5,
        ("e",): 6,
        ("e", "f"): 6,
        ("e", "g"): 7,
    }


def test_duplicate_keys_are_problems_with_both_lines_and_all_of_them_are_told():
    tree = parse_tree("a: 1\nb: {c: 1, c: 2}\na: 3\na: 4\n", HERE)

    assert [(p.line, p.key) for p in tree.problems] == [(2, "b.c"), (3, "a"), (4, "a")]
    assert "first written on line 1" in tree.problems[1].message
    assert plain(tree.root) == {"a": 1, "b": {"c": 1}}


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object:os.system ls",
        "a: !!str 5",
        "a: !mine {b: 1}",
        "a: ! 5",
        "a: !!int '5'",
        "!!map {a: 1}",
    ],
)
def test_tags_are_refused(text):
    (problem,) = parse_tree(text, HERE).problems

    assert problem.line == 1
    assert "tag" in problem.message


def test_anchors_are_read_and_merge_keys_are_not():
    tree = parse_tree("a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n", HERE)

    assert plain(tree.root)["c"] == {"b": 1}
    (problem,) = tree.problems
    assert (problem.line, problem.key) == (4, "d.<<")
    assert "extends" in problem.message


def test_an_expansion_bomb_is_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]

    assert "aliases" in _fatal("\n".join(lines)).message


def test_an_alias_inside_its_own_anchor_is_refused():
    assert "alias" in _fatal("a: &x [1, *x]").message


def test_aliases_cannot_nest_without_end():
    deep = "\n".join(f"a{i}: &a{i} {'[' * 40}*a{i - 1}{']' * 40}" for i in range(1, 60))

    assert "levels deep" in _fatal("a0: &a0 x\n" + deep).message


def test_deep_nesting_is_refused():
    assert "levels deep" in _fatal("a: " + "[" * 5000 + "]" * 5000).message


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: 1\n\tb: 2\n", 2, "spaces"),
        ("a: 1\nb:\n\t- 2\n", 3, "spaces"),
        ("a: [1, 2\n", 2, "not valid YAML"),
        ("a: 'x\n", 2, "not valid YAML"),
        ("a: 1\n---\nb: 2\n", 2, "second YAML document"),
        ("a: *nowhere\n", 1, "not valid YAML"),
        ("a: 1\nb: \x07\n", 2, "U+0007"),
        ('a: "\\UFFFFFFFF"\n', 1, "not valid YAML"),
        ("%YAML 2.0\n---\na: 1\n", 1, "not valid YAML"),
        ("- a\n- b\n", 1, "found a list"),
        ("just text\n", 1, "found a single value"),
        ("", 1, "empty"),
        ("# only a comment\n", 1, "empty"),
        ("---\n", 2, "empty"),
    ],
)
def test_what_cannot_be_read_is_one_error_at_its_line(text, line, part):
    problem = _fatal(text)

    assert problem.line == line
    assert part in problem.message


@pytest.mark.parametrize(
    "text", ['a: "x\\0"', 'a: "\\ud800"', '"\\0": 1', "a: " + "9" * 5000, "? [a, b]\n: 1"]
)
def test_what_no_task_file_needs_is_a_problem(text):
    assert len(parse_tree(text, HERE).problems) == 1


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    path = tmp_path / "a.stbench.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")

    assert plain(read_tree(path).root) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("data", "line", "part"),
    [
        (b"a: 1\nb: \xff\n", 2, "UTF-8"),
        ("a: 1".encode("utf-16"), 1, "UTF-8"),
        (b"#" * (MAX_BYTES + 1), 1, "bytes"),
    ],
)
def test_other_bytes_are_refused(tmp_path, data, line, part):
    path = tmp_path / "a.stbench.yaml"
    path.write_bytes(data)

    with pytest.raises(TaskFileError) as caught:
        read_tree(path)

    assert caught.value.problems[0].line == line
    assert part in caught.value.problems[0].message


def test_a_file_that_is_not_there_or_a_folder_is_an_error(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(TaskFileError, match="cannot be read"):
            read_tree(path)


def test_key_text_hides_params():
    assert key_text(("metrics", 1, "params", "n")) == "metrics[1].n"
    assert key_text(("datasets", "params", "params", "seed")) == "datasets.params.params.seed"
    assert key_text(("checks", "gene_sparsity", "params", "x")) == "checks.gene_sparsity.x"
    assert key_text(()) == "file"


YAMLISH = st.text(
    alphabet=st.sampled_from(list("ab:-[]{}&*!|>'\"%@`#,? \n\t0.~<\\x\0\ufeff\ud7ff")), max_size=60
)


@settings(deadline=None, max_examples=50)
@given(st.one_of(st.text(max_size=60), YAMLISH))
@example("a: &a\n  *a : 1")
@example("? &a a\n: *a")
@example("%YAML 9" + "9" * 5000)
@example("&a [*a]")
def test_any_text_gives_a_tree_or_a_task_file_error(text):
    try:
        tree = parse_tree(text, HERE)
    except TaskFileError as error:
        lines = [problem.line for problem in error.problems]
    else:
        assert isinstance(tree.root.value, dict)
        lines = [line for _, line in line_marks(tree.root).values()]
    assert lines
    assert all(line >= 1 for line in lines)


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.text("abc: #-", max_size=6))
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc ", max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=4), TREES, max_size=4))
def test_json_is_yaml(data):
    assert _read(json.dumps(data)) == data
