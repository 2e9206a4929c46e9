"""Long commands that outlive whoever started them, as real processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from lingctl.program.job import job_folder, run_job
from lingctl.remote.command import script
from lingctl.remote.local import LocalConnection

node = LocalConnection("node1")


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_output_errors_and_status_are_those_of_the_command(tmp_path: Path):
    heard: list[bytes] = []
    on = str(tmp_path / "on")
    what = script('echo one; echo oops >&2; while [ ! -e "$1" ]; do sleep 0.02; done; echo two; exit 7', on)

    def hear(said: bytes) -> None:
        heard.append(said)
        Path(on).touch()

    done = run_job(node, str(tmp_path), what, timeout=20, on_output=hear)
    assert (done.exit_status, done.stdout, done.stderr) == (7, "one\ntwo\n", "oops\n")
    assert len(heard) >= 2


def test_one_that_still_runs_is_picked_up_and_not_started_twice(tmp_path: Path):
    log, on = tmp_path / "log", tmp_path / "on"
    text = 'echo started >>"$1"; echo one; while [ ! -e "$2" ]; do sleep 0.02; done; echo two'
    what = script(text, str(log), str(on))
    first = threading.Thread(target=lambda: run_job(node, str(tmp_path), what, timeout=20))
    first.start()
    wait_for(log.exists)
    done = run_job(node, str(tmp_path), what, timeout=20, on_output=lambda _: on.touch())
    first.join()
    assert done.stdout == "one\ntwo\n"
    assert log.read_text() == "started\n"


def test_one_that_has_ended_is_started_anew(tmp_path: Path):
    log = tmp_path / "log"
    what = script('echo started >>"$1"; exit 1', str(log))
    assert run_job(node, str(tmp_path), what, timeout=20).exit_status == 1
    assert run_job(node, str(tmp_path), what, timeout=20).exit_status == 1
    assert log.read_text() == "started\nstarted\n"


def test_one_that_was_killed_has_failed_and_is_started_anew(tmp_path: Path):
    log = tmp_path / "log"
    what = script('echo started >>"$1"; sleep 30', str(log))
    results: list[int] = []
    follower = threading.Thread(
        target=lambda: results.append(run_job(node, str(tmp_path), what, timeout=20).exit_status)
    )
    follower.start()
    wait_for(log.exists)
    pid = (Path(job_folder(str(tmp_path), what)) / "pid").read_text().split()[0]
    os.killpg(int(pid), signal.SIGKILL)
    follower.join(10)
    assert results == [137]
    again = threading.Thread(target=lambda: run_job(node, str(tmp_path), what, timeout=20))
    again.start()
    wait_for(lambda: log.read_text() == "started\nstarted\n")
    pid = (Path(job_folder(str(tmp_path), what)) / "pid").read_text().split()[0]
    os.killpg(int(pid), signal.SIGKILL)
    again.join(10)
