"""Workers that cannot do what is asked say why in one sentence, and others do it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="dask.distributed is not installed (extra `dask`)")

import pytest_stbench

from .conftest import FOLDS, LADDER, free_port, tasks_of

ALL = len(FOLDS) * (LADDER + 1)
PACKAGE = Path(pytest_stbench.__file__).parent


def without_package(folder):
    (folder / "pytest_stbench.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'pytest_stbench'\")"
    )
    return {"path": folder}


def copied(folder, name, old, new):
    shutil.copytree(PACKAGE, folder / "pytest_stbench", ignore=shutil.ignore_patterns("__pycache__"))
    for link in (folder / "pytest_stbench" / "resources").iterdir():
        assert link.exists()
    path = folder / "pytest_stbench" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return {"path": folder}


def of_another_version(folder):
    return copied(folder, "__init__.py", f'"{pytest_stbench.__version__}"', '"0.0.9"')


def of_other_code(folder):
    return copied(folder, "baselines/train_mean.py", "from __future__", "# edited\nfrom __future__")


def without_model(folder):
    (folder / "lab.py").write_text("import torch_that_is_not_there\n")
    return {"path": folder}


def read_only(folder):
    del folder
    return {"limit": "ulimit -f 0"}


def full(folder):
    del folder
    return {"limit": "ulimit -f 4"}


HERE = f"pytest-stbench {pytest_stbench.__version__}"
UNFIT = {
    without_package: f"has no {HERE} (No module named 'pytest_stbench'): install it there",
    of_another_version: "has pytest-stbench 0.0.9, and the command was given with ",
    of_other_code: f"has other code of {HERE} (or of packages that add records to it) than the machine ",
    without_model: "does not have the model import:lab:Mean: ",
    read_only: "cannot write to the store ",
    full: "computes in vain: predictions cannot be kept in ",
}


def test_unfit_workers_say_why_and_another_one_does_all_cells(lab, machines, tmp_path):
    addresses = {}
    for kind in UNFIT:
        folder = tmp_path / kind.__name__
        folder.mkdir()
        addresses[kind] = started(machines, **kind(folder))
    fit = started(machines)
    machines.joined(len(UNFIT) + 1)
    tasks = [tasks_of(lab.task, name, units=200) for name in ("one", "two")]
    code, out = lab.predict(tmp_path / "store", tasks[1], "--dask", machines.address, task=tasks[0])
    assert code == 0, out
    told = dict(re.findall(r"^worker (tcp://\S+) (.*)$", out, re.MULTILINE))
    for kind, why in UNFIT.items():
        assert told.pop(addresses[kind], "nothing").startswith(why), (kind.__name__, out)
    assert not told
    assert len(re.findall(rf"(?:Mean|checks) .* on {fit}$", out, re.MULTILINE)) >= 2 * len(FOLDS)
    assert f"14 of 14 jobs done; {2 * ALL} predictions computed, 0 reused" in out


def started(machines, **how):
    """Start a worker; return its address."""
    port = free_port()
    machines.worker("--worker-port", port, "--host", "127.0.0.1", **how)
    return f"tcp://127.0.0.1:{port}"


def test_without_a_fit_worker_nothing_is_done_and_the_reasons_are_listed(lab, machines, tmp_path):
    folder = tmp_path / "unfit"
    folder.mkdir()
    for _ in range(2):
        machines.worker(**without_model(folder))
    machines.joined(2)
    code, out = lab.predict(tmp_path / "store", "--dask", machines.address)
    assert code == 2
    assert f"no worker of {machines.address} can do what was asked:" in out
    assert "No module named 'torch_that_is_not_there'" in out
    assert lab.fits() == []
