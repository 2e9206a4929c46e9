"""Cases from the field, where their folder lies beside this checkout, and the command line run on them.

A case's ``wants`` and ``never`` are regular expressions on all that was printed, ``rc`` the exit statuses.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import resource
import subprocess
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.forked import LINGCTL, Forked

FIELD = Path(__file__).resolve().parents[2] / "shared" / "field"
Case = dict[str, Any]

_MOST_CPU = 60  # seconds
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
    """What a command did: exit status, everything it printed, seconds, and MiB of memory at its peak."""

    status: int
    text: str
    seconds: float
    peak_mb: float


def lingctl(*words: str | Path, send: int | None = None, after: float = 0) -> Ran:
    """Run the command line as it is typed, forked from a process that has lingctl alone in its memory.

    Args:
        words: what is typed.
        send: a signal that it is sent.
        after: so many seconds after its start.
    """
    begun = time.monotonic()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINGCTL_")}
    with (
        tempfile.TemporaryFile() as said,
        Forked(
            [LINGCTL, *words],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=environment,
        ) as process,
    ):
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            resource.prlimit(process.pid, resource.RLIMIT_CPU, (_MOST_CPU, _MOST_CPU))
        if send is not None:
            # What is sent to one that ended before is sent to nobody.
            time.sleep(after)
            process.send_signal(send)
        status = process.wait()
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
        return Ran(status, text, time.monotonic() - begun, process.peak_mb)


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
        if limit in case and not used <= case[limit]:  # what was not measured is not within a limit
            wrong.append(f"takes {used:.0f} {limit}")
    if len(ran.text) > case.get("output", 20_000):
        wrong.append(f"prints {len(ran.text)} characters")
    return [f"{what}\n{ran.text}" for what in wrong]


def _says(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE | re.DOTALL) is not None
