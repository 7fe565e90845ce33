"""Reference pages made from the records: one Markdown page for each kind.

What a page says of a record stands in the record and in the docstring of its target, so that the
pages cannot tell another story than the code.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_stbench.families.question import question_of
from pytest_stbench.index import loaded
from pytest_stbench.registry import Family

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_stbench.registry import Baseline, Check, Metric, Reader, Registry, Split

Facts = Mapping[str, str]

NOTE = "<!-- Made by `stbench reference` from the records of the package: change those, not this page. -->"


METRICS = """\
Names for `metrics:`, `primary:` and `gates:` of a task file. Every metric is a plain function, truth first,
prediction second: `from pytest_stbench.metrics import pearson_gene`. The value of a slide is the mean over
its genes (or units), that of a patient the mean over its slides, the headline the mean over patients."""

CHECKS = """\
Names for `checks:` of a task file, in the order in which they run. All of them run by default, before any
model."""

BASELINES = """\
Names for `baselines:` of a task file. Those of kind *model* can stand in the place of a model
(`--stbench-model=NAME`); `ridge` is short for the simple learned baseline of whatever family is asked. A
*diagnostic* is given the truth or the library size, a *control* transforms the predictions of the model under
test: neither can be the model."""

FAMILIES = "Names for `family:` of a task file."

SPLITS = """\
Names for `splits:` of a task file. A design is made from the samples table alone (slide, patient, site
...)."""


SOURCES = """\
Names for `source:` of a data set. Coordinates become um, counts stay raw; nothing is read before it is asked
for. A samples table (`samples:`) goes before what a source finds in its files."""


def reference_pages(registry: Registry) -> dict[str, str]:
    """Return the text of every page by file name."""
    return {
        "metrics.md": _page("Metrics", METRICS, registry.metrics, _metric),
        "checks.md": _page("Checks", CHECKS, registry.checks, _check),
        "baselines.md": _page("Baselines", BASELINES, registry.baselines, _baseline),
        "families.md": _page("Families", FAMILIES, registry.families, _family),
        "splits.md": _page("Splits", SPLITS, registry.splits, _split),
        "sources.md": _page("Sources", SOURCES, registry.readers, _reader),
    }


def _page(title: str, intro: str, records: Iterable[Any], facts: Callable[[Any], Facts]) -> str:
    kept = list(records)
    lines = [f"# {title}", "", NOTE, "", intro, "", "| name | id | what it is |", "|---|---|---|"]
    lines += [f"| [`{r.name}`](#{r.name}) | {r.id} | {_cell(r.summary)} |" for r in kept]
    for record in kept:
        lines += ["", f"## {record.name}", "", _sentence(record.summary), "", "| | |", "|---|---|"]
        lines += [f"| {name} | {_cell(value)} |" for name, value in facts(record).items() if value]
        code = [loaded(record), *([question_of(record)] if isinstance(record, Family) else [])]
        for described in filter(None, (to_markdown(inspect.getdoc(one) or "") for one in code)):
            lines += ["", described]
    return "\n".join(lines) + "\n"


def _metric(record: Metric) -> Facts:
    low, high = (
        _number(bound, open_end) for bound, open_end in zip(record.bounds, ("-inf", "inf"), strict=True)
    )
    better = {"up": "higher", "down": "lower", "context": "neither: it gives context and is never judged"}
    fill = "" if record.fill is None else f"counts as {record.fill:g} in the mean"
    return {
        "id": record.id,
        "range": f"{low} to {high}",
        "better": better[record.better],
        "one value for each": "slide" if record.over == "slide" else f"{record.over} of a slide",
        "group": record.group.replace("_", " "),
        "undefined by the model's own fault": fill or "left out of the mean",
        "floor of a single value in the mean": "" if record.floor is None else f"{record.floor:g}",
        "is also given": _code(record.inputs),
        "parameters": _params(record.params),
        "function": f"`{record.target}`",
        "source": _source(record.source),
    }


def _reader(record: Reader) -> Facts:
    return {
        "id": record.id,
        "reads": record.files or "no file",
        "`path`": "required" if record.needs_path else "",
        "technology": record.technology,
        "units": record.resolution and f"{record.resolution}s, unless `bin` forms others",
        "samples table": "made from the source where `samples` is not given" if record.index else "required",
        "function": f"`{record.target}`",
        "source": _source(record.source),
    }


def _check(record: Check) -> Facts:
    held = (
        "nothing"
        if record.blocks == "nothing"
        else f"all metrics of its {record.blocks.replace('dataset', 'data set')}"
    )
    thresholds = "<br>".join(
        f"`{name}: {_value(value)}`" + (f": {record.reasons[name]}" if name in record.reasons else "")
        for name, value in record.params.items()
    )
    return {
        "id": record.id,
        "severity": record.severity.replace("/", " or "),
        "judges": {"dataset": "a data set", "split": "a split", "task": "the task file"}.get(
            record.scope, f"the {record.scope}"
        ),
        "a failure holds back": held,
        "reads": {"metadata": "the samples table", "slides": "the slides", "spec": "the task file"}[
            record.needs
        ],
        "when it cannot be computed": "fails" if record.skip_fails else "is skipped, with the reason",
        "parameters, with the reason of each default": thresholds,
        "checklist": ", ".join(record.checklist),
        "source": _source(record.source),
    }


def _baseline(record: Baseline) -> Facts:
    return {
        "id": record.id,
        "kind": record.kind,
        "families": _code(record.families),
        "needs": _code(record.needs),
        "memory": record.memory,
        "class or function": f"`{record.target}`",
        "source": _source(record.source),
    }


def _family(record: Family) -> Facts:
    wrapped = "" if record.method else "that of the wrapped family"
    one_of = "the first that can run of " if len(record.simple) > 1 else ""
    return {
        "id": record.id,
        "method of the model": wrapped or f"`{record.method}`",
        "primary metric": f"`{record.primary}`",
        "metrics by default": _code(record.metrics),
        "T, the trivial baseline": wrapped or f"`{record.trivial}`",
        "S, the simple learned one (`ridge`)": wrapped or f"{one_of}{_code(record.simple)}",
        "further references that must be beaten": _code(record.required),
        "margin over S": wrapped or f"{record.margin:g}",
        "baselines by default": _code(record.baselines),
        "input class of its baselines": record.input_class,
        "source": _source(record.source),
    }


def _split(record: Split) -> Facts:
    return {
        "fewest patients": str(record.min_patients),
        "parameters": _params(record.params),
        "source": _source(record.source),
    }


def _params(params: Mapping[str, Any]) -> str:
    return "<br>".join(f"`{name}: {_value(value)}`" for name, value in params.items())


def _value(value: Any) -> str:
    """Return `value` as a task file writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_value(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(bound: float | None, open_end: str) -> str:
    return open_end if bound is None else f"{bound:g}"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _source(source: str) -> str:
    """Return DOIs and addresses as links."""
    parts = [part.strip() for part in source.split("; ") if part.strip()]
    return "; ".join(
        f"[{part}](https://doi.org/{part})"
        if part.startswith("10.")
        else f"<{part}>"
        if "://" in part
        else part
        for part in parts
    )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")
_CODE = re.compile(r"``(.+?)``")
_RULE = re.compile(r"-{3,}")


def to_markdown(docstring: str) -> str:
    """Return a docstring without its summary line.

    Sections become a heading in bold, their entries a list. An empty string when there is nothing
    beyond the summary.
    """
    _, _, body = docstring.strip().partition("\n")
    return "\n\n".join(_section(title, lines) for title, lines in _sections(body) if "".join(lines).strip())


def _sections(body: str) -> list[tuple[str, list[str]]]:
    """Return (title, lines) of every section; the text before the first one has no title."""
    sections: list[tuple[str, list[str]]] = [("", [])]
    lines = body.splitlines()
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if line.strip() and not line.startswith(" ") and _RULE.fullmatch(following.strip()):
            sections.append((line.strip(), []))
        elif not _RULE.fullmatch(line.strip()):
            sections[-1][1].append(line)
    return sections


def _section(title: str, lines: list[str]) -> str:
    if not title:
        return _paragraphs(lines)
    entries = _entries(lines)
    if any(text for _, text in entries):
        return f"**{title}**\n\n" + "\n".join(_entry(name, text) for name, text in entries)
    return f"**{title}**\n\n{_paragraphs(lines)}"


def _entries(lines: list[str]) -> list[tuple[str, str]]:
    """Return (name, text) of every entry: a line at the margin and the indented lines below it."""
    entries: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith(" ") and entries:
            name, text = entries[-1]
            entries[-1] = (name, f"{text} {line.strip()}".strip())
        elif line.strip():
            entries.append((line.strip(), ""))
    return entries


def _entry(name: str, text: str) -> str:
    names = ", ".join(f"`{part.strip()}`" for part in name.split(","))
    return f"- {names}: {_inline(text)}" if text else f"- {_inline(name)}"


def _paragraphs(lines: list[str]) -> str:
    text = "\n".join(line.rstrip() for line in lines).strip()
    return "\n\n".join(map(_block, re.split(r"\n\s*\n", text)))


def _block(text: str) -> str:
    """Return a paragraph in one line, or the items of a list in one each."""
    return "\n".join(_inline(" ".join(item.split())) for item in re.split(r"\n(?=- )", text))


def _inline(text: str) -> str:
    return _CODE.sub(r"`\1`", _ROLE.sub(r"`\1`", text))
