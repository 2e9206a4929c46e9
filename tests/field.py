"""Cases from the field, where their folder lies beside this checkout, and the command line run on them.

A case's ``wants`` and ``never`` are regular expressions on all that was printed, ``rc`` the exit statuses.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
import re
import resource
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

FIELD = Path(__file__).resolve().parents[2] / "shared" / "field"
Case = dict[str, Any]

# What the commands import late, so that each fork need not.
_LATE = (
    "lingctl.cli.app",
    "lingctl.engines",
    "lingctl.flows.files.judge",
    "lingctl.flows.files.render",
    "lingctl.flows.network.saved",
    "lingctl.output.documents",
    "lingctl.output.findings",
    "lingctl.output.verbs.network",
    "lingctl.output.tables",
)
# Nothing that a terminal obeys: C0 but tab and line ends, DEL, C1, marks of direction.
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def cases(folder: str) -> list[Case]:
    """The cases of a folder; none where it is not there."""
    file = FIELD / folder / "cases.toml"
    return list(tomllib.loads(file.read_text(encoding="utf-8"))["case"]) if file.is_file() else []


def maker(path: Path) -> ModuleType:
    """A script that makes the inputs of cases, to call its functions."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Ran:
    """What a command did: exit status, everything it printed, seconds and memory at its peak."""

    status: int
    text: str
    seconds: float
    peak_mb: float


def lingctl(*words: str | Path) -> Ran:
    """Run the command line as it is typed, in a fork of this process: no second is spent on its start."""
    for name in _LATE:
        importlib.import_module(name)
    begun = time.monotonic()
    with tempfile.TemporaryFile() as said:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if not child:
            _become([str(word) for word in words], said.fileno())
        _, status, used = os.wait4(child, 0)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    return Ran(os.waitstatus_to_exitcode(status), text, time.monotonic() - begun, used.ru_maxrss / 1024)


def _become(words: list[str], output: int) -> NoReturn:
    from lingctl.cli.app import main

    status = 70
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
        for name in [name for name in os.environ if name.startswith("LINGCTL_")]:
            del os.environ[name]
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdin = io.StringIO()
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        sys.argv = ["lingctl", *words]
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        os._exit(status)


def judge(case: Case, ran: Ran) -> list[str]:
    """What is not as a case wants it."""
    wrong = []
    if "rc" in case and ran.status not in case["rc"]:
        wrong.append(f"exit status {ran.status}, not {case['rc']}")
    wrong += [f"does not say {want!r}" for want in case.get("wants", ()) if not _says(want, ran.text)]
    wrong += [f"says {never!r}" for never in case.get("never", ()) if _says(never, ran.text)]
    if "lingctl itself failed" in ran.text or "Traceback" in ran.text:
        wrong.append("is a defect")
    if found := _RAW.search(ran.text):
        wrong.append(f"prints {found.group()!a}")
    for limit, used in (("seconds", ran.seconds), ("memory_mb", ran.peak_mb)):
        if limit in case and used > case[limit]:
            wrong.append(f"takes {used:.0f} {limit}")
    if len(ran.text) > case.get("output", 20_000):
        wrong.append(f"prints {len(ran.text)} characters")
    return [f"{what}\n{ran.text}" for what in wrong]


def _says(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE | re.DOTALL) is not None
