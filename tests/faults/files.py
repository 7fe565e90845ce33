"""Faults of single files, tried on the functions and commands that read them."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import traceback
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import yaml
from click.testing import CliRunner
from scipy import sparse

from pytest_stbench.cli import main
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import StbenchError
from pytest_stbench.results import load
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.store.store import Store

from ..unit.data.readers.bundles import (  # noqa: TID252  # what writes bundles stands beside its readers
    write_cosmx,
    write_merscope,
    write_xenium,
)
from .damage import damaged, edited
from .place import TASK

if TYPE_CHECKING:
    from .place import Place

SECONDS = 60
BYTES = 3 << 30
"""What a trial may take: files are of some kilobytes."""
SHIPPED = sorted((Path(__file__).parents[2] / "tasks").glob("*.yaml"))


def alone(trial):
    """Return the trial in a child of its own, so that a crash, a hang or a great allocation is an outcome."""

    def forked(place: Place, rng: np.random.Generator) -> str | None:
        here = place.folder / "trial"
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            said = "the process ended"
            try:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(SECONDS)
                limit = used() + BYTES
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    said = trial(here, rng) or ""
            except BaseException:  # noqa: BLE001  # whatever it is, it is no message for a user
                said = traceback.format_exc()[-400:]
            finally:
                os.write(writing, said.encode())
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read().decode(errors="replace")
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        rng.integers(2, size=64)  # the child's draws are its own: go on elsewhere
        if code:
            return f"the process was ended by signal {-code}"
        return said or None

    return forked


def used() -> int:
    """Return the address space of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def command(here: Path, *arguments: str, names: str) -> str | None:
    """Run a command; it may refuse with a message that names the file, and nothing else."""
    done = CliRunner().invoke(main, list(arguments))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return "".join(traceback.format_exception(done.exception))[-400:]
    if done.exit_code not in (0, 1, 2):
        return f"exit code {done.exit_code}"
    if done.exit_code == 2 and names not in done.output:
        return f"a message that does not name {names}: {done.output[:200]}"
    return None


@alone
def task_file(here: Path, rng: np.random.Generator) -> str | None:
    """A task file as somebody in a hurry leaves it: `stbench validate`."""
    source = SHIPPED[int(rng.integers(len(SHIPPED)))]
    for path in SHIPPED:
        (here / path.name).write_bytes(path.read_bytes())
    path = here / source.name
    path.write_text(edited(source.read_text(), rng), encoding="utf-8")
    shown = next(p for p in SHIPPED if p.name.startswith("her2st")) if source.name.startswith("_") else source
    return command(here, "validate", str(here / shown.name), names=path.name if shown is source else "")


@alone
def task_bytes(here: Path, rng: np.random.Generator) -> str | None:
    """A task file whose bytes are damaged: `stbench validate`."""
    path = here / "mini.stbench.yaml"
    path.write_text(yaml.safe_dump(TASK, sort_keys=False), encoding="utf-8")
    damaged(path, rng)
    return command(here, "validate", str(path), names=path.name)


