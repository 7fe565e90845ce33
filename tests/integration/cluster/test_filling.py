"""Workers fill the store, and pytest scores from it with nothing computed anew."""

from __future__ import annotations

import contextlib
import os
import signal
import socket

import pytest

pytest.importorskip("distributed", reason="dask.distributed is not installed (extra `dask`)")

from .conftest import FOLDS, LADDER, WAIT, CountingProxy, Machines, said, tasks_of, waited

ALL = len(FOLDS) * (LADDER + 1)


@pytest.fixture(scope="module")
def steady(lab):
    """Two workers that all tests of this file share."""
    with Machines(lab.folder) as made:
        made.worker()
        made.worker()
        made.joined(2)
        yield made


def test_two_workers_fill_the_store_and_pytest_computes_nothing(lab, steady, tmp_path):
    code, out = lab.predict(tmp_path / "store", "--dask", steady.address, CI="true")
    assert code == 0, out
    assert f"7 of 7 jobs done; {ALL} predictions computed, 0 reused" in out
    fits = lab.fits()
    assert sorted(fold for fold, _, _ in fits) == FOLDS
    assert len({worker for _, worker, _ in fits}) == 2
    lines = out.splitlines()
    assert len([line for line in lines if line.startswith("[") and " on tcp://" in line]) == len(FOLDS) + 1
    assert max(map(len, lines)) <= 160
    assert lab.scored(tmp_path / "store") == (0, ALL)
    assert lab.fits() == fits
    assert not list((tmp_path / "store").glob(".at-work-*"))
    # Nobody holds slides in memory for a command that has ended.
    waited(lambda: not any(alive(int(process)) for _, _, process in fits), "the processes of cells end")


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_second_command_computes_nothing(lab, steady, tmp_path):
    lab.predict(tmp_path / "store", "--dask", steady.address)
    before = lab.fits()
    code, out = lab.predict(tmp_path / "store", "--dask", steady.address)
    assert code == 0
    assert f"0 predictions computed, {ALL} reused" in out
    assert lab.fits() == before


def test_what_travels_does_not_grow_with_the_slides(lab, steady, tmp_path):
    sent = {}
    for units in (60, 600):
        proxy = CountingProxy(steady.address)
        task = tasks_of(lab.task, f"units{units}", units=units)
        code, out = lab.predict(tmp_path / f"store{units}", "--dask", proxy.address, task=task)
        proxy.close()
        assert code == 0, out
        sent[units] = proxy.bytes
    slides = sum(path.stat().st_size for path in (tmp_path / "store600").glob("predictions/*/*.npz"))
    assert slides > 300_000
    assert 6 * 500 < sent[600] < 6 * 10_000
    assert abs(sent[600] - sent[60]) < 5_000


def test_two_commands_on_one_store_compute_each_cell_once(lab, steady, tmp_path):
    for fold in FOLDS:
        lab.does(fold, "time.sleep(0.5)")
    commands = [lab.start(tmp_path / "store", "--dask", steady.address) for _ in range(2)]
    outs = [said(command) for command in commands]
    assert [code for code, _ in outs] == [0, 0], outs
    assert sorted(fold for fold, _, _ in lab.fits()) == FOLDS
    assert lab.scored(tmp_path / "store") == (0, ALL)


def test_an_interrupted_command_leaves_a_store_that_resumes(lab, steady, tmp_path):
    for fold in FOLDS[2:]:
        lab.does(fold, WAIT)
    command = lab.start(tmp_path / "store", "--dask", steady.address)
    started = waited(lambda: len(lab.fits()) >= 4 and lab.fits(), "two fits that wait")
    command.send_signal(signal.SIGINT)
    code, out = said(command)
    assert code == 130
    assert "interrupted: 3 of 7 jobs are done and kept in " in out
    processes = {int(process) for _, _, process in started}
    waited(lambda: not any(map(alive, processes)), "the processes of cells end")
    (lab.folder / "go").touch()
    code, out = lab.predict(tmp_path / "store", "--dask", steady.address)
    assert code == 0, out
    done = [fold for fold, _, _ in lab.fits()]
    assert {fold: done.count(fold) for fold in FOLDS[:2]} == dict.fromkeys(FOLDS[:2], 1)
    assert lab.scored(tmp_path / "store") == (0, ALL)


def test_cells_that_never_end_are_stopped_by_the_timeout_of_the_task(lab, steady, tmp_path):
    lab.does("P02", "time.sleep(600)")
    lab.does("P04", "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM}); time.sleep(600)")
    lab.does("P05", "os._exit(0)")
    task = tasks_of(lab.task, "limited")
    task.write_text(task.read_text() + "timeout: 2\n")
    code, out = lab.predict(tmp_path / "store", "--dask", steady.address, task=task, CI="true")
    assert code == 1
    assert "limited sim-lopo-P02: failed: fit took longer than the 2 s of `timeout`" in " ".join(out.split())
    text = " ".join(out.split())
    assert "Mean limited sim-lopo-P04: the model ran past its timeout, could not be interrupted" in text
    assert "the model ended the process by os._exit(0) (phase fit)" in text
    assert "4 of 7 jobs done, 3 failed" in out
    assert sorted(fold for fold, _, _ in lab.fits()) == FOLDS
    assert max(map(len, out.splitlines())) <= 160


def test_local_workers_need_no_cluster(lab, tmp_path):
    with socket.socket() as other:
        with contextlib.suppress(OSError):  # another scheduler has the port of dask's status page already
            other.bind(("127.0.0.1", 8787))
            other.listen()
        code, out = lab.predict(tmp_path / "store", "--dask", "local:2")
    assert code == 0, out
    assert f"7 of 7 jobs done; {ALL} predictions computed" in out
    assert lab.scored(tmp_path / "store") == (0, ALL)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("Nameless", "predictions of Nameless cannot be kept, since it has no `name` and `revision`"),
        ("Locked", "predictions of Locked stay in memory, since it holds what has no digest: lock"),
    ],
)
def test_a_model_that_cannot_be_known_again_is_refused_before_it_is_fitted(lab, steady, tmp_path, model, why):
    code, out = lab.predict(tmp_path / "store", "--dask", steady.address, model=f"import:lab:{model}")
    assert code == 2
    assert f"would fill no store: {why}" in " ".join(out.split())
    assert lab.fits() == []


def test_a_model_that_no_pickle_can_hold_is_made_by_the_workers(lab, steady, tmp_path):
    code, out = lab.predict(tmp_path / "store", "--dask", steady.address, model="import:lab:locked_later")
    assert code == 0, out
    assert lab.scored(tmp_path / "store", "import:lab:locked_later") == (0, ALL)
