"""What the daemon says: console, and the log files at the places of its version.

Forms of 3.0.0 (seen on the real server on a CPU): C++ lines with file and line, microseconds and no offset;
Python lines with a comma, three digits and ``file.py-line``; audit lines with host and user. Those of 1.0.0
are from documents and users' transcripts.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

_LEVELS = {"DEBUG": 0, "INFO": 1, "WARN": 2, "WARNING": 2, "ERROR": 3, "CRITICAL": 4}
# Read in the source of 3.0.0 (utils/log/log.cpp): each of these becomes one "_", and a text ends at 2048.
_UNSAFE = (
    *("%08", "%09", "%0a", "%0b", "%0c", "%0d", "%7f"),
    *("\n", "\r", "\x7f", "\b", "\f", "\t", "\v", "//", "\\", "&"),
)
_LONGEST = 2048


def safe(text: str) -> str:
    """A text as the C++ logger of 3.0.0 writes it: harmless, and at most 2048 characters."""
    for bad in _UNSAFE:
        text = text.replace(bad, "_")
    return text[:_LONGEST]


class Console:
    """Standard output and error, and the version's log files.

    Args:
        version: 1.0.0 or 3.0.0.
        service_home: mindie-service of 1.0.0; its logs folder and its neighbour's take the files.
    """

    def __init__(self, version: str, service_home: Path) -> None:
        self._lock = threading.RLock()
        self._old = version == "1.0.0"
        home = Path(os.environ.get("HOME", "/root"))
        stamp = time.strftime("%Y%m%d%H%M%S")
        self._plog = home / "ascend/log/debug/plog" / f"plog-{os.getpid()}_{stamp}.log"
        if self._old:
            self._server = service_home / "logs/mindservice.log"
            self._model = service_home.parent / "mindie-llm/logs/pythonlog.log"
            self._echo = os.environ.get("MINDIE_LLM_PYTHON_LOG_TO_STDOUT") == "1"
            self._keep = os.environ.get("MINDIE_LLM_PYTHON_LOG_TO_FILE") == "1"
        else:
            folder = home / "mindie/log/debug"
            self._server = folder / f"mindie-server_{os.getpid()}_{stamp}.log"
            self._model = folder / f"mindie-llm_{os.getpid()}_{stamp}.log"
            self._echo = _last_flag("MINDIE_LOG_TO_STDOUT") == "1"
            self._keep = _last_flag("MINDIE_LOG_TO_FILE") != "0"
        self._threshold = _threshold("MINDIE_LLM_PYTHON_LOG_LEVEL" if self._old else "MINDIE_LOG_LEVEL")

    def out(self, text: str) -> None:
        """A line that always shows."""
        with self._lock:
            print(text, flush=True)

    def err(self, text: str) -> None:
        """A line on standard error."""
        with self._lock:
            print(text, file=sys.stderr, flush=True)

    def server(self, level: str, text: str, place: str = "") -> None:
        """A line of the service's log.

        Args:
            level: INFO, WARN or ERROR.
            text: with its error code, if it has one.
            place: ``file.cpp:line``; 1.0.0 shows none.
        """
        if self._old:
            stamp = datetime.now().astimezone().isoformat(" ")
            head = f"[{stamp}] [{os.getpid()}] [{threading.get_native_id()}]"
            self._append(self._server, f"{head} [server] [{level}] {text}")
        else:
            self._native("server", level, text, place, self._server)

    def model(self, level: str, text: str, place: str = "") -> None:
        """A line of the model side's log: the C++ llm log of 3.0.0, the Python log of 1.0.0."""
        if not self._old:
            self._native("llm", level, text, place, self._model)
        elif _LEVELS[level] >= self._threshold:
            now = datetime.now()
            stamp = f"{now:%Y-%m-%d %H:%M:%S},{now.microsecond // 1000:03d}"
            self._shown(f"{stamp} [{level}] [pid: {os.getpid()}] {text}", self._model)

    def python(self, level: str, text: str, place: str, process: int, module: str = "llm") -> None:
        """A line of a Python process of 3.0.0.

        Args:
            place: ``file.py-line``.
            process: the worker or tokenizer that it is of.
            module: ``llm``, or ``llmmodels`` for atb_llm.
        """
        if self._old or _LEVELS[level] < self._threshold:
            return
        now = datetime.now()
        stamp = f"{now:%Y-%m-%d %H:%M:%S},{now.microsecond // 1000:03d}"
        head = f"[{stamp}] [{process}] [{threading.get_ident()}] [{module}] [{level}]"
        self._shown(f"{head} [{place}] : {text}", self._model)

    def audit(self, user: str, operation: str, result: str) -> None:
        """A line of the audit log of 3.0.0: who did what, and how it ended."""
        if self._old:
            return
        line = f"[{_now()}] [{os.getpid()}] [{socket.gethostname()}] [{user}] [server]"
        self._shown(f"{line} [{safe(operation)}] [{result}]", None)

    def plog(self, source: str, text: str) -> None:
        """An ERROR line of HCCL in CANN's process log."""
        stamp = datetime.now().strftime("%Y-%m-%d-%H:%M:%S.%f")
        stamp = f"{stamp[:-3]}.{stamp[-3:]}"
        process = f"{os.getpid()},mindie_llm_backend_connector"
        line = f"[ERROR] HCCL({process}):{stamp} [{source}] [{threading.get_native_id()}]{text}"
        self._append(self._plog, line)

    def loggers(self) -> None:
        """What the loggers of 3.0.0 say of their form when they are made, at the very start."""
        form = "[loglevel] [file:line] [status code] msg"
        for module in ("llm", "llm", "server", "server"):
            head = f"{_now()} {os.getpid()} LLM log default format:"
            self.out(f"{head} [yyyy-mm-dd hh:mm:ss.uuuuuu][processid] [threadid] [{module}] {form}")

    def _native(self, module: str, level: str, text: str, place: str, file: Path) -> None:
        if _LEVELS[level] < self._threshold:
            return
        head = f"[{_now()}] [{os.getpid()}] [{threading.get_native_id()}] [{module}] [{level}]"
        self._shown(f"{head} [{place}] {safe(text)}", file)

    def _shown(self, line: str, file: Path | None) -> None:
        if self._keep and file is not None:
            self._append(file, line)
        if self._echo:
            self.out(line)

    def _append(self, path: Path, line: str) -> None:
        with self._lock:
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
                with path.open("a") as file:
                    file.write(line + "\n")
            except OSError as error:
                print(f"log file {path} cannot be written: {error.strerror}", file=sys.stderr, flush=True)


def _now() -> str:
    return datetime.now().strftime("%Y-%m-%d %H:%M:%S.%f")


def _last_flag(name: str) -> str:
    """The value of a ``MINDIE_LOG_*`` switch; ``llm:1;server:0`` forms count by their last number."""
    return os.environ.get(name, "").strip().rpartition(":")[2]


def _threshold(variable: str) -> int:
    """The least level that is logged: INFO unless the variable says otherwise."""
    return _LEVELS.get(_last_flag(variable).upper(), 1)