@alone
def samples_sheet(here: Path, rng: np.random.Generator) -> str | None:
    """A sheet of samples as somebody in a hurry leaves it: `stbench check`."""
    n = 8
    table = pd.DataFrame(
        {"slide": [f"S{i}" for i in range(n)], "patient": [f"P{i // 2}" for i in range(n)],
         "technology": "Visium", "panel": "whole", "resolution": "spot", "organ": "breast",
         "disease": "carcinoma", "preservation": "FFPE", "split": ["train", "test"] * (n // 2)}
    )  # fmt: skip
    path = here / "samples.csv"
    path.write_text(edited(table.to_csv(index=False), rng), encoding="utf-8")
    return command(here, "check", str(path), names="samples.csv")


@cache
def bundle(folder: Path, vendor: str) -> Path:
    """Write a small bundle once; return its folder."""
    path = folder / "bundles" / vendor
    path.parent.mkdir(parents=True, exist_ok=True)
    if vendor == "h5ad":
        rng = np.random.default_rng(0)
        made = ad.AnnData(
            sparse.csr_matrix(rng.poisson(3, (40, 8)).astype(np.int32)),
            obs=pd.DataFrame({"kind": ["a", "b"] * 20}, index=[f"u{i}" for i in range(40)]),
            var=pd.DataFrame(index=["ERBB2", "EPCAM", "VIM", "CD3E", "CD8A", "MS4A1", "ACTB", "KRT8"]),
        )
        made.obsm["spatial"] = np.stack(np.divmod(np.arange(40.0), 8), axis=1) * 100
        made.uns["um_per_px"] = 1.0
        path.mkdir()
        made.write_h5ad(path / "S1.h5ad")
    else:
        {"xenium": write_xenium, "cosmx": write_cosmx, "merscope": write_merscope}[vendor](path)
    return path


VENDORS = ("h5ad", "xenium", "cosmx", "merscope")


def data_file(place: Place, rng: np.random.Generator) -> str | None:
    """A file of a bundle is damaged: slides are read, or an error says what is wrong."""
    vendor = VENDORS[int(rng.integers(len(VENDORS)))]
    source = bundle(place.folder, vendor)

    @alone
    def trial(here: Path, rng: np.random.Generator) -> str | None:
        copy = here / "S1"
        shutil.copytree(source, copy)
        files = sorted(path for path in copy.iterdir() if path.is_file())
        path = files[int(rng.integers(len(files)))]
        if path.suffix in (".csv", ".json", ".xenium") and rng.integers(2):
            path.write_text(edited(path.read_text(), rng), encoding="utf-8")
            how = "edited"
        else:
            how = damaged(path, rng, files)
        try:
            read(here, vendor)
        except StbenchError:
            return None
        except BaseException:  # noqa: BLE001  # no message for a user
            return f"{vendor}: {path.name} {how}: {traceback.format_exc()[-400:]}"
        return None

    return trial(place, rng)


def read(here: Path, vendor: str, **settings) -> None:
    """Read every slide of the bundle."""
    path = "S1/S1.h5ad" if vendor == "h5ad" else "S1"
    config = DatasetSpec(source=vendor, path=path, **settings)
    dataset = Dataset("d", config, load_samples(config, "d", [here]), [here])
    for name in dataset.slide_ids:
        slide = dataset.slide(name)
        assert slide.counts.shape[0] == len(slide.xy_um)


def label_table(place: Place, rng: np.random.Generator) -> str | None:
    """A table of labels as somebody in a hurry leaves it."""
    source = bundle(place.folder, "h5ad")

    @alone
    def trial(here: Path, rng: np.random.Generator) -> str | None:
        shutil.copytree(source, here / "S1")
        names = [f"u{i}" for i in range(40)]
        text = pd.DataFrame({"barcode": names, "niche": ["stroma", "tumour"] * 20}).to_csv(index=False)
        (here / "labels.csv").write_text(edited(text, rng), encoding="utf-8")
        labels = {"path": "labels.csv", "niche": "niche"}
        try:
            read(here, "h5ad", labels=labels)
        except StbenchError:
            return None
        return None

    return trial(place, rng)


def results_file(place: Place, rng: np.random.Generator) -> str | None:
    """A results file is damaged or edited: it is refused, or holds the scores that were written."""
    text = place.reference.saved.read_text()
    numbers = [score.value for score in load(place.reference.saved).scores]

    @alone
    def trial(here: Path, rng: np.random.Generator) -> str | None:
        path = here / "run.json"
        path.write_text(text)
        if rng.integers(2):
            path.write_text(edited(text, rng), encoding="utf-8")
        else:
            damaged(path, rng)
        try:
            found = [score.value for score in load(path).scores]
        except StbenchError:
            return None
        return (
            None
            if found == numbers or sorted(map(str, found)) == sorted(map(str, numbers))
            else "other scores"
        )

    return trial(place, rng)


@cache
def store_files(folder: Path) -> tuple[Path, tuple[tuple[str, str], ...]]:
    """Write a store with statistics and a prediction; return it and what was remembered."""
    root = folder / "kept"
    store = Store(root)
    rng = np.random.default_rng(1)
    memos = tuple(("statistics", f"key {i}") for i in range(20))
    for kind, key in memos:
        store.remember(kind, key, {"detection": rng.random(5).tolist(), "name": key})
    store.save(KEY, {"s": rng.random((20, 4), np.float32)}, {"seconds": 1.0})
    return root, memos


KEY = "ab" * 32


def as_kept(value: object) -> object:
    """Take what was remembered as it is."""
    return value


def store_file(place: Place, rng: np.random.Generator) -> str | None:
    """A file of the store is damaged: what it held is absent, or what was kept."""
    root, memos = store_files(place.folder)
    whole = Store(root)
    kept = {memo: whole.recall(*memo, as_kept) for memo in memos}
    values = whole.load(KEY)

    @alone
    def trial(here: Path, rng: np.random.Generator) -> str | None:
        copy = here / "kept"
        shutil.copytree(root, copy)
        files = sorted(
            path for path in copy.rglob("*") if path.is_file() and path.suffix in (".json", ".npz")
        )
        path = files[-1] if rng.integers(3) == 0 else files[int(rng.integers(len(files)))]
        how = damaged(path, rng, files)
        store = Store(copy)
        for memo, value in kept.items():
            if store.recall(*memo, as_kept) not in (None, value):
                return f"{path.name} {how}: another value of {memo}"
        found = store.load(KEY)
        if found is not None and (
            json.dumps(found.meta) != json.dumps(values.meta)
            or not np.array_equal(found.values["s"], values.values["s"])
        ):
            return f"{path.name} {how}: another prediction"
        return None

    return trial(place, rng)
