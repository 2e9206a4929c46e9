"""A signal that comes where Python can raise nothing is heard all the same, and nothing is shown of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

# The first signal comes in a finalizer, whose exceptions Python drops; so does the second time, where told.
PROGRAM = """
import os, signal, sys, time
from lingctl import interrupts

class Ends:
    def __del__(self):
        signal.raise_signal(NUMBER)
        until = time.monotonic() + STAYS
        while time.monotonic() < until:
            pass

def work():
    last = Ends()
    del last
    os.write(1, b"goes on\\n")  # in one piece, whenever the signal comes again
    while True:
        time.sleep(0.01)

interrupts.listen(lambda: print("again", flush=True))
try:
    PART
except interrupts.Interruption:
    print("interrupted by", interrupts.received())
except KeyboardInterrupt:
    print("a part")
"""


@pytest.mark.parametrize(
    ("number", "part", "said"),
    [
        ("signal.SIGINT", "work()", "interrupted by 2"),
        ("signal.SIGTERM", "work()", "interrupted by 15"),
        ("signal.SIGINT", "with interrupts.of_a_part(): work()", "a part"),
        ("signal.SIGINT", "with interrupts.endless(): work()", "interrupted by 2"),
    ],
)
@pytest.mark.parametrize("stays", [0.0, 0.1], ids=["short", "a finalizer that goes on"])
def test_a_signal_in_a_finalizer_ends_the_command(number: str, part: str, said: str, stays: float):
    program = PROGRAM.replace("NUMBER", number).replace("PART", part).replace("STAYS", str(stays))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout.splitlines()[-1], done.stderr, done.returncode) == (said, "", 0)
    assert "again" not in done.stdout


@pytest.mark.parametrize("debug", ["", "1"])
def test_what_else_a_finalizer_raises_is_for_debug_alone(debug: str, monkeypatch):
    monkeypatch.setenv("LINGCTL_DEBUG", debug)
    program = PROGRAM.replace("signal.raise_signal(NUMBER)", "{}['lost']").replace("PART", "Ends()")
    program = program.replace("STAYS", "0")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ("KeyError: 'lost'" in done.stderr) == bool(debug)
    assert bool(done.stderr) == bool(debug)
