from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from pytest_stbench.data.atomic import unsealed, write_sealed
from pytest_stbench.store import marker, store
from pytest_stbench.store.keys import cell_key
from pytest_stbench.store.marker import ModelEndedProcess
from pytest_stbench.store.store import Store

PARTS = {"task": {}, "dataset": "d", "train": [], "test": [], "seed": 0, "model": "m", "genes": []}
KEY = cell_key(PARTS)
VALUES = {"slide/1 ä": np.arange(6, dtype=np.float32).reshape(3, 2), "b": np.ones((1, 2), np.float32)}


PRELUDE = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from pytest_stbench.store.store import Store
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


FIT = """
from pytest_stbench.calls.process_end import HonestExits
HonestExits().start()
with store.claim(key, "mymodel on cell", retry="retry" in sys.argv) as claim:
    claim.phase("fit")
    count()
    {death}
    store.save(key, VALUES, {{}})
"""
UNKNOWN = {"killed": "os.kill(os.getpid(), signal.SIGKILL)", "crash": "os.abort()"}


def refused(root, **named):
    """Return the error of a claim that is refused."""
    with pytest.raises(ModelEndedProcess) as caught, Store(root, **named).claim(KEY, "mymodel on cell"):
        pass
    return caught.value


def fits(tmp_path):
    path = tmp_path / "fits"
    return path.read_text().count("fit") if path.exists() else 0


@pytest.mark.skipif(os.name != "posix", reason="signals that kill")
@pytest.mark.parametrize("status", [0, 3])
def test_a_model_that_exits_is_not_run_again(tmp_path, status):
    code, _, _ = run(tmp_path, FIT.format(death=f"os._exit({status})"))
    assert code == (status or 70)
    for _ in range(2):
        error = refused(tmp_path / "store")
        assert f"the model ended the process by os._exit({status}) (phase fit)" in str(error)
        assert "not run again unless --stbench-retry" in str(error)
        assert (error.phase, error.when[:2]) == ("fit", "20")
    with Store(tmp_path / "store").claim(KEY, "m", retry=True) as claim:
        assert claim.stored is None
    assert fits(tmp_path) == 1


@pytest.mark.skipif(os.name != "posix", reason="signals that kill")
@pytest.mark.parametrize("death", UNKNOWN.values(), ids=UNKNOWN)
def test_a_process_that_nobody_knows_who_ended_is_tried_once_more(tmp_path, death):
    for _ in range(2):
        run(tmp_path, FIT.format(death=death))
    assert fits(tmp_path) == 2
    for _ in range(2):
        text = str(refused(tmp_path / "store"))
        assert "the process ended 2 times while the model ran (phase fit)" in text
        assert "or somebody who ended it: the system does not tell" in text
        assert "--stbench-retry" in text
    run(tmp_path, FIT.format(death="pass"))
    assert fits(tmp_path) == 2
    with Store(tmp_path / "store").claim(KEY, "m", retry=True) as claim:
        assert claim.stored is None


def test_a_run_that_was_killed_once_goes_on_as_if_it_had_not(tmp_path):
    run(tmp_path, FIT.format(death=UNKNOWN["killed"]))
    run(tmp_path, FIT.format(death="pass"))
    assert fits(tmp_path) == 2
    assert Store(tmp_path / "store").load(KEY) is not None
    assert left_in(tmp_path / "store", "starts") == []


@pytest.mark.skipif(os.name != "posix", reason="signals that kill")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    "busy", ["time.sleep(30)", "import ctypes; ctypes.CDLL(None).sleep(1)"], ids=["Python", "native"]
)
def test_a_signal_from_outside_blames_nobody_however_often(tmp_path, name, busy):
    root = tmp_path / "store"
    for count in range(1, 4):
        process = start(tmp_path, FIT.format(death=f"print('in', flush=True); {busy}; time.sleep(30)"))
        assert process.stdout.readline() == "in\n"
        process.send_signal(getattr(signal, name))
        process.communicate(timeout=60)
        assert process.returncode == -getattr(signal, name)
        assert fits(tmp_path) == count
        (marker,) = (root / "starts").glob("*.json")
        assert unsealed(f"start {KEY}", marker.read_bytes())["ended"] == name
    with Store(root).claim(KEY, "m") as claim:
        assert claim.stored is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_signal_to_a_child_of_the_model_is_not_noted(tmp_path):
    _, out, err = run(
        tmp_path,
        """
        with store.claim(key, "m") as claim:
            child = os.fork()
            if not child:
                time.sleep(30)
            os.kill(child, signal.SIGTERM)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            time.sleep(0.1)
            print("ended" in claim.marker.path.read_text(), "SIGTERM" in claim.marker.path.read_text())
        print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, signal.set_wakeup_fd(-1))
        """,
    )
    assert out.split() == [str(-signal.SIGTERM), "True", "False", "True", "-1"], err


