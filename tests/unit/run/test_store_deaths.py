from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from pytest_stbench.run import archive, store
from pytest_stbench.run.keys import cell_key
from pytest_stbench.run.store import ModelEndedProcess, Store

PARTS = {"task": {}, "dataset": "d", "train": [], "test": [], "seed": 0, "model": "m", "genes": []}
KEY = cell_key(PARTS)
VALUES = {"slide/1 ä": np.arange(6, dtype=np.float32).reshape(3, 2), "b": np.ones((1, 2), np.float32)}


PRELUDE = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from pytest_stbench.run.store import Store
root, key = Path(sys.argv[1]), sys.argv[2]
store = Store(root)
VALUES = {"s": np.ones((2, 2), np.float32)}
def count():
    with (root.parent / "fits").open("a") as file:
        file.write("fit\\n")
"""


def start(tmp_path, body, key=KEY):
    code = PRELUDE + textwrap.dedent(body)
    command = [sys.executable, "-c", code, str(tmp_path / "store"), key]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(tmp_path, body, key=KEY):
    process = start(tmp_path, body, key)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def left_in(root, folder):
    return sorted(path.name for path in (root / folder).rglob("*") if path.is_file())


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_ends_in_python_leaves_no_marker(tmp_path, error):
    held = Store(tmp_path)

    def fit():
        with held.claim(KEY, "m") as claim:
            assert left_in(tmp_path, "starts") == [f"{KEY}.json"]
            claim.phase("fit")
            raise error

    with pytest.raises(error):
        fit()
    assert left_in(tmp_path, "starts") == []
    with held.claim(KEY, "m") as claim:
        assert claim.stored is None


def test_ctrl_c_removes_the_marker(tmp_path):
    process = start(
        tmp_path,
        """
        with store.claim(key, "m") as claim:
            print("in", flush=True)
            time.sleep(30)
        """,
    )
    assert process.stdout.readline() == "in\n"
    assert left_in(tmp_path / "store", "starts") == [f"{KEY}.json"]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in err
    assert left_in(tmp_path / "store", "starts") == []


DEATHS = {
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "os._exit": "os._exit(0)",
    "crash": "os.abort()",
}


@pytest.mark.skipif(os.name != "posix", reason="signals that kill")
@pytest.mark.parametrize("death", DEATHS.values(), ids=DEATHS)
def test_a_model_that_ends_the_process_is_not_run_again(tmp_path, death):
    fit = f"""
    with store.claim(key, "mymodel on cell") as claim:
        claim.phase("fit")
        count()
        {death}
    """
    run(tmp_path, fit)
    held = Store(tmp_path / "store")
    for _ in range(2):
        with (
            pytest.raises(
                ModelEndedProcess,
                match=r"^mymodel on cell: the model ended .* \(phase fit\) \(process \d+ .*--stbench-retry",
            ) as caught,
            held.claim(KEY, "mymodel on cell"),
        ):
            pass
    assert caught.value.phase == "fit"
    assert caught.value.when[:2] == "20"
    with held.claim(KEY, "m", retry=True) as claim:
        assert claim.stored is None
        held.save(KEY, VALUES, {})
    with held.claim(KEY, "m") as claim:
        assert claim.stored is not None
    assert (tmp_path / "fits").read_text() == "fit\n"


def test_retry_does_not_run_twice_in_one_run(tmp_path):
    first = Store(tmp_path, run_id="run 1")
    first._prepare()
    marker = {"label": "m", "phase": "fit", "run": "run 2"}
    archive.write_json(tmp_path / "starts" / f"{KEY}.json", marker)
    with pytest.raises(ModelEndedProcess), Store(tmp_path, run_id="run 2").claim(KEY, "m", retry=True):
        pass
    with Store(tmp_path, run_id="run 3").claim(KEY, "m", retry=True) as claim:
        assert claim.stored is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}"])
def test_a_marker_that_cannot_be_read_is_a_marker(tmp_path, content):
    path = tmp_path / "starts" / f"{KEY}.json"
    path.parent.mkdir()
    path.write_bytes(content)
    with (
        pytest.raises(ModelEndedProcess, match=f"phase unknown.*{KEY}.json") as caught,
        Store(tmp_path).claim(KEY, "m"),
    ):
        pass
    assert caught.value.when is None


def test_a_death_by_timeout_says_so(tmp_path):
    run(tmp_path, 'with store.claim(key, "m") as claim:\n    claim.died()\n    os._exit(70)\n')
    with (
        pytest.raises(ModelEndedProcess, match="ran past its timeout, could not be interrupted") as caught,
        Store(tmp_path / "store").claim(KEY, "m"),
    ):
        pass
    assert caught.value.phase == "timeout"


def test_a_marker_beside_a_result_is_cleared(tmp_path):
    run(tmp_path, 'with store.claim(key, "m"):\n    store.save(key, VALUES, {})\n    os._exit(1)\n')
    held = Store(tmp_path / "store")
    assert left_in(held.root, "starts") == [f"{KEY}.json"]
    with held.claim(KEY, "m") as claim:
        assert claim.stored is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_forked_child_clears_neither_marker_nor_lock_of_its_parent(tmp_path):
    _, out, err = run(
        tmp_path,
        """
        import subprocess
        with store.claim(key, "m"):
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                marked = (root / "starts" / f"{key}.json").exists()
                probe = "import sys; from pathlib import Path; from pytest_stbench.run.lock import locked\\n"
                probe += "with locked(Path(sys.argv[1]), wait=False) as had: print(had)"
                command = [sys.executable, "-c", probe, str(store._lock(key))]
                print(marked, subprocess.check_output(command, text=True))
        """,
    )
    assert out.split() == ["True", "False"], err


@pytest.mark.skipif(os.name != "posix", reason="signals that kill")
def test_a_kill_during_the_write_serves_nothing_half_written(tmp_path):
    code, _, _ = run(
        tmp_path,
        """
        from pytest_stbench.run import archive
        archive.os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
        store._prepare = lambda: None
        with store.claim(key, "m"):
            count()
            archive.write_archive(store._prediction(key), VALUES, key=key, meta={})
        """,
    )
    root = tmp_path / "store"
    assert code == -signal.SIGKILL
    leftovers = left_in(root, "starts") + left_in(root, "predictions")
    assert leftovers
    assert all(name.endswith(".tmp") for name in leftovers)
    held = Store(root)
    assert held.load(KEY) is None
    with held.claim(KEY, "m", retry=True) as claim:
        assert claim.stored is None
        assert [n for n in left_in(root, "starts") + left_in(root, "predictions") if n.endswith(".tmp")] == []


@pytest.fixture
def half_written(tmp_path):
    path = Store(tmp_path)._prediction(KEY)
    path.parent.mkdir(parents=True)
    temporary = path.parent / f"{path.name}.0123456789abcdef.tmp"
    temporary.write_bytes(b"half")
    return temporary


def test_what_a_dead_writer_of_another_cell_left_is_cleared(tmp_path, half_written):
    with Store(tmp_path).claim(cell_key({**PARTS, "seed": 5}), "m"):
        pass
    assert not half_written.exists()


def test_what_a_living_process_is_writing_is_left_alone(tmp_path, half_written):
    process = start(
        tmp_path.parent,
        f"""
        from pytest_stbench.run.lock import locked
        with locked(Path({str(Store(tmp_path)._lock(KEY))!r})):
            print("in", flush=True)
            time.sleep(30)
        """,
    )
    try:
        assert process.stdout.readline() == "in\n"
        with Store(tmp_path).claim(cell_key({**PARTS, "seed": 5}), "m"):
            pass
        assert half_written.exists()
    finally:
        process.kill()
        process.communicate()


def test_old_temporaries_without_a_lock_are_cleared(tmp_path, monkeypatch):
    memo = tmp_path / "remember" / "kind"
    memo.mkdir(parents=True)
    old, young = memo / "a.json.1.tmp", memo / "b.json.1.tmp"
    for path in (old, young):
        path.write_bytes(b"")
    os.utime(old, (time.time() - 2 * store.DAY,) * 2)
    with Store(tmp_path).claim(KEY, "m"):
        pass
    assert (old.exists(), young.exists()) == (False, True)


FIT = """
with store.claim(key, "m") as claim:
    if claim.stored is None:
        count()
        time.sleep(0.3)
        store.save(key, VALUES, {})
    else:
        assert (claim.stored.values["s"] == 1).all()
print("done")
"""


def test_processes_at_once_fit_once(tmp_path):
    processes = [start(tmp_path, FIT) for _ in range(3)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert out == "done\n", err
    assert (tmp_path / "fits").read_text() == "fit\n"


@pytest.mark.skipif(os.name != "posix", reason="signals that kill")
def test_a_waiting_process_goes_on_when_the_holder_dies(tmp_path):
    holder = start(tmp_path, 'with store.claim(key, "m"):\n    print("in", flush=True)\n    time.sleep(30)\n')
    assert holder.stdout.readline() == "in\n"
    waiter = start(
        tmp_path,
        """
        from pytest_stbench.run.store import ModelEndedProcess
        print("waiting", flush=True)
        try:
            with store.claim(key, "m"):
                print("fitted")
        except ModelEndedProcess as error:
            print("refused", error.pid)
        """,
    )
    assert waiter.stdout.readline() == "waiting\n"
    holder.kill()
    holder.communicate()
    assert waiter.communicate(timeout=60)[0] == f"refused {holder.pid}\n"
