"""Faults that befall whole sessions: each is a function of a place and a stream, and says what is wrong."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from .damage import damaged

if TYPE_CHECKING:
    import numpy as np

    from .place import Place

OUTPUTS = ("nan", "infinite", "short", "long", "wide", "transposed", "flat", "text", "complex",
           "nothing", "a list of lists", "raises", "exits", "skips")  # fmt: skip
FOLDS = ("P01", "P02", "P03")


def ended(sign: int):
    """Return the trial: a session is ended at one of its accesses to the store, and run again."""

    def trial(place: Place, rng: np.random.Generator) -> str | None:
        store = place.store()
        event = int(rng.integers(1, place.events + 1))
        first = place.run(store, at_event=(event, sign))
        if first.code == 0:
            return f"the session went on after signal {sign} at event {event}"
        if first.saved.exists() and place.differs_in_numbers(first):
            return f"it was ended at event {event} and left a results file with other scores"
        wrong = place.differs(place.run(store))
        return wrong and f"the rerun after event {event}: {wrong}"

    return trial


def two_at_once(place: Place, rng: np.random.Generator) -> str | None:
    """Two sessions share an empty store."""
    store = place.store()
    both = [place.start(store), place.start(store)]
    return next(filter(None, [place.differs(place.wait(pid)) for pid in both]), None)


def one_of_two_killed(place: Place, rng: np.random.Generator) -> str | None:
    """Two sessions share a store, and one of them is killed."""
    store = place.store()
    event = int(rng.integers(1, place.events + 1))
    killed, other = place.start(store, at_event=(event, signal.SIGKILL)), place.start(store)
    place.wait(killed)
    wrong = place.differs(place.wait(other))
    if wrong:
        return f"the other one of two, killed at event {event}: {wrong}"
    wrong = place.differs(place.run(store))
    return wrong and f"the rerun: {wrong}"


def damaged_store(place: Place, rng: np.random.Generator) -> str | None:
    """A file of a full store is damaged between two sessions."""
    place.reference  # noqa: B018  # fills the store that is copied
    store = place.store(of=place.reference_store)
    files = sorted(path for path in store.rglob("*") if path.is_file() and path.name != ".gitignore")
    path = files[int(rng.integers(len(files)))]
    how = damaged(path, rng, files)
    wrong = place.differs(place.run(store))
    return wrong and f"{path.relative_to(store)} {how}: {wrong}"


def full_disk(place: Place, rng: np.random.Generator) -> str | None:
    """No file can grow beyond a limit."""
    store = place.store()
    limit = int(2 ** rng.uniform(4, 17))
    first = place.run(store, limit=limit)
    if first.saved.exists() and place.differs_in_numbers(first):
        return f"files of at most {limit} bytes: other scores"
    if "Traceback (most recent call last)" in first.out and "INTERNALERROR" not in first.out:
        return f"files of at most {limit} bytes: a traceback: {first.out[-300:]}"
    wrong = place.differs(place.run(store))
    return wrong and f"the rerun after files of at most {limit} bytes: {wrong}"


def other_arguments(place: Place, rng: np.random.Generator) -> str | None:
    """A model of the same class, name and revision was built with another argument."""
    place.reference  # noqa: B018
    shift = float(rng.normal())
    place.tell(shift=shift)
    alone = place.run(place.store())
    after = place.run(place.store(of=place.reference_store))
    place.tell()
    if alone.numbers == place.reference.numbers:
        return f"shift {shift}: the argument changes nothing, so that nothing is tried"
    wrong = place.differs(after, alone)
    return wrong and f"shift {shift}: {wrong}"


def bad_output(place: Place, rng: np.random.Generator) -> str | None:
    """What the model returns in one fold breaks its contract."""
    fault, fold = OUTPUTS[int(rng.integers(len(OUTPUTS)))], FOLDS[int(rng.integers(len(FOLDS)))]
    place.tell(fault=fault, fold=fold)
    session = place.run(place.store())
    place.tell()
    if session.code != 1:
        return f"{fault} in {fold}: exit code {session.code}"
    if f"contract[sim-lopo-{fold}]" not in session.out:
        return f"{fault} in {fold}: contract of that fold is not among the failures: {session.out[-300:]}"
    for key, value in place.reference.numbers.items():
        model, _, _, of = key
        found = (session.numbers or {}).get(key)
        bad = model == "told" and of in (fold, None)
        if bad and found is not None and found["value"] is not None:
            return f"{fault} in {fold}: it has the score {key}"
        # Pooled items are blocked, and with them what baselines have there.
        if not bad and found != value and not (of is None and found is None):
            return f"{fault} in {fold}: the score {key} of others is another or missing"
    return None
