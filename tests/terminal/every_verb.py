"""Runs command lines, each with its streams as asked: closed, full, without a reader.

Standard input is a JSON list of ``[mode, words...]``; standard output gets a line of JSON for each:
exit status, and what arrived on each stream that can be read. The imports are done once, then it forks.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable

from lingctl.cli import app as cli
from tests.forked import import_lingctl


def _closed(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _onto(target: int, *descriptors: int) -> None:
    for descriptor in descriptors:
        os.dup2(target, descriptor)


def _full(*descriptors: int) -> None:
    _onto(os.open("/dev/full", os.O_WRONLY), *descriptors)


def _no_reader(*descriptors: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    _onto(writing, *descriptors)


MODES: dict[str, Callable[[], None]] = {
    "as it is": lambda: None,
    ">&- 2>&- <&-": lambda: _closed(0, 1, 2),
    ">/dev/full": lambda: _full(1),
    "2>/dev/full": lambda: _full(2),
    "| head": lambda: _no_reader(1),
    "2>&1 | head": lambda: _no_reader(1, 2),
}


def run(mode: str, words: list[str]) -> dict[str, object]:
    """One command line; its status and what it said where it could."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            _child(mode, words, out.fileno(), err.fileno())
        _, status = os.waitpid(pid, 0)
        out.seek(0)
        err.seek(0)
        return {
            "status": os.waitstatus_to_exitcode(status),
            "out": out.read().decode("utf-8", "replace"),
            "err": err.read().decode("utf-8", "replace"),
        }


def _child(mode: str, words: list[str], out: int, err: int) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    MODES[mode]()
    # As Python makes them when it starts on such descriptors.
    sys.stdin, sys.stdout, sys.stderr = (_python_stream(number) for number in range(3))
    sys.argv = ["lingctl", *words]
    status = 99
    try:
        cli.main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 98
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:
        status = 120  # what Python itself ends with
    os._exit(status)


def _python_stream(descriptor: int):
    try:
        os.fstat(descriptor)
    except OSError:
        return None
    return open(descriptor, "w" if descriptor else "r", closefd=False)


if __name__ == "__main__":
    import_lingctl()
    for mode, *words in json.load(sys.stdin):
        print(json.dumps(run(mode, words)), flush=True)
