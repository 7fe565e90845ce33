"""What travels between a command and the processes that predict: names and numbers, never data or models."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, Self

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
    """What all cells of a command have in common.

    ``version`` and ``code`` are those of the package where the command was given, ``root`` is what
    ``STBENCH_DATA`` says there, ``mark`` a file that lies in the store while the command runs, and ``run``
    tells runs apart. All paths are absolute.
    """

    model: str
    store: str
    mark: str
    run: str
    version: str
    code: str
    data: str | None = None
    root: str | None = None
    retry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(_Sent):
    """One cell: its task file, the fingerprint of what that says, its id, and what is done for it.

    ``baselines`` stands for the yardsticks of the data set and its ceilings, ``checks`` for those of the data
    set and the splits of the cell.
    """

    task: str
    fingerprint: str
    cell: str
    label: str
    model: bool = True
    baselines: bool = True
    checks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(_Sent):
    """How a job ended.

    ``unfit``: this process cannot do any job of the order, others may; ``ended``: the command was
    interrupted. ``computed`` and ``reused`` count predictions as a run of pytest does.
    """

    outcome: Outcome
    message: str = ""
    computed: int = 0
    reused: int = 0
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()
    worker: str = ""


def version_of(text: str) -> str:
    """Return the version of the package that sent an order, whatever else that version writes into one."""
    said: Mapping[str, object] = json.loads(text)
    return str(said.get("version"))
