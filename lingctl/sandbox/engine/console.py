"""What the daemon says: console, and the log files at the places of its version."""

from __future__ import annotations

import os
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

_LEVELS = {"DEBUG": 0, "INFO": 1, "WARN": 2, "WARNING": 2, "ERROR": 3, "CRITICAL": 4}


class Console:
    """Standard output and error, and the version's log files.

    Args:
        version: 1.0.0 or 3.0.0.
        service_home: mindie-service of 1.0.0; its logs folder and its neighbour's take the files.
    """

    def __init__(self, version: str, service_home: Path) -> None:
        self._lock = threading.Lock()
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

    def server(self, level: str, text: str) -> None:
        """A line of the service's log."""
        if not self._old and _LEVELS[level] < self._threshold:
            return
        stamp = datetime.now().astimezone().isoformat(" ")
        line = f"[{stamp}] [{os.getpid()}] [{threading.get_native_id()}] [server] [{level}] {text}"
        self._append(self._server, line)
        if not self._old and self._echo:
            self.out(line)

    def model(self, level: str, text: str, *, module: str = "llm") -> None:
        """A line of the model side's log: the llm log of 3.0.0, the Python log of 1.0.0."""
        if _LEVELS[level] < self._threshold:
            return
        now = datetime.now().astimezone()
        if self._old:
            line = (
                f"{now:%Y-%m-%d %H:%M:%S},{now.microsecond // 1000:03d} [{level}] [pid: {os.getpid()}] {text}"
            )
        else:
            head = f"[{now.isoformat(' ')}] [{os.getpid()}] [{threading.get_native_id()}]"
            line = f"{head} [{module}] [{level}] {text}"
        if self._keep:
            self._append(self._model, line)
        if self._echo:
            self.out(line)

    def plog(self, source: str, text: str) -> None:
        """An ERROR line of HCCL in CANN's process log."""
        stamp = datetime.now().strftime("%Y-%m-%d-%H:%M:%S.%f")
        stamp = f"{stamp[:-3]}.{stamp[-3:]}"
        process = f"{os.getpid()},mindie_llm_backend_connector"
        line = f"[ERROR] HCCL({process}):{stamp} [{source}] [{threading.get_native_id()}]{text}"
        self._append(self._plog, line)

    def _append(self, path: Path, line: str) -> None:
        with self._lock:
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
                with path.open("a") as file:
                    file.write(line + "\n")
            except OSError as error:
                print(f"log file {path} cannot be written: {error.strerror}", file=sys.stderr, flush=True)


def _last_flag(name: str) -> str:
    """The value of a ``MINDIE_LOG_*`` switch; ``llm:1;server:0`` forms count by their last number."""
    return os.environ.get(name, "").strip().rpartition(":")[2]


def _threshold(variable: str) -> int:
    """The least level that is logged: INFO unless the variable says otherwise."""
    return _LEVELS.get(_last_flag(variable).upper(), 1)