def test_the_handler_of_somebody_else_is_left_alone(tmp_path):
    _, out, err = run(
        tmp_path,
        """
        def mine(*_):
            print("mine", flush=True)
        signal.signal(signal.SIGTERM, mine)
        with store.claim(key, "m") as claim:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)
            print("SIGTERM" in claim.marker.path.read_text())
        print(signal.getsignal(signal.SIGTERM) is mine)
        """,
    )
    assert out.split() == ["mine", "False", "True"], err


MARKER = {"label": "m", "phase": "fit", "run": "run 1", "host": socket.gethostname(), "boot": None}


def leave(root, **changes):
    Store(root)._prepare()
    write_sealed(root / "starts" / f"{KEY}.json", f"start {KEY}", {**MARKER, **changes})


def test_the_run_in_which_it_happened_does_not_try_again(tmp_path):
    leave(tmp_path, run="run 2")
    assert "The next run tries it once more" in str(refused(tmp_path, run_id="run 2"))
    with Store(tmp_path, run_id="run 3").claim(KEY, "m") as claim:
        assert claim.stored is None


def test_retry_does_not_run_twice_in_one_run(tmp_path):
    leave(tmp_path, ended="os._exit(1)", run="run 2")
    with pytest.raises(ModelEndedProcess), Store(tmp_path, run_id="run 2").claim(KEY, "m", retry=True):
        pass
    with Store(tmp_path, run_id="run 3").claim(KEY, "m", retry=True) as claim:
        assert claim.stored is None


def test_lack_of_memory_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(marker, "memory_kills", lambda: 5)
    leave(tmp_path, memory_kills=4)
    text = str(refused(tmp_path))
    assert "the system ended the process for lack of memory while the model ran (phase fit)" in text
    leave(tmp_path, memory_kills=4, host="another")
    with Store(tmp_path).claim(KEY, "m") as claim:
        assert claim.stored is None


def test_a_machine_that_was_started_anew_ended_the_process(tmp_path):
    leave(tmp_path, boot="before", unknown=1)
    with Store(tmp_path).claim(KEY, "m") as claim:
        assert claim.stored is None


def test_memory_kills_of_the_group_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(marker, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(marker, "COUNTS", {"": f"{tmp_path}{{group}}/memory.events"})
    assert marker.memory_kills() is None
    (tmp_path / "cgroup").write_text("4:memory:/x\n0::/job\n")
    (tmp_path / "memory.events").write_text("low 0\noom 7\noom_kill 3\n")
    assert marker.memory_kills() == 3
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "memory.events").write_text("oom 7\noom_kill 1\n")
    assert marker.memory_kills() == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff", b'{"phase": 3}'])
def test_a_marker_that_cannot_be_read_is_no_evidence(tmp_path, content):
    path = tmp_path / "starts" / f"{KEY}.json"
    path.parent.mkdir()
    path.write_bytes(content)
    with Store(tmp_path).claim(KEY, "m") as claim:
        assert claim.stored is None


def test_a_death_by_timeout_says_so(tmp_path):
    run(tmp_path, 'with store.claim(key, "m") as claim:\n    claim.died()\n    os._exit(70)\n')
    error = refused(tmp_path / "store")
    assert "ran past its timeout, could not be interrupted" in str(error)
    assert error.phase == "timeout"


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
                probe = "import sys; from pathlib import Path\\n"
                probe += "from pytest_stbench.store.lock import locked\\n"
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
        from pytest_stbench.data import atomic
        from pytest_stbench.store import archive
        atomic.os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
        store._prepare = lambda: None
        with store.claim(key, "m"):
            count()
            archive.write_archive(store._prediction(key), VALUES, key=key, meta={})
        """,
    )
    root = tmp_path / "store"
    assert code == -signal.SIGKILL
    leftovers = left_in(root, "predictions")
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
        from pytest_stbench.store.lock import locked
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


ONCE = """
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
    processes = [start(tmp_path, ONCE) for _ in range(3)]
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
        print("waiting", flush=True)
        with store.claim(key, "m"):
            print("fitted")
        """,
    )
    assert waiter.stdout.readline() == "waiting\n"
    holder.kill()
    holder.communicate()
    assert waiter.communicate(timeout=60)[0] == "fitted\n"
