"""A folder in which whole sessions of pytest are run, ended and repeated.

A session is a forked child of a process that has imported and compiled everything, so that a second is
spent on the session and none on its start. It is a process of its own for all that a fault can do to it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import resource
import shutil
import signal
import sys
import time
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pytest
import yaml

import pytest_stbench

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = ("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:pytester")
TASK = {
    "stbench": 1,
    "name": "mini",
    "version": 1,
    "family": "imputation",
    "claim": "exploratory",
    "datasets": {
        "sim": {
            "source": "simulated",
            "params": {"patients": 3, "units": 60, "genes": 80, "image": False},
            "technology": "Visium",
            "resolution": "spot",
            "panel": "simulated",
            "organ": "breast",
            "disease": "carcinoma",
            "preservation": "FFPE",
        }
    },
    "splits": ["lopo"],
    "preprocess": {"filter": {"min_counts": 100, "min_genes": 20}, "genes": {"select": "svg", "n": 10}},
    "imputation": {"hide": {"folds": 4, "fold": 0}},
    "baselines": ["train_mean", "ridge"],
    "metrics": ["rmse", "spearman_gene"],
}
MODEL = '''
import json
from pathlib import Path

import numpy as np
import pytest

SETTINGS = json.loads(Path(__file__).with_name("settings.json").read_text())


class Model:
    """The mean of the training units and a share of the total of the unit; it does what it is told to."""

    name = "told"
    revision = "1"

    def __init__(self, shift):
        self.shift = shift

    def fit(self, train, task):
        self.trained = sorted(slide.meta.patient_id for slide in train)
        self.mean = np.nanmean(np.concatenate([slide.target for slide in train]), axis=0)

    def impute(self, slide, observed_genes, target_genes):
        total = np.asarray(slide.units.X.sum(axis=1), dtype=float).reshape(-1, 1)
        made = (self.mean + self.shift * total / total.mean()).astype(np.float32)
        if SETTINGS.get("fold") not in self.trained:
            made = FAULTS[SETTINGS.get("fault", "none")](made)
        return made


def raises(made):
    raise ValueError("as told")


def exits(made):
    raise SystemExit(0)


def skips(made):
    pytest.skip("as told")


def one(made, value):
    made = made.copy()
    made[len(made) // 2, 0] = value
    return made


FAULTS = {
    "none": lambda made: made,
    "nan": lambda made: one(made, np.nan),
    "infinite": lambda made: one(made, np.inf),
    "short": lambda made: made[:-1],
    "long": lambda made: np.vstack([made, made[:1]]),
    "wide": lambda made: np.hstack([made, made[:, :1]]),
    "transposed": lambda made: made.T,
    "flat": lambda made: made.ravel(),
    "text": lambda made: made.astype(str),
    "complex": lambda made: made.astype(complex) + 1j,
    "nothing": lambda made: None,
    "a list of lists": lambda made: [list(row) for row in made[:-1]],
    "raises": raises,
    "exits": exits,
    "skips": skips,
}


@pytest.fixture
def told():
    return Model(SETTINGS.get("shift", 0.25))
'''


@dataclass(frozen=True)
class Session:
    """What one session did: its exit code (negative: a signal), what it printed, what it saved."""

    code: int
    out: str
    saved: Path

    @cached_property
    def results(self) -> dict | None:
        """The results file; None where there is none."""
        return json.loads(self.saved.read_text()) if self.saved.exists() else None

    @cached_property
    def numbers(self) -> dict | None:
        """All scores, by what they are of, without what differs from run to run."""
        if self.results is None:
            return None
        return {
            (s["model"], s["metric"], s["split"], s.get("fold")): {
                name: value for name, value in s.items() if name not in ("seconds", "peak_memory_mb")
            }
            for s in self.results["scores"]
        }


@dataclass
class Place:
    """A folder with a small task, a model that can be told to misbehave, and stores."""

    folder: Path
    stores: int = 0
    runs: int = 0
    sessions: int = 0
    running: dict[int, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write("pytest.ini", "[pytest]\n")
        self.write("mini.stbench.yaml", yaml.safe_dump(TASK, sort_keys=False))
        self.write("conftest.py", MODEL)
        self.tell()

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def tell(self, **settings) -> None:
        """Tell the model what to do: ``shift`` (an argument), ``fault`` and the ``fold`` that it befalls."""
        self.write("settings.json", json.dumps(settings))

    def store(self, *, of: Path | None = None) -> Path:
        """Return a new store: empty, or a copy of another."""
        self.stores += 1
        path = self.folder / f"store{self.stores}"
        if of is not None:
            shutil.copytree(of, path)
        return path

    def start(self, store: Path, *arguments: str, at_event: tuple[int, int] | None = None, limit=None) -> int:
        """Start a session and return its process id.

        `at_event`: the number of an event (a file of the store is opened, renamed or removed) and the
        signal that the process gets there. `limit`: no file of the process grows beyond so many bytes.
        """
        self.runs += 1
        self.sessions += 1
        saved = self.folder / f"run{self.runs}.json"
        log = saved.with_suffix(".log")
        pid = os.fork()
        if pid == 0:
            code = 99
            try:
                os.setsid()
                os.chdir(self.folder)
                handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(handle, 1)
                os.dup2(handle, 2)
                # A test that forks has put its own files in the place of these.
                sys.stdout = sys.stderr = os.fdopen(handle, "w", buffering=1)
                # What the run around this one makes of warnings is not its business.
                warnings.resetwarnings()
                for number in (signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                if at_event is not None:
                    sys.addaudithook(at(store, *at_event))
                else:
                    sys.addaudithook(counting(store, saved.with_suffix(".events")))
                if limit is not None:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
                given = ("--stbench-model=told", f"--stbench-store={store}", f"--stbench-save={saved}")
                code = int(pytest.main([*PLAIN, *given, *arguments]))
                sys.stdout.flush()
            finally:
                os._exit(code)
        self.running[pid] = saved
        return pid

    def wait(self, pid: int, *, seconds: float = 300) -> Session:
        """Wait for a session to end; one that takes longer is ended, with the code -9."""
        saved = self.running.pop(pid)
        end = time.monotonic() + seconds
        done, status = os.waitpid(pid, os.WNOHANG)
        while not done and time.monotonic() < end:
            time.sleep(0.01)
            done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            os.kill(pid, signal.SIGKILL)
            done, status = os.waitpid(pid, 0)
        log = saved.with_suffix(".log")
        return Session(os.waitstatus_to_exitcode(status), log.read_text(errors="replace"), saved)

    def run(self, store: Path, *arguments: str, **how) -> Session:
        """Run a session to its end."""
        return self.wait(self.start(store, *arguments, **how))

    @cached_property
    def reference(self) -> Session:
        """A session that nothing happens to, on a store of its own (``reference_store``)."""
        self.tell()
        session = self.run(self.reference_store)
        assert session.code == 0, session.out
        return session

    @cached_property
    def reference_store(self) -> Path:
        return self.store()

    @cached_property
    def events(self) -> int:
        """How many events of the store a session that computes everything has."""
        return int(self.reference.saved.with_suffix(".events").read_text())

    def differs(self, session: Session, reference: Session | None = None) -> str | None:
        """Return what is wrong with a session that should be as the reference; None where nothing is."""
        reference = reference or self.reference
        if session.code != reference.code:
            return f"exit code {session.code} where {reference.code} is right: {tail(session.out)}"
        if "Traceback (most recent call last)" in session.out:
            return f"a traceback: {tail(session.out)}"
        if session.numbers != reference.numbers:
            places = [
                key for key, value in reference.numbers.items() if (session.numbers or {}).get(key) != value
            ]
            return f"other scores: {places[:3]}"
        return None

    def differs_in_numbers(self, session: Session) -> bool:
        """Return whether one of the scores that a session saved is another than in the reference."""
        return any(value != self.reference.numbers.get(key) for key, value in session.numbers.items())

    def clear(self) -> None:
        """Remove what trials left, but for the reference."""
        kept = {self.reference_store.name} if "reference_store" in self.__dict__ else set()
        for path in self.folder.glob("store*"):
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)
        first = self.reference.saved.stem if "reference" in self.__dict__ else ""
        for path in self.folder.glob("run*.*"):
            if path.stem != first:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def touches(store: Path):
    prefix = str(store)
    kinds = {"open", "os.rename", "os.remove", "os.mkdir"}

    def of_the_store(event: str, arguments: tuple) -> bool:
        return (
            event in kinds
            and isinstance(arguments[0], str | os.PathLike)
            and os.fspath(arguments[0]).startswith(prefix)
        )

    return of_the_store


def at(store: Path, number: int, sign: int):
    """Return an audit hook that sends `sign` to the process at the event of that number."""
    of_the_store = touches(store)
    seen = 0

    def hook(event, arguments):
        nonlocal seen
        if of_the_store(event, arguments):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), sign)

    return hook


def counting(store: Path, path: Path):
    """Return an audit hook that writes the number of events of the store to `path` when pytest has ended."""
    of_the_store = touches(store)
    seen = 0

    def hook(event, arguments):
        nonlocal seen
        if of_the_store(event, arguments):
            seen += 1
            with contextlib.suppress(OSError):
                os.truncate(handle, 0)
                os.pwrite(handle, str(seen).encode(), 0)

    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    return hook


def tail(text: str) -> str:
    return " | ".join(text.strip().splitlines()[-4:])


def warmed(folder: Path) -> None:
    """Import and compile what sessions need, in this process, before the first is forked."""
    for module in pkgutil.walk_packages(pytest_stbench.__path__, "pytest_stbench."):
        if module.name != "pytest_stbench.collection.schedule":
            importlib.import_module(module.name)
    place = Place(folder)
    before = dict(sys.modules), list(sys.path)
    said = io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        warnings.catch_warnings(),
    ):
        warnings.resetwarnings()
        code = pytest.main([*PLAIN, "--stbench-model=told", f"--stbench-store={place.store()}"])
    assert code == 0, said.getvalue()
    for name in set(sys.modules) - set(before[0]):
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]
    sys.path[:] = before[1]
    gc.collect()
    gc.freeze()
