"""What is kept of a batch while it runs, and the two files that it becomes.

Beside the output lies ``OUTPUT.answers``: a line that names the input, then a line for each request that
came to an end, in the order in which they did: its number, a letter for what it counts as, and its line of
the output or error file. Each is written by one call the moment its answer is there, and is on the disk
within a second: a kill loses nothing, a power failure little, and a torn last line is cut off. At the end
the lines are put into the order of the input, and the file goes.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lingctl.errors import ConfigurationError, LockedError
from lingctl.flows.run.whole_file import whole_file
from lingctl.node.files import sync_folder
from lingctl.node.foreign_json import foreign_json
from lingctl.serving.batch.answer import BatchAnswer, json_line
from lingctl.serving.batch.requests import BatchInput, answer_id, numbered_lines

_LETTERS = {"answered": "a", "refused": "r", "failed": "f"}
_BY_LETTER = (b"a", b"r", b"f")
_MODE = 0o600
_LONGEST_ENTRY = 128 << 20


class BatchState:
    """The file of a batch that runs. Its methods may be called from any thread."""

    def __init__(self, descriptor: int, path: Path, head: bytes, requests: int) -> None:
        self._descriptor = descriptor
        self._path = path
        # For each request: where its line begins, 0 where there is none; and what it counts as.
        self._places = array("Q", bytes(8 * requests))
        self._letters = bytearray(requests)
        self._lock = threading.Lock()
        self._unsynced = False
        self.damaged = 0  # lines that could not be read, and whose requests are asked again
        self._length = self._read(head)

    def is_done(self, number: int) -> bool:
        """Whether a request has come to an end that the same request would come to again."""
        return self._letters[number] in b"ar"

    def count(self, outcome: str) -> int:
        """How many requests count as that."""
        return self._letters.count(_LETTERS[outcome].encode())

    def keep(self, answer: BatchAnswer) -> bool:
        """Write what came of a request; False where it had come to an end before.

        Raises:
            OSError: it cannot be written, and is not there then.
        """
        if self.is_done(answer.number):
            return False
        self._write(answer.number, _LETTERS[answer.outcome], answer.line())
        return True

    def take(self, number: int, line: bytes) -> None:
        """Take over the answer of an earlier output, if there is none yet."""
        if not self.is_done(number):
            self._write(number, "a", line)

    def sync(self) -> None:
        """Have on the disk what was written."""
        with self._lock:
            if not self._unsynced:
                return
            self._unsynced = False
        os.fsync(self._descriptor)

    def finish(self, output: Path, errors: Path) -> bool:
        """Make the two files, in the order of the input; whether there is one of errors. The state goes.

        Raises:
            OSError: they cannot be written; the state stays.
        """
        failed = any(letter != ord("a") for letter in self._letters)
        if failed:
            self._put(errors, b"rf")
        self._put(output, b"a")
        if not failed:
            errors.unlink(missing_ok=True)
        self._path.unlink()
        return failed

    def _put(self, target: Path, letters: bytes) -> None:
        with whole_file(target) as file, self._path.open("rb") as lines:
            for number, place in enumerate(self._places):
                if place and self._letters[number] in letters:
                    lines.seek(place)
                    file.write(lines.readline().split(b" ", 2)[2])

    def _write(self, number: int, letter: str, line: bytes) -> None:
        entry = f"{number} {letter} ".encode() + line
        with self._lock:
            written = 0
            try:
                while written < len(entry):
                    written += os.pwrite(self._descriptor, entry[written:], self._length + written)
            except OSError as error:
                error.filename = error.filename or str(self._path)
                os.ftruncate(self._descriptor, self._length)
                raise
            self._places[number], self._letters[number] = self._length, ord(letter)
            self._length += len(entry)
            self._unsynced = True

    def _read(self, head: bytes) -> int:
        """Where the next line goes, after all whole lines were read and what is torn was cut off."""
        with self._path.open("rb") as file:
            first = file.readline(len(head) + 1)
            if not first.endswith(b"\n"):
                # A kill in the middle of its beginning: there is nothing yet.
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, head, 0)
                os.fsync(self._descriptor)
                return len(head)
            length = file.tell()
            while (line := file.readline(_LONGEST_ENTRY)).endswith(b"\n"):
                self._understand(line, length)
                length += len(line)
        os.ftruncate(self._descriptor, length)
        return length

    def _understand(self, line: bytes, place: int) -> None:
        number, letter, told = (*line.split(b" ", 2), b"", b"")[:3]
        try:
            foreign_json(told)
            if letter not in _BY_LETTER or not number.isdigit():
                raise ValueError(number)
            self._places[int(number)], self._letters[int(number)] = place, ord(letter)
        except (ValueError, IndexError):
            self.damaged += 1


def place_of(output: Path) -> Path:
    """Where the state of a batch with that output is."""
    return output.with_name(f"{output.name}.answers")


def answers_in(output: Path, source: Path, model: str) -> Iterator[tuple[int, bytes]]:
    """The lines of an output that is there, each with the number of the request that it answers.

    Raises:
        ConfigurationError: one answers no request of the input.
    """
    with source.open("rb") as asked, output.open("rb") as answers:
        requests = enumerate(answer_id(line, model) for _, line in numbered_lines(asked))
        for place, line in numbered_lines(answers, longest=_LONGEST_ENTRY):
            wanted = _id_of(line)
            number = next((number for number, name in requests if name == wanted), None)
            if number is None:
                raise ConfigurationError(
                    f"line {place} is no answer to a request of {source}, or not in its order",
                    where=str(output),
                    remedy=f"move {output} away, or name another output",
                    code="batch-output",
                )
            yield number, line + b"\n"


def _id_of(line: bytes) -> str:
    try:
        data = foreign_json(line)
    except ValueError:
        return ""
    return str(data.get("id", "")) if isinstance(data, dict) else ""


@contextmanager
def batch_state(output: Path, given: BatchInput, model: str) -> Iterator[BatchState]:
    """The state of a batch: what an earlier run left, or a new one.

    Args:
        model: that is asked for instead of what the input says.

    Raises:
        ConfigurationError: an earlier run asked something else.
        LockedError: another one is at it.
        OSError: the file cannot be written.
    """
    path = place_of(output)
    head = json_line({"lingctl_batch": 1, "input": given.digest, "requests": given.requests, "model": model})
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    try:
        _lock(descriptor, path)
        with path.open("rb") as file:
            _need_the_same(file, path, json.loads(head), given)
        state = BatchState(descriptor, path, head, given.requests)
        sync_folder(str(path.parent))
        yield state
        state.sync()
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        remedy = "wait for it, or name another output"
        raise LockedError(
            "another lingctl batch writes these answers", where=str(path), remedy=remedy, code="batch-locked"
        ) from error


def _need_the_same(file: BinaryIO, path: Path, wanted: dict[str, object], given: BatchInput) -> None:
    first = file.readline(4096)
    if not first.endswith(b"\n"):
        return
    try:
        found = foreign_json(first)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("lingctl_batch") != 1:
        raise ConfigurationError(
            "is there and holds no answers of a batch", where=str(path), code="batch-state"
        )
    differs = [name for name in ("input", "requests", "model") if found.get(name) != wanted[name]]
    if differs:
        what = f"{given.path} has changed" if "input" in differs else "another model was asked"
        raise ConfigurationError(
            f"{what} since these answers were begun",
            where=str(path),
            remedy=f"ask the same as then, or name another output; to begin anew, remove {path}",
            code="batch-changed",
        )
