"""For all tests: the same signals, however the run was started, and one thread for whoever computes."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).resolve().parent

# What pytest makes of a test's module takes longer than most tests of it: it is kept, as
# ``make test`` keeps compiled files, also where Python is told to keep none.
sys.dont_write_bytecode = False

# Two workers fill the machine: numpy's threads would only wait for each other. It reads this when imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def _is_valid_syntax(*arguments: object) -> object:
    """Of rfc3987_syntax, which makes a parser of each of its 38 rules when imported: two seconds a worker.

    jsonschema imports it, and asks it only where a schema has IRIs: one test's has.
    """
    sys.modules.pop("rfc3987_syntax", None)
    return importlib.import_module("rfc3987_syntax").is_valid_syntax(*arguments)


_LATE = ModuleType("rfc3987_syntax")
vars(_LATE)["is_valid_syntax"] = _is_valid_syntax
sys.modules.setdefault("rfc3987_syntax", _LATE)

# A script's ``&`` and nohup have children ignore signals; what tests start would inherit that.
for _number, _action in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGTERM, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _action)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM})

# Rooms whose files take longest, in this order; others follow. Workers take whole files in turn, and one that
# began a long file last would leave the others without work.
LONGEST = (
    "sandbox",
    "day",
    "documents",
    "cluster",
    "terminal",
    "weights",
    "contract",
    "hostile",
    "node_overlay",
    "node",
)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, which unit tests do without
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Whole files to each worker: what tests of a file share is made once."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log) if config.getvalue("dist") == "load" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; tests of a file stay in their order."""
    rank = {room: place for place, room in enumerate(LONGEST)}
    rooms = {item.path: item.path.relative_to(TESTS).parts[0] for item in items}
    items.sort(key=lambda item: rank.get(rooms[item.path], len(rank)))
