"""Workers, processes and schedulers that are gone in the middle."""

from __future__ import annotations

import os
import signal
import threading

import pytest

pytest.importorskip("distributed", reason="dask.distributed is not installed (extra `dask`)")

from .conftest import FOLDS, LADDER, WAIT, Machines, said, waited

ALL = len(FOLDS) * (LADDER + 1)


@pytest.mark.parametrize(
    "whole", [False, True], ids=["the worker", "the worker with the process of the cell"]
)
def test_a_lost_worker_is_retried(lab, machines, tmp_path, whole):
    machines.worker()
    machines.worker()
    machines.joined(2)
    lab.does("P03", WAIT)
    command = lab.start(tmp_path / "store", "--dask", machines.address)

    def at_work():
        return next(((int(w), int(p)) for fold, w, p in lab.fits() if fold == "P03"), None)

    worker, process = waited(at_work, "the fit of P03")
    for number in (process, worker) if whole else (worker,):
        os.kill(number, signal.SIGKILL)
    waited(lambda: [fold for fold, _, _ in lab.fits()].count("P03") == 2, "a second fit of P03")
    (lab.folder / "go").touch()
    code, out = said(command)
    assert code == 0, out
    assert "7 of 7 jobs done" in out
    again = [int(w) for fold, w, _ in lab.fits() if fold == "P03"]
    assert len(set(again)) == 2
    assert lab.scored(tmp_path / "store") == (0, ALL)


def test_a_process_that_the_system_ends_costs_its_cell_alone(lab, machines, tmp_path):
    machines.worker()
    lab.does("P02", "os.kill(os.getpid(), signal.SIGKILL)")  # as it does for want of memory
    code, out = lab.predict(tmp_path / "store", "--dask", machines.address)
    assert code == 1
    assert "6 of 7 jobs done, 1 failed" in out
    assert "the process ended while the model ran (phase fit)" in out
    assert [fold for fold, _, _ in lab.fits()].count("P02") == 1


def test_a_cell_that_takes_every_worker_with_it_is_given_up(lab, tmp_path):
    lab.does("P02", "os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)")
    with Machines(lab.folder, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as machines:
        for _ in range(3):
            machines.worker()
        machines.joined(3)
        code, out = lab.predict(tmp_path / "store", "--dask", machines.address)
    assert code == 1
    assert "Mean mini sim-lopo-P02: every worker that did it was lost, also with nothing else to do: " in out
    assert "6 of 7 jobs done, 1 failed" in out
    assert [fold for fold, _, _ in lab.fits()].count("P02") == 2


def test_a_scheduler_that_is_gone_leaves_a_store_that_resumes(lab, machines, tmp_path):
    machines.worker()
    for fold in FOLDS[1:]:
        lab.does(fold, WAIT)
    command = lab.start(tmp_path / "store", "--dask", machines.address)
    waited(lambda: len(lab.fits()) >= 2, "a fit that waits")
    machines.scheduler.kill()
    code, out = said(command)
    assert code == 2
    assert out.splitlines()[-1] == (
        f"the scheduler at {machines.address} is gone: what was done is in {tmp_path / 'store'}, and "
        "the same command does the rest where a scheduler answers"
    )
    (lab.folder / "go").touch()
    code, out = lab.predict(tmp_path / "store")
    assert code == 0, out
    assert [fold for fold, _, _ in lab.fits()].count("P01") == 1
    assert lab.scored(tmp_path / "store") == (0, ALL)


def test_where_no_scheduler_answers_one_sentence_says_so(lab, tmp_path):
    code, out = lab.predict(tmp_path / "store", "--dask", "tcp://127.0.0.1:9")
    assert code == 2
    (line,) = out.splitlines()
    assert line.startswith("--dask tcp://127.0.0.1:9: no scheduler of dask answers there (")
    assert line.endswith("): start one with `dask scheduler`, or use --dask local:N")


def test_cells_of_a_model_wait_for_a_worker_that_offers_what_they_need(lab, machines, tmp_path):
    plain = machines.worker()
    machines.joined(1)
    command = lab.start(tmp_path / "store", "--dask", machines.address, "--resources", "gpu=1", CI="true")
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(iter(command.stdout.readline, "")), daemon=True)
    reader.start()
    waited(lambda: sum("baselines mini" in line for line in lines) == len(FOLDS), "baselines of all folds")
    assert "no worker offers gpu=1 yet: cells of the model wait for one" in " ".join("".join(lines).split())
    assert lab.fits() == []
    gpu = machines.worker("--resources", "gpu=1")
    assert command.wait(timeout=600) == 0
    reader.join()
    assert {int(worker) for _, worker, _ in lab.fits()} == {gpu.pid}
    assert plain.pid != gpu.pid
    assert sorted(fold for fold, _, _ in lab.fits()) == FOLDS
    assert f"13 of 13 jobs done; {ALL} predictions computed" in "".join(lines)
