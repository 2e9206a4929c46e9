"""Ask many questions, each with its own time limit: one process, and one for each tool.

They are asked one after the other; those that may be asked beside the others form a second line, whose
answers come at the end.

It is no part of the packed program: its text is handed to a node's Python (3.8 or newer) as ``-c``, before
anything of ours is there. ``shell/ask/probe.sh`` starts it, and does the same work itself, with five
processes for each question, where there is no such Python. What it prints, ``remote/probe.py`` reads. It
writes no file.

Few modules are imported, for each costs more than a question: ``signal`` and ``typing`` are none of them. A
few scripts that are asked often name a function of this file that does the same (``ITSELF``): a copy of this
process then does it, where a shell and two tools would be started.
"""

from __future__ import annotations

import binascii
import os
import select
import sys
import time

TYPE_CHECKING = False  # as type checkers know it without ``typing``
if TYPE_CHECKING:
    from collections.abc import Callable

MARK = b"\x1e"
# Three answers of hccn_tool say "not now": the tool is busy, its lock is held, or the device is occupied.
NOT_NOW = (b"hccn_tool is busy", b"Get lock failed", b"The device is occupied")
PAUSES = (0.3, 1.0, 2.0, 0.0)
TIMED_OUT = 124
# In base64 this is what lingctl keeps of a command's output; a longer answer would be lost there.
MOST = 48 << 20
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./- ")
TERM, KILL, PIPE, XFSZ = 15, 9, 13, 25
# Between the request to end and force, and from there until it is given up: a driver may hold it for ever.
GRACE = (5.0, 1.0)


class TooMuchError(Exception):
    """An answer was longer than what can be brought."""


def words_of(text: str) -> list[str]:
    """The words of a command that a shell would only pass on: plain ones, and ones in single quotes as
    ``shlex.quote`` writes them. Nothing where a shell has to read it."""
    words: list[str] = []
    word: str | None = None
    for number, part in enumerate(text.replace("'\"'\"'", "\0").split("'")):
        if number % 2:
            word = (word or "") + part.replace("\0", "'")
            continue
        if not PLAIN.issuperset(part):
            return []
        first, *more = part.split(" ")
        if first:
            word = (word or "") + first
        for piece in more:
            if word is not None:
                words.append(word)
            word = piece or None
    if word is not None:
        words.append(word)
    closed = text.replace("'\"'\"'", "").count("'") % 2 == 0
    return words if closed and words and "=" not in words[0] else []


def spawn(words: list[str], out: int, err: int) -> int:
    """Start a program in a process group of its own, without input; gives its pid."""
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, out, 1),
        (os.POSIX_SPAWN_DUP2, err, 2),
    ]
    # Python ignores these two signals, and what it starts would do so too.
    program = "/bin/sh" if words[0] == "sh" else words[0]
    return os.posix_spawnp(
        program, words, os.environ, file_actions=streams, setpgroup=0, setsigdef=[PIPE, XFSZ]
    )


def is_there(path: str) -> bool:
    """Whether a file or folder is there; says ``absent`` where it is not.

    Raises:
        OSError: it cannot be looked at, so that it is not known.
    """
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        say(b"absent\n")
        return False
    return True


def tell_file(path: str) -> None:
    """What ``shell/ask/file.sh`` tells."""
    if is_there(path):
        found = os.lstat(path)
        file = os.open(path, os.O_RDONLY)
        say(b"%o %d\n" % (found.st_mode & 0o7777, found.st_uid))
        part = b"more"
        while part:
            part = os.read(file, 1 << 16)
            say(part)


def tell_names(path: str) -> None:
    """What ``shell/ask/names.sh`` tells."""
    if is_there(path):
        for name in sorted(os.listdir(os.fsencode(path))):
            if not name.startswith(b"."):
                say(name + b"\n")


ITSELF = {"tell_file": tell_file, "tell_names": tell_names}


def itself(words: list[str]) -> str:
    """Which function here does what a script does; nothing where none does."""
    script = words[2] if words[:2] == ["sh", "-c"] and len(words) == 5 else ""
    name = script[:300].partition("Done by asker.py itself: ")[2].partition("\n")[0]
    return name if name in ITSELF else ""


