"""A real scheduler and real workers of dask.distributed, each a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

import pytest_stbench

LAB = '''
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FOLDS = {f"P0{number}" for number in range(1, 7)}


class Mean:
    """The training mean; notes each fit, and does what the file do-FOLD says."""

    name = "lab"
    revision = "1"

    def fit(self, train, task):
        (fold,) = FOLDS - {slide.meta.patient_id for slide in train}
        with (HERE / "fits").open("a") as file:
            file.write(f"{fold} {os.getppid()} {os.getpid()}\\n")
        if (HERE / f"do-{fold}").exists():
            exec((HERE / f"do-{fold}").read_text())
        self.mean = np.nanmean(np.concatenate([slide.target for slide in train]), axis=0)

    def impute(self, slide, observed_genes, target_genes):
        return np.tile(self.mean, (slide.n_units, 1)).astype(np.float32)


class Nameless(Mean):
    name = None


class Locked(Mean):
    """A model that no pickle can hold."""

    def __init__(self):
        self.lock = threading.Lock()


def locked_later():
    """A model of a class that no pickle can name, with a lock that its fit makes."""

    class Later(Mean):
        def fit(self, train, task):
            self.lock = threading.Lock()
            super().fit(train, task)

    return Later()
'''
WAIT = """
while not (HERE / "go").exists():
    time.sleep(0.05)
