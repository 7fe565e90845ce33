"""Whether a stored prediction is a model's own: what is refused, and what is said, once a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from pytest_stbench.calls.failures import CellFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_stbench.calls.contestants import Contestant
    from pytest_stbench.models.identity import Identity


def keeps(identity: Identity | None) -> TypeGuard[Identity]:
    """Tell whether predictions of a model may be kept: all that it was built with is known."""
    return identity is not None and not identity.undigested


class IdentityRemarks:
    """Labels of the models of a run by identity, and who was told of what."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}
        self._said: set[tuple[str, str]] = set()

    def refuse_twin(self, contestant: Contestant, identity: Identity) -> None:
        """Raise ``CellFailed`` when a model of another label has the same identity.

        A built-in baseline stands under two names: its own and what the ladder calls it.
        """
        if contestant.baseline is not None or not keeps(identity):
            return
        other = self._labels.setdefault(contestant.handle.digest, contestant.label)
        if other == contestant.label:
            return
        paths = ", ".join(f"{name}={last}" for name, last in identity.paths.items())
        beyond = f" (absolute paths do not count: {paths})" if paths else ""
        raise CellFailed(
            f"{other} and {contestant.label} are one model to the store: class, `name`, `revision`, `config` "
            f"and attributes are equal{beyond}, so that one would be given the predictions of the other. "
            "Name one of them alone, or tell them apart by `revision` or `config`"
        )

    def memory_only(self, contestant: Contestant) -> tuple[str, ...]:
        """Return, the first time, why predictions of a named model are not kept and what to do."""
        identity = contestant.handle.identity
        if identity is None or not identity.undigested or not self._first(contestant, "memory"):
            return ()
        message = (
            f"predictions of {contestant.label} stay in memory, since it holds what has no digest: "
            f"{', '.join(identity.undigested)}. Make it in `fit` or at the first prediction, or leave "
            "it out of what `__getstate__` returns, where predictions do not depend on it"
        )
        return (message,)

    def differs(self, contestant: Contestant, meta: Mapping[str, Any]) -> tuple[str, ...]:
        """Return, the first time, in what a model differs from the one whose prediction is served."""
        identity = contestant.handle.identity
        if identity is None:
            return ()
        found = []
        source, paths = meta.get("source"), meta.get("paths")
        if source and identity.source and source != identity.source:
            found.append("the source of its class")
        if isinstance(paths, dict):
            found += [
                f"{name} ({paths[name]} then, {last} here)"
                for name, last in identity.paths.items()
                if name in paths and paths[name] != last
            ]
        if not found or not self._first(contestant, "differs"):
            return ()
        message = (
            f"{contestant.label} is served predictions that were kept before a change of {', '.join(found)}: "
            "give it another `revision` where its predictions may differ"
        )
        return (message,)

    def _first(self, contestant: Contestant, what: str) -> bool:
        mark = (contestant.label, what)
        first = mark not in self._said
        self._said.add(mark)
        return first
