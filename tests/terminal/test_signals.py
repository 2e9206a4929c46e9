"""Ctrl-C, SIGTERM, SIGHUP: once, twice, ignored, and with a lock that cannot be given back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lingctl.flows.run.lock import lock_status
from lingctl.remote.local import LocalConnection
from tests.terminal.holding import cluster_in
from tests.terminal.screen import CTRL_C, Terminal, left_in_order, terminal

ROOT = Path(__file__).parents[2]
HOLD = (sys.executable, "-m", "tests.terminal.holding", "hold")
SIZES = [(80, 24), (120, 40)]


def holder(folder: Path):
    """Who holds the lock in a folder."""
    return lock_status(LocalConnection("node1"), cluster_in(folder))


def holding(folder: Path, *options: str, size: tuple[int, int] = SIZES[0]):
    """The command that holds the lock in a folder, on a terminal."""
    return terminal(*HOLD, folder, *options, size=size, cwd=ROOT)


def held(shown: Terminal) -> None:
    """Wait until it holds the lock."""
    shown.until(r"… node1 hold \d:\d\d held")


@pytest.mark.parametrize("size", SIZES)
def test_ctrl_c_gives_the_lock_back_and_leaves_the_screen_in_order(tmp_path: Path, size: tuple[int, int]):
    with holding(tmp_path, size=size) as shown:
        held(shown)
        assert holder(tmp_path) is not None
        assert shown.shows("node1: hold a note")
        shown.press(CTRL_C)
        assert shown.end(60) == 130
        assert shown.shows("error: interrupted") and shown.shows("run the same command again")
        left_in_order(shown)
    assert holder(tmp_path) is None


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_signals_end_it_as_ctrl_c_does(tmp_path: Path, number: int, status: int):
    with holding(tmp_path) as shown:
        held(shown)
        shown.process.send_signal(number)
        assert shown.end(60) == status
        assert shown.shows(f"error: ended by {signal.Signals(number).name}")
        left_in_order(shown)
    assert holder(tmp_path) is None


def test_a_terminal_that_goes_away_ends_it_and_leaves_no_lock(tmp_path: Path):
    with holding(tmp_path) as shown:
        held(shown)
        shown.hang_up()
        assert shown.end(60) == 129
    assert holder(tmp_path) is None


def test_a_second_ctrl_c_does_not_keep_the_lock_from_being_given_back(tmp_path: Path):
    with holding(tmp_path, "--slow", "--patience", "300") as shown:
        held(shown)
        shown.press(CTRL_C)
        shown.when((tmp_path / "asked").exists)
        shown.press(CTRL_C)
        shown.until("still ending: what is held is given back")
        shown.press(CTRL_C)
        (tmp_path / "go").touch()
        assert shown.end(60) == 130
        left_in_order(shown)
    assert holder(tmp_path) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_cannot_be_given_back_does_not_hold_it_for_ever(tmp_path: Path, number: int):
    with holding(tmp_path, "--slow", "--patience", "0.5") as shown:
        held(shown)
        shown.process.send_signal(number)
        assert shown.end(60) == 128 + number
        assert shown.shows("a lock that is held frees itself within a minute")
        assert not shown.screen.cursor.hidden
    left = holder(tmp_path)
    assert left is not None and left.is_gone


def test_a_stream_of_signals_leaves_neither_lock_nor_traceback(tmp_path: Path):
    with holding(tmp_path) as shown:
        held(shown)
        while shown.process.poll() is None:
            shown.press(CTRL_C)
            shown._read(0.005)
        assert shown.end(60) == 130
        assert not shown.shows("Traceback")
    assert holder(tmp_path) is None


def started(folder: Path, action: signal.Handlers) -> subprocess.Popen[str]:
    """In the background, as a script would start it, and holding the lock."""
    process = subprocess.Popen(
        [*HOLD, str(folder)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: [signal.signal(number, action) for number in (signal.SIGINT, signal.SIGHUP)],
    )
    for _ in range(3000):
        if holder(folder) is not None:
            return process
        time.sleep(0.02)
    raise AssertionError("it never held the lock")


def test_what_was_ignored_at_the_start_stays_ignored_and_sigterm_still_ends_it(tmp_path: Path):
    process = started(tmp_path, signal.SIG_IGN)
    ignored = int(_status_of(process.pid, "SigIgn"), 16)
    assert ignored & 1 << (signal.SIGINT - 1) and ignored & 1 << (signal.SIGHUP - 1)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert "ended by SIGTERM" in process.communicate(timeout=60)[1]
    assert process.returncode == 143
    assert holder(tmp_path) is None


def test_without_a_terminal_it_ends_the_same_way(tmp_path: Path):
    process = started(tmp_path, signal.SIG_DFL)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "interrupted" in said and "Traceback" not in said
    assert holder(tmp_path) is None


def test_a_stopped_terminal_keeps_nobody_from_ending_it(tmp_path: Path):
    with holding(tmp_path, "--patience", "1") as shown:
        held(shown)
        shown.press("\x13")  # Ctrl-S: the terminal takes nothing more
        shown.process.terminate()
        assert shown.end(60) == 143
    assert holder(tmp_path) is None


def _status_of(pid: int, field: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(field))


def test_signals_reach_the_tests_themselves():
    """However the run was started: see tests/conftest.py."""
    assert signal.getsignal(signal.SIGINT) != signal.SIG_IGN
    child = subprocess.run(
        ["sh", "-c", "grep SigIgn /proc/self/status"], capture_output=True, text=True, check=True
    )
    assert not int(child.stdout.split()[1], 16) & 1 << (signal.SIGINT - 1)
    assert os.getpid() > 0
