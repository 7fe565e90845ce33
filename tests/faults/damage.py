"""Damage to one file, of the kinds that disks, editors and interrupted copies do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np


def damaged(path: Path, rng: np.random.Generator, others: Sequence[Path] = ()) -> str:
    """Damage the file at random; return what was done to it."""
    content = bytearray(path.read_bytes())
    kinds = [flipped, zeroed, cut, emptied, doubled, removed]
    if others:
        kinds.append(exchanged)
    kind = kinds[int(rng.integers(len(kinds)))]
    if kind is exchanged:
        same = [other for other in others if other.suffix == path.suffix and other != path] or list(others)
        other = same[int(rng.integers(len(same)))]
        path.write_bytes(other.read_bytes())
        return f"has the content of {other.name}"
    if kind is removed:
        path.unlink()
        return "removed"
    path.write_bytes(kind(content, rng))
    return kind.__name__


def flipped(content: bytearray, rng: np.random.Generator) -> bytes:
    for _ in range(int(rng.integers(1, 4))):
        if content:
            content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    return bytes(content)


def zeroed(content: bytearray, rng: np.random.Generator) -> bytes:
    first = int(rng.integers(len(content) + 1))
    last = min(len(content), first + int(rng.integers(1, 513)))
    content[first:last] = bytes(last - first)
    return bytes(content)


def cut(content: bytearray, rng: np.random.Generator) -> bytes:
    return bytes(content[: int(rng.integers(len(content) + 1))])


def emptied(content: bytearray, rng: np.random.Generator) -> bytes:
    return b""


def doubled(content: bytearray, rng: np.random.Generator) -> bytes:
    return bytes(content) * 2


def exchanged() -> None:
    """Stands for the content of another file."""


def removed() -> None:
    """Stands for no file at all."""


def edited(text: str, rng: np.random.Generator) -> str:
    """Return the text as somebody in a hurry leaves it: lines and words lost, doubled, moved, replaced."""
    lines = text.splitlines()
    for _ in range(int(rng.integers(1, 4))):
        if not lines:
            break
        at = int(rng.integers(len(lines)))
        kind = int(rng.integers(8))
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, lines[at])
        elif kind == 2:
            other = int(rng.integers(len(lines)))
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == 3:
            lines[at] = lines[at][: int(rng.integers(len(lines[at]) + 1))]
        elif kind == 4:
            place = int(rng.integers(len(lines[at]) + 1))
            lines[at] = lines[at][:place] + str(rng.choice(list(":,[]{}-\"'#\t \u00e90"))) + lines[at][place:]
        elif kind == 5:
            lines[at] = lines[at].replace(*map(str, rng.choice([":", ",", "1", "0", "a", "e", " "], 2)))
        elif kind == 6:
            words = lines[at].split(" ")
            words[int(rng.integers(len(words)))] = str(
                rng.choice(["null", "nan", "-1", "1e309", "true", "[]", "{}", "''", "~", "9" * 30])
            )
            lines[at] = " ".join(words)
        else:
            lines[at] = " " * int(rng.integers(5)) + lines[at].lstrip()
    return "\n".join(lines) + "\n"
