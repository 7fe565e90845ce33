"""Annotations of GitHub: one a line of a task file, with what would end the command in codes."""

from __future__ import annotations

from pytest_stbench.collection.ci import annotation_lines


def failure(line=3, name="r[d-lopo]", message="worse", file="/checkout/tasks/a.stbench.yaml"):
    return {"file": file, "line": line, "name": name, "message": message}


def test_paths_are_those_of_the_workspace(monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", "/checkout")
    assert annotation_lines([failure()]) == [
        "::error file=tasks/a.stbench.yaml,line=3,title=r[d-lopo]::worse"
    ]  # fmt: skip
    (line,) = annotation_lines([failure(file="/elsewhere/b.stbench.yaml")])
    assert line.startswith("::error file=/elsewhere/b.stbench.yaml,line=3,")


def test_failures_of_one_line_are_one(monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", "/checkout")
    lines = annotation_lines([failure(), failure(name="other"), failure(line=4)])
    assert [line.partition("::error ")[2] for line in lines] == [
        "file=tasks/a.stbench.yaml,line=3,title=r[d-lopo] and 1 more::worse",
        "file=tasks/a.stbench.yaml,line=4,title=r[d-lopo]::worse",
    ]


def test_signs_of_commands_are_codes(monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", "/checkout")
    (line,) = annotation_lines(
        [failure(name="a:b,c", message="50% of\n::error::x", file="/checkout/a,b:c.yaml")]
    )
    assert line == "::error file=a%2Cb%3Ac.yaml,line=3,title=a%3Ab%2Cc::50%25 of%0A::error::x"
    (line,) = annotation_lines([failure(message="x" * 5000)])
    assert len(line) < 1000
