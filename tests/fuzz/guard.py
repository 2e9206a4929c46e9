"""What a reading may not do: take long, take much memory, write, run or reach anything outside its folder."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Names of audit events (Python's documentation, "Audit events table"), and which arguments are paths.
_CHANGES = {
    "os.mkdir": 1,
    "os.remove": 1,
    "os.rmdir": 1,
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
    "os.truncate": 1,
    "os.chmod": 1,
    "os.chown": 1,
    "os.utime": 1,
    "shutil.rmtree": 1,
}
_NEVER = (
    *(
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.fork",
        "os.kill",
        "pickle.find_class",
    ),
    *(
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.getaddrinfo",
        "ctypes.dlopen",
        "marshal.loads",
    ),
)
_CPU_SECONDS = 20.0
_MEMORY_MB = 96.0
_MB_PER_MB = 60.0  # of memory for each of input


class TooLong(BaseException):
    """A reading was ended at its limit."""


class _Watch:
    def __init__(self) -> None:
        self.folder = ""
        self.escapes: list[str] = []

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.folder:
            return
        if event in _NEVER and not (event == "marshal.loads" and _imports()):
            self._note(event, arguments)
        elif event in _CHANGES:
            if not all(self._inside(path) for path in arguments[: _CHANGES[event]]):
                self._note(event, arguments)
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES:
            self._need_inside(event, arguments[0])

    def _need_inside(self, event: str, path: object) -> None:
        if not self._inside(path):
            self._note(event, (path,))

    def _inside(self, path: object) -> bool:
        if isinstance(path, int):
            return True
        real = os.path.realpath(os.fsdecode(path))  # type: ignore[arg-type]  # what open takes
        return real == os.devnull or real.startswith(f"{self.folder}/")

    def _note(self, event: str, arguments: tuple[object, ...]) -> None:
        self.escapes.append(f"{event} {str(arguments)[:200]}")


def _imports() -> bool:
    """Whether a module is being loaded: its compiled file is read as one."""
    frame = sys._getframe()
    while frame is not None:
        if "importlib" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


_WATCH = _Watch()
sys.addaudithook(_WATCH.hook)


class Watched:
    """What a reading did."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.memory_mb = 0.0
        self.escapes: list[str] = []

    def excess(self, size: int) -> str:
        """What it must not have done, in words; empty if nothing."""
        if self.escapes:
            return f"reaches outside its folder: {self.escapes[0]}"
        allowed = _MEMORY_MB + _MB_PER_MB * size / 1e6
        return f"takes {self.memory_mb:.0f} MB for {size} bytes" if self.memory_mb > allowed else ""


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Hold what is read inside to a folder and a time. Raises TooLong."""

    def end(_number: int, _frame: object) -> None:
        raise TooLong(f"more than {_CPU_SECONDS:g} s of the processor")

    what = Watched()
    before = _forget_peak()
    signal.signal(signal.SIGPROF, end)
    _WATCH.folder, _WATCH.escapes = os.path.realpath(folder), what.escapes
    begun = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, _CPU_SECONDS)
    try:
        yield what
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        what.seconds = time.process_time() - begun
        _WATCH.folder = ""
        what.memory_mb = max(0.0, _memory("VmHWM") - before)


def _forget_peak() -> float:
    """What is used now, and from now on the peak."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))
