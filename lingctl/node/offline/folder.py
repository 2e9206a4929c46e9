"""The files of a batch on a node: a folder of requests in parts, which is only read here, and the answers.

``asked.json`` comes last, so that where it is the parts are whole. Each answer is written by one call the
moment it is there; what is torn at the end is cut off, and its request answered again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shlex
from typing import Any, BinaryIO, Iterator, Mapping, Set, Tuple

from lingctl.node.files import FILE_MODE, open_regular, read_json
from lingctl.node.foreign_json import foreign_json
from lingctl.node.trouble import Trouble

BatchEntry = Mapping[str, Any]
_LARGEST_ASKED = 100_000


def read_asked(folder: str) -> Tuple[int, int]:
    """How many parts and requests there are.

    Raises:
        Trouble: it is not there, or makes no sense.
    """
    path = os.path.join(folder, "asked.json")
    try:
        asked = read_json(path, _LARGEST_ASKED)
        return int(asked["parts"]), int(asked["requests"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Trouble(
            "the requests of the batch are not there",
            where=path,
            evidence=str(error),
            code="offline-requests",
        ) from error


def requests(folder: str, parts: int) -> Iterator[BatchEntry]:
    """``number``, ``custom_id``, ``id`` (of its answer), ``url`` and ``body`` of each.

    Raises:
        Trouble: a part is not there or makes no sense.
    """
    for part in range(parts):
        path = os.path.join(folder, f"requests-{part:05d}.jsonl")
        try:
            with os.fdopen(open_regular(path), "rb") as file:
                for line in file:
                    yield foreign_json(line)
        except (OSError, ValueError) as error:
            raise Trouble(
                "requests of the batch cannot be read",
                where=path,
                evidence=str(error),
                remedy=f"rm -r {shlex.quote(folder)}; then lingctl batch --offline again",
                code="offline-requests",
            ) from error


class AnswerFile:
    """The answers, one program at a time."""

    def __init__(self, path: str) -> None:
        """Open it, cut off what is torn, and read which requests it answers.

        Raises:
            Trouble: another program writes it, or it cannot be written.
        """
        self._path = path
        self._file = self._open()
        self.numbers: Set[int] = set()
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            with contextlib.suppress(ValueError, TypeError, KeyError):
                self.numbers.add(int(foreign_json(line)["number"]))
        self._file.truncate(whole)
        self._file.seek(whole)

    def earlier(self) -> Iterator[BatchEntry]:
        """The answers that were there."""
        with open(self._path, "rb") as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    entry = foreign_json(line)
                    if isinstance(entry, dict) and entry.get("number") in self.numbers:
                        yield entry

    def add(self, entry: BatchEntry) -> None:
        """Write one. Raises OSError."""
        self._file.write(json.dumps(entry, ensure_ascii=True).encode() + b"\n")
        self._file.flush()

    def sync(self) -> None:
        """Have on the disk what was written."""
        os.fsync(self._file.fileno())

    def _open(self) -> BinaryIO:
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            # It is closed with the program.
            file = os.fdopen(os.open(self._path, flags, FILE_MODE), "a+b")
        except OSError as error:
            raise Trouble(
                "the answers cannot be written",
                where=self._path,
                evidence=str(error),
                remedy=f"look at it on the node: ls -ld {shlex.quote(self._path)}",
                code="write-failed",
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some network file systems have no locks; the work need not fail for that.
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise Trouble(
                    "this batch is being answered on the node already",
                    where=self._path,
                    code="offline-busy",
                    exit_status=5,
                ) from None
        file.seek(0)
        return file
