from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from pytest_stbench.calls.process_end import EXIT_CODE

needs_alarm = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarm signal on this system")


def run_to_death(tmp_path, body):
    code = """
        import sys, time
        from pathlib import Path
        from pytest_stbench.calls.guard import guarded_call
        from pytest_stbench.calls.process_end import keep_stderr
        from pytest_stbench.store.store import Store
        store = Store(Path(sys.argv[1]))
        def swallow():
            while True:
                try:
                    time.sleep(0.02)
                except BaseException:
                    pass
    """
    code = textwrap.dedent(code) + textwrap.dedent(body)
    command = [sys.executable, "-c", code, str(tmp_path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@needs_alarm
def test_a_model_that_swallows_everything_dies_after_the_grace(tmp_path):
    done = run_to_death(
        tmp_path,
        """
        with store.claim("a" * 64, "m") as claim:
            claim.phase("fit")
            guarded_call(swallow, timeout=0.1, grace=0.2, on_death=claim.died)
        """,
    )
    assert done.returncode == EXIT_CODE == 70
    assert "pytest-stbench: the model ran past its timeout of 0.1 s and cannot be interrupted" in done.stderr
    assert "in swallow" in done.stderr
    assert '"phase": "timeout"' in (tmp_path / "starts" / f"{'a' * 64}.json").read_text()


@needs_alarm
def test_native_code_that_no_exception_reaches_dies_too(tmp_path):
    done = run_to_death(
        tmp_path,
        """
        import signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        guarded_call(lambda: time.sleep(30), timeout=0.1, grace=0.1)
        """,
    )
    assert done.returncode == EXIT_CODE


@needs_alarm
def test_the_last_act_may_fail(tmp_path):
    done = run_to_death(tmp_path, "guarded_call(swallow, timeout=0.1, grace=0.1, on_death=lambda: 1 / 0)")
    assert done.returncode == EXIT_CODE
    assert "in swallow" in done.stderr


@needs_alarm
def test_the_stacks_go_to_the_stderr_that_was_kept(tmp_path):
    done = run_to_death(
        tmp_path,
        """
        import os
        keep_stderr()
        captured = os.open(sys.argv[1] + "/captured", os.O_CREAT | os.O_WRONLY)
        os.dup2(captured, 2)
        guarded_call(swallow, timeout=0.1, grace=0.1)
        """,
    )
    assert "cannot be interrupted" in done.stderr
    assert (tmp_path / "captured").read_text() == ""


EXITS = """
import os, subprocess, sys
from pytest_stbench.calls.process_end import HonestExits, end_forked_child
from pytest_stbench.store.signals import noted_exit

exits = HonestExits()
exits.start()


def hear(how):
    print("heard", how, flush=True)


"""


def exits_with(body):
    command = [sys.executable, "-c", EXITS + textwrap.dedent(body)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(os.name != "posix", reason="statuses of POSIX")
@pytest.mark.parametrize(("status", "code"), [(0, EXIT_CODE), (256, EXIT_CODE), (3, 3)])
def test_a_process_never_ends_well_by_os_exit(status, code):
    done = exits_with(f"""
        with noted_exit(hear):
            os._exit({status})
    """)
    assert done.returncode == code
    assert done.stdout == f"heard os._exit({status})\n"
    assert ("before the run had ended; exit code 70" in done.stderr) == (code == EXIT_CODE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_children_end_as_they_want_and_so_does_the_process_afterwards():
    done = exits_with("""
        if os.fork() == 0:
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
        exits.stop()
        os._exit(0)
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_child_that_comes_back_is_ended():
    done = exits_with("""
        process = os.getpid()
        os.fork()
        end_forked_child(process)
        print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
    """)
    assert (done.returncode, done.stdout) == (0, "70\n")
    assert "came back from it" in done.stderr
