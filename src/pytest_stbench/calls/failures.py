"""What can keep an item from its score."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_stbench.errors import StbenchError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Blocked(StbenchError):
    """An item that was not measured because something before it failed.

    `cause` names that something (one line of the summary stands for all items behind it),
    `detail` is its message.
    """

    def __init__(self, *, cause: str, detail: str) -> None:
        self.cause = cause
        self.detail = detail
        super().__init__(f"blocked by {cause}: {detail}")


class NotSupported(StbenchError):
    """The model has no method for the family: a skip, not a failure."""


class CellFailed(StbenchError):
    """A model or baseline that raised, hung, ended the process or broke its contract.

    ``phase`` is what it was at, where that is known.
    """

    phase = ""


class AskedInVainError(StbenchError):
    """A model that is not the same after each answer: what it said for one cell says nothing of another."""


@contextmanager
def blocking(cause: str) -> Iterator[None]:
    """Raise ``Blocked`` by `cause` for a cell that fails in the block."""
    try:
        yield
    except CellFailed as error:
        raise Blocked(cause=cause, detail=first_line(error)) from None


def first_line(message: object) -> str:
    """Return the first line of a message; the item that failed shows all of it."""
    return str(message).partition("\n")[0]
