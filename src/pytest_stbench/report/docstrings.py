"""Numpydoc docstrings as Markdown."""

from __future__ import annotations

import re

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
    return "\n\n".join(_inline(" ".join(block.split())) for block in re.split(r"\n\s*\n", text))


def _inline(text: str) -> str:
    return _CODE.sub(r"`\1`", _ROLE.sub(r"`\1`", text))
