"""What is computed once and recalled by later runs, as long as what it depends on is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pytest_stbench.models.identity import json_digest
from pytest_stbench.store.keys import code_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_stbench.store.store import Store

T = TypeVar("T")


def memo(
    store: Store,
    kind: str,
    parts: Mapping[str, Any],
    make: Callable[[], Any],
    read: Callable[[Any], T],
    *code: str,
) -> T:
    """Return what `read` makes of the JSON-safe value that `make` gives, which the store keeps.

    `parts` (JSON-safe) is everything it depends on, but for the code, which is added with that of the rooms
    `code`; `kind` names the folder.
    """
    key = json_digest({**parts, "code": code_version(*code)})
    found = store.recall(kind, key, read)
    if found is None:
        made = make()
        store.remember(kind, key, made)
        found = read(made)
    return found
