"""What is looked for in MindIE's console, and which of its lines belong to a time or a rank. Pure.

Three forms of time are printed: MindIE's (with or without an offset), Python logging's and CANN's. Lines
without one belong to the line before them.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from lingctl.engine.logs import Console

_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[ T-](\d{2}):(\d{2}):(\d{2})(?:[.,]\d+(?:\.\d+)?)?\s?([+-]\d{2}:?\d{2})?"
)
_RANK = re.compile(r"\brank(?:[ _]?id)?\s?[:=\[ ]\s?(\d{1,4})\b", re.IGNORECASE)
_PROCESS = re.compile(r"\[pid: ?(\d+)\]")
# Of a daemon that served, refused requests are most of its errors, and never the cause.
_REQUESTS = r"request_?[iI]d|http_handler\.cpp|single_req_"
# Errors, and what tells how far the daemon was when they came.
_TELLING = "|".join(
    (
        "ERROR",
        "Error",
        r"\[error\]",
        "FATAL",
        "CRITICAL",
        "Exception",
        "E[A-Z1-9][0-9][0-9][0-9][0-9]",
        "terminate called",
        r"what\(\):",
        "[Oo]ut of memory",
        "[Ff]ail",
        "[Ii]nvalid",
        "[Cc]annot",
        "not (found|exist)",
        "error code",
        "MIE[0-9][0-9][EC]",
        "reason=",
        " ECC",
        "[Tt]ime(d )?out",
        "LINK_ERROR_INFO",
        "core dumped|核心已转储",
        "Killed|已杀死",
        "Aborted|已放弃",
        "Segmentation fault|段错误",
        "undefined symbol|symbol lookup error|static TLS block",
        "No space left|设备上没有空间",
        "Read-only file system|Stale file handle|exec format",
        "[Pp]ermission denied|权限不够",
        "No such file|没有那个文件",
        "in use|地址已在使用",
        "无法分配内存|No route to host|gaierror|x509",
        "g_mainPid",
        "ConfigManager: Load",
        "Execute command",
        "GRPCCommunicator",
        "Registration succeeded",
        "InitModelConfig",
        "Daemon start success",
        "Received exit signal",
        "exited normally",
        "terminated by signal",
        r"\([0-9]+\) *\|",
    )
)
# Every daemon of every version prints it when it has loaded, whatever its node.
LOADED = "Daemon start success!"
CONSOLE = Console(loaded=LOADED, loaded_elsewhere=LOADED, telling=_TELLING, requests=_REQUESTS)


def line_time(line: str, offset: timedelta) -> datetime | None:
    """When a line was printed, with its clock's ``offset`` if it names none; None where it does not tell."""
    found = _TIME.search(line[:200])
    if found is None:
        return None
    if found[7]:
        sign = -1 if found[7][0] == "-" else 1
        digits = found[7][1:].replace(":", "")
        offset = sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    try:
        printed = datetime.fromisoformat(f"{found[1]}-{found[2]}-{found[3]}T{found[4]}:{found[5]}:{found[6]}")
        return printed.replace(tzinfo=timezone(offset))
    except ValueError:  # digits that are no time, or no zone
        return None


class Lines:
    """Lets pass the lines of a time and a rank; knows what went before.

    Args:
        since: earliest time, or None for all.
        offset: see ``line_time``.
        rank: only lines that name this rank, or come from a process that did; None for all.
    """

    def __init__(self, since: datetime | None, offset: timedelta, rank: int | None) -> None:
        self._since = since
        self._offset = offset
        self._rank = rank
        self._recent = since is None
        self._mine = rank is None
        self._processes: set[str] = set()

    def __call__(self, line: str) -> bool:
        """Whether the line is wanted."""
        printed = line_time(line, self._offset)
        if printed is not None:
            self._recent = self._since is None or printed >= self._since
        if self._rank is not None:
            self._note_rank(line, self._rank, begins=printed is not None)
        return self._recent and self._mine

    def _note_rank(self, line: str, rank: int, *, begins: bool) -> None:
        named, process = _RANK.search(line), _PROCESS.search(line)
        if named is not None:
            self._mine = int(named[1]) == rank
            if self._mine and process is not None:
                self._processes.add(process[1])
        elif process is not None:
            self._mine = process[1] in self._processes
        elif begins:
            self._mine = False