def copy(name: str, path: str, out: int, err: int) -> int:
    """Have a copy of this process do it, in a process group of its own, without input; gives its pid."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setpgid(0, 0)
        for stream, number in ((os.open("/dev/null", os.O_RDONLY), 0), (out, 1), (err, 2)):
            os.dup2(stream, number)
        ITSELF[name](path)
        status = 0
    except OSError as error:
        os.write(2, os.fsencode("%s: %s\n" % (path, error.strerror)))
    finally:
        os._exit(status)


def start(text: str, out: int, err: int) -> int:
    """Start a command: by itself where no shell has to read it, else by one."""
    words = words_of(text)
    if name := itself(words):
        return copy(name, words[4], out, err)
    if words:
        try:
            return spawn(words, out, err)
        except OSError:
            pass  # not there, or no program: the shell says so, in its own words
    return spawn(["sh", "-c", text], out, err)


def end(group: int, number: int) -> None:
    """Send a signal to all of a process group that is still there."""
    try:
        os.killpg(group, number)
    except OSError:
        return


def run(text: str, seconds: float) -> tuple[int, bytes, bytes]:
    """Run one command to its end or its time limit.

    Raises:
        TooMuchError: it printed more than can be brought.
        OSError: nothing can be started.
    """
    (out, out_end), (err, err_end) = os.pipe(), os.pipe()
    try:
        child = start(text, out_end, err_end)
    finally:
        os.close(out_end)
        os.close(err_end)
    said = {out: bytearray(), err: bytearray()}
    watched = select.poll()
    for stream in said:
        watched.register(stream, select.POLLIN)
    unread = set(said)
    deadline = time.monotonic() + seconds
    late = False
    signals = list(zip((TERM, KILL, 0), (*GRACE, 0.0)))
    status: int | None = None
    pause = 0.0002
    while status is None:
        left = deadline - time.monotonic()
        if left <= 0:
            late = True
            number, grace = signals.pop(0)
            if number == 0:
                break
            end(child, number)
            deadline = time.monotonic() + grace
            continue
        if unread:
            # One that it started may hold its streams longer than it lives.
            for stream, _ in watched.poll(1000 * min(left, 0.05)):
                part = os.read(stream, 1 << 16)
                said[stream] += part
                if not part:
                    unread.discard(stream)
                    watched.unregister(stream)
            if sum(map(len, said.values())) > MOST:
                end(child, KILL)
                raise TooMuchError
        else:
            time.sleep(min(left, pause))
            pause = min(2 * pause, 0.05)
        pid, ended = os.waitpid(child, os.WNOHANG)
        if pid:
            status = 128 + os.WTERMSIG(ended) if os.WIFSIGNALED(ended) else os.WEXITSTATUS(ended)
    for stream, _ in watched.poll(0):
        said[stream] += os.read(stream, 1 << 20)  # all that a pipe holds
    for stream in said:
        os.close(stream)
    return (TIMED_OUT if late or status is None else status), bytes(said[out]), bytes(said[err])


def first_line(said: bytes) -> bytes:
    """The first line of an answer."""
    return said.partition(b"\n")[0]


def settled(text: str, seconds: float) -> tuple[int, bytes, bytes]:
    """Run a command, and again while it says that this is not the time."""
    for pause in PAUSES:
        said = run(text, seconds)
        status, out, err = said
        lines = first_line(out) + b" " + first_line(err)
        if status == 0 or not any(words in lines for words in NOT_NOW):
            break
        time.sleep(pause)
    return said


def say(text: bytes, to: int = 1) -> None:
    """Write all of it, to standard output."""
    while text:
        text = text[os.write(to, text) :]


def encoded(said: bytes) -> bytes:
    """In base64, with a line end; nothing of nothing."""
    return binascii.b2a_base64(said) if said else b""


def ask_all(questions: list[list[str]], hung: set[str], tell: Callable[[bytes], None]) -> bool:
    """Ask one after the other; whether all could be brought. ``hung``: groups that are asked no more."""
    for name, seconds, text, group, _ in questions:
        if group in hung:
            continue
        try:
            status, out, err = settled(text, float(seconds))
        except TooMuchError:
            tell(MARK + b"no-room\n")
            os.write(2, b"no room for the answer to " + os.fsencode(name) + b"\n")
            return False
        if status == TIMED_OUT and group != "-":
            hung.add(group)
        tell(MARK + os.fsencode(name) + b" %d\n" % status + encoded(out) + MARK + b"\n" + encoded(err))
    return True


def begin_beside(questions: list[list[str]]) -> tuple[int, int]:
    """Ask in a process of its own; gives its pid, and what its answers are read from.

    What they fill it with waits there: it goes on when they are read.
    """
    answers, end = os.pipe()
    child = os.fork()
    if child:
        os.close(end)
        return child, answers
    status = 41
    try:
        os.close(answers)
        status = 0 if ask_all(questions, set(), lambda text: say(text, end)) else 41
    finally:
        os._exit(status)


def main(words: list[str]) -> int:
    """Ask all. Of each question: id, seconds, command, group and ``beside``; ``-`` for neither of the two."""
    questions = [words[place : place + 5] for place in range(0, len(words) - 4, 5)]
    # The first one's answer is the clock, whose time must be known well: nothing else runs then.
    first, rest = questions[:1], questions[1:]
    beside = [question for question in rest if question[4] != "-"]
    hung: set[str] = set()
    if not ask_all(first, hung, say):
        return 1
    other = begin_beside(beside) if beside else None
    if not ask_all([question for question in rest if question[4] == "-"], hung, say):
        return 1
    if other:
        child, answers = other
        while True:
            part = os.read(answers, 1 << 16)
            if not part:
                break
            say(part)
        if os.waitpid(child, 0)[1]:
            return 1
    say(MARK + b"lingctl-end\n")
    return 0


if __name__ == "__main__":
    # 40 tells the script that starts it that it has asked nothing, and 41 that it began and could not end.
    if sys.version_info < (3, 8) or not hasattr(os, "posix_spawnp"):
        sys.exit(40)
    try:
        ended = main(sys.argv[1:])
    except Exception as error:
        os.write(2, os.fsencode("the questions could not be asked: %s\n" % error))
        ended = 41
    os._exit(ended and 41)
