"""What travels between a command and the processes that work for it: names and numbers, never data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

Outcome = Literal["done", "failed", "blocked", "skipped", "unfit", "ended"]


class _Sent:
    """A record that is sent as JSON."""

    __slots__ = ()

    def text(self) -> str:
        """Return the record as JSON."""
        return json.dumps(asdict(self))  # type: ignore[call-overload]  # those who inherit are dataclasses

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the record that :meth:`text` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(_Sent):
    """What all jobs of a command have in common.

    ``work`` names what is done with them, ``asked`` is what that is told. ``store`` is the folder in which
    it is kept, and ``mark`` a file that lies there while the command runs. ``version`` and ``code`` are those
    of the package where the command was given, ``root`` is what ``STBENCH_DATA`` says there, and ``run``
    tells runs apart. All paths are absolute.
    """

    work: str
    asked: Mapping[str, Any]
    store: str
    mark: str
    run: str
    version: str
    code: str
    data: str | None = None
    root: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(_Sent):
    """A part of what is asked, as lines call it; ``model``: it is for workers that offer resources."""

    label: str
    model: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CellJob(Job):
    """One cell: its task file, the fingerprint of what that says, its id, and what is done for it.

    ``model`` is whether the model is asked; ``baselines`` stands for the yardsticks of the data set and its
    ceilings, ``checks`` for those of the data set and the splits of the cell.
    """

    task: str
    fingerprint: str
    cell: str
    model: bool = True
    baselines: bool = True
    checks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckJob(Job):
    """Some checks of one view of the data that `sources` name, or the statistics of one slide of it.

    ``fingerprint`` is that of what the command has found there.
    """

    sources: tuple[str, ...]
    fingerprint: str
    view: str
    checks: tuple[str, ...] = ()
    slide: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableJob(Job):
    """A table of transcripts, and the file that its counts are written to."""

    table: str
    out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(_Sent):
    """How a job ended.

    ``unfit``: this process cannot do any job of the order, others may; ``ended``: the command was
    interrupted. ``said`` is told of a job that is done. ``computed`` and ``reused`` count predictions as a
    run of pytest does, or files.
    """

    outcome: Outcome
    message: str = ""
    said: str = ""
    computed: int = 0
    reused: int = 0
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()
    worker: str = ""


def version_of(text: str) -> str:
    """Return the version of the package that sent an order, whatever else that version writes into one."""
    return str(_said(text).get("version"))


def label_of(text: str) -> str:
    """Return what lines call a job, whatever kind it is."""
    return str(_said(text)["label"])


def _said(text: str) -> Mapping[str, object]:
    said: Mapping[str, object] = json.loads(text)
    return said