"""
PACKAGE = Path(pytest_stbench.__file__).parent
FOLDS = [f"P0{number}" for number in range(1, 7)]
LADDER = 4
"""Baselines of the small task that a run counts: each has a prediction for each fold."""
START = "from pytest_stbench.cli import main; main()"


def waited(until, what, seconds=300):
    """Return what `until` gives once it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = until()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not in {seconds} s")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Machines:
    """A scheduler and its workers, ended with the block."""

    def __init__(self, folder, **environment):
        self.folder = folder
        self.environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        self.processes = []
        port = free_port()
        self.address = f"tcp://127.0.0.1:{port}"
        self.scheduler = self._start(
            "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"
        )

    def worker(self, *options, limit="", path=None, nanny=False):
        """Start a worker; `limit` is for ulimit, `path` comes before the folder of the model."""
        return self._start(
            "distributed.cli.dask_worker", self.address, "--nthreads", 1, "--no-dashboard",
            "--nanny" if nanny else "--no-nanny", "--local-directory", self.folder / "scratch", *options,
            limit=limit, cwd=path or self.folder,
            PYTHONPATH=os.pathsep.join(map(str, [*([path] if path else []), self.folder])),
        )  # fmt: skip

    def _start(self, module, *arguments, limit="", cwd=None, **environment):
        command = ["bash", "-c", f'{limit or "true"}; exec "$@"', "bash", sys.executable, "-m", module]
        # Where a worker may write no file it may write no log either.
        with Path(os.devnull if limit else self.folder / "log").open("a") as log:
            process = subprocess.Popen(
                [*command, *map(str, arguments)],
                env={**self.environment, **environment}, stdout=log, stderr=log, cwd=cwd or self.folder,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def joined(self, number):
        """Wait for workers; return the addresses of all."""
        import distributed

        with distributed.Client(self.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(number, timeout=60)
            return sorted(client.nthreads())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


def started(folder, *arguments, errors=subprocess.STDOUT, **environment):
    """Start a command of ``stbench`` in a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", START, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=errors, text=True, cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment}, start_new_session=True,
    )  # fmt: skip


class Lab:
    """A folder with a task file and the module ``lab``, and commands that are given there."""

    def __init__(self, folder, bench):
        self.folder = folder
        self.bench = bench
        self.task = bench.task("mini")
        (folder / "lab.py").write_text(LAB)

    def afresh(self):
        """Forget what the tests before did."""
        for path in [*self.folder.glob("do-*"), self.folder / "go", self.folder / "fits"]:
            path.unlink(missing_ok=True)

    def does(self, fold, text):
        """Let the fit of a fold do more."""
        (self.folder / f"do-{fold}").write_text(text)

    def fits(self):
        """The fits so far: fold, process of the worker, process of the cell."""
        path = self.folder / "fits"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def start(self, store, *options, model="import:lab:Mean", task=None, **environment):
        """Start ``stbench predict``."""
        return started(
            self.folder, "predict", task or self.task, f"--model={model}", f"--stbench-store={store}",
            *options, PYTHONPATH=str(self.folder), **environment,
        )  # fmt: skip

    def predict(self, store, *options, **how):
        """Run ``stbench predict``; return its exit code and what it said."""
        return said(self.start(store, *options, **how))

    def scored(self, store, model="import:lab:Mean"):
        """Run pytest on the same store; return (computed, reused) as its summary counts them."""
        run = self.bench.subprocess(
            self.task, f"--stbench-model={model}", f"--stbench-store={store}",
            PYTHONPATH=str(self.folder), timeout=600,
        )  # fmt: skip
        found = re.search(r"store .*: (\d+) cells computed, (\d+) reused", run.stdout)
        assert found, run.stdout + run.stderr
        assert " failed" not in run.stdout, run.stdout
        return int(found[1]), int(found[2])


def said(process, seconds=600):
    """Return the exit code of a command, and its output; no traceback of ours is among it."""
    try:
        out, _ = process.communicate(timeout=seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert f'File "{PACKAGE}' not in out, out
    assert "distributed/" not in out, out
    return process.returncode, out


HOLD = """
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent

if "pytest_stbench.cluster.cell_process" in sys.orig_argv:
    from pytest_stbench.cluster.work import Work

    do = Work.do

    def held(label):
        if (HERE / "hold").exists() and (HERE / "hold").read_text() == label:
            (HERE / "held").touch()
            while not (HERE / "go").exists():
                time.sleep(0.05)

    def noted(self, job):
        with (HERE / "jobs").open("a") as file:
            file.write(f"{job.label}\\t{os.getppid()}\\t{os.getpid()}\\n")
        if hasattr(job, "table"):
            import anndata

            write = anndata.AnnData.write_h5ad

            def half(made, path, **how):
                write(made, path, **how)
                held(job.label)

            anndata.AnnData.write_h5ad = half
            try:
                return do(self, job)
            finally:
                anndata.AnnData.write_h5ad = write
        held(job.label)
        return do(self, job)

    Work.do = noted
"""
"""Read by every process of Python that is started there: those of workers note jobs, and wait in one."""


class Watched:
    """A folder whose workers note their jobs in a file, and wait in the one that :meth:`hold` names."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "sitecustomize.py").write_text(HOLD)

    def hold(self, label):
        """Let a job wait: of a table half written, of others before it begins."""
        (self.folder / "hold").write_text(label)

    def go(self):
        """Let it go on, and all that come."""
        (self.folder / "go").touch()

    def jobs(self, label=None):
        """The jobs so far: label, process of the worker, process of the job."""
        path = self.folder / "jobs"
        lines = [line.split("\t") for line in path.read_text().splitlines()] if path.exists() else []
        return [(of, int(worker), int(process)) for of, worker, process in lines if label in (None, of)]

    def afresh(self):
        """Forget what was done before."""
        for name in ("hold", "held", "go", "jobs"):
            (self.folder / name).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def lab(make_bench):
    bench = make_bench("lab")
    return Lab(bench.folder, bench)


@pytest.fixture(autouse=True)
def _afresh(request):
    if "lab" in request.fixturenames:
        request.getfixturevalue("lab").afresh()


@pytest.fixture
def machines(lab):
    """A scheduler of the test's own, without workers."""
    with Machines(lab.folder) as made:
        yield made


class CountingProxy:
    """Passes a TCP port on, and counts bytes."""

    def __init__(self, address):
        host, port = address.removeprefix("tcp://").split(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self.bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                ours, _ = self._listener.accept()
                theirs = socket.create_connection(self._target)
                for one, other in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self.bytes += len(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self):
        self._listener.close()


def tasks_of(path, name, **params):
    """Write a task file like that of `path` with other slides; return its path."""
    spec = yaml.safe_load(Path(path).read_text())
    spec["name"] = name
    spec["datasets"]["sim"]["params"].update(params)
    other = Path(path).with_name(f"{name}.stbench.yaml")
    other.write_text(yaml.safe_dump(spec, sort_keys=False))
    return other
