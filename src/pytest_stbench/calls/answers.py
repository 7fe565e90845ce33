"""Answers of models without ``fit``, one for each input: in the store, or in memory while the run lasts."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.models.identity import json_digest
from pytest_stbench.store.keys import code_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from pytest_stbench.store.store import Store

ANSWERS = "answers"
"""Folder of the store, and the name of the one array of a file there."""
MEMORY = 1 << 29
"""Bytes of answers of models without identity that are held, the latest."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a model said to one input.

    ``made_by`` is the digest of what the model held when it had answered, ``changes_input`` says whether
    it changed what it was given. ``beside`` is what is compared of a model, and is no part of the key.
    """

    values: NDArray[Any]
    made_by: str
    changes_input: bool
    seconds: float
    beside: Mapping[str, Any]


class Answers:
    """What is known of the answers of the models of a run.

    Parameters
    ----------
    store
        Keeps those of models with identity.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: dict[str, Answer] = {}
        self._classes: list[type] = []
        self.apart: set[str] = set()
        """Keys of models that are another one after an answer than before: asked by every cell itself."""

    def number_of(self, kind: type) -> int:
        """Return what tells a class from all others of this process: two modules may have one name."""
        if not any(known is kind for known in self._classes):
            self._classes.append(kind)
        return next(number for number, known in enumerate(self._classes) if known is kind)

    @contextmanager
    def asking(self, key: str, *, kept: bool) -> Iterator[Answer | None]:
        """Return the answer to what `key` stands for, or None with the right to ask.

        Who wants the same at that moment, in another process, waits until the block ends, and has it.
        """
        known = self._known(key, kept=kept)
        with ExitStack() as stack:
            if known is None and kept:
                stack.enter_context(self._store.alone(key))
                known = self._known(key, kept=True)
            yield known

    def keep(self, key: str, answer: Answer, *, kept: bool, label: str) -> None:
        """Keep an answer; inside of the block of its key."""
        if not kept:
            self._held[key] = answer
            while len(self._held) > 1 and sum(a.values.nbytes for a in self._held.values()) > MEMORY:
                del self._held[next(iter(self._held))]
            return
        meta = {
            **answer.beside, "made_by": answer.made_by, "changes_input": answer.changes_input,
            "seconds": answer.seconds, "kind": answer.values.dtype.name, "model": label,
            "task": "answers, for all tasks",
        }  # fmt: skip
        # The store holds 32 bits a value: two of them are one of the 64 that shares are kept in.
        values = answer.values if answer.values.itemsize == 4 else answer.values.view(np.int32)
        self._store.save(key, {ANSWERS: values}, meta, ANSWERS)

    def _known(self, key: str, *, kept: bool) -> Answer | None:
        if not kept:
            return self._held.get(key)
        stored = self._store.load(key, ANSWERS)
        if stored is None:
            return None
        meta = stored.meta
        return Answer(
            values=stored.values[ANSWERS].view(meta["kind"]), made_by=meta["made_by"],
            changes_input=meta["changes_input"], seconds=meta["seconds"], beside=meta,
        )  # fmt: skip


def answer_key(who: str, given: str, asked: str) -> str:
    """Return the key of an answer: of the model, of what it is given, and of what it is asked."""
    return json_digest({"who": who, "given": given, "asked": asked, "code": code_version()})
