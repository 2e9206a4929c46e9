"""An answer that gives no fact, and why. Odd text is never an exception and never a pass.

Every reader is made by ``of_whole`` (a tool's answer), or by ``of_closed`` or ``of_file`` (a listing of our
own, which ends with a line that says so): half an answer must not look like a whole one.
docs/architecture.md has the rules.

Text decides first and the exit status second: one status of hccn_tool has several meanings, and a link that
is down exits 0. Messages and statuses: the published hccn_tool source (`hicann/driver`, 2026-07).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from lingctl.remote.command import Command, script
from lingctl.remote.probe import Answer

T = TypeVar("T")
V = TypeVar("V")

CUT_SHORT = "the answer ends in the middle"
_END = "(end of the answer)"

Reason = Literal[
    "timed-out",
    "busy",
    "denied",
    "no-tool",
    "no-library",
    "no-device",
    "unsupported",
    "failed",
    "empty",
    "not-understood",
    "not-asked",
]

_REFUSALS: tuple[tuple[Reason, str, str], ...] = (
    ("timed-out", r"Get device health status failed", "the card did not become ready"),
    (
        "busy",
        r"hccn_tool is busy|Get lock failed|The device is occupied|please try again later",
        "the tool was busy at every try",
    ),
    ("denied", r"permission denied|can't access, cmd execute failed", "not allowed for this user"),
    (
        "no-device",
        r"invalid device id|device (?:is|does) not exist|Invalid card id|There is no NPU card",
        "the driver knows no such card",
    ),
    (
        "unsupported",
        r"not supported on this product|does not support|unknown option|invalid major cmd|not an option"
        r"|input parameters is wrong|number of parameters is incorrect",
        "this driver or product has no such query",
    ),
    ("no-library", r"error while loading shared libraries", "the tool cannot load the driver's libraries"),
    ("no-tool", r"command not found|: not found$", "the tool is not there"),
    (
        "failed",
        r"(?:Command|Cmd) execute failed|cmd line execute timeout|Link status is down"
        r"|(?:dcmi|dsmi) mod(?:ule|el) initialize|Control link unreachable",
        "the tool itself failed",
    ),
)
# Of small letters, as what they are held against: four times as quick as to ignore the case.
_PATTERNS = tuple(
    (reason, re.compile(pattern.lower(), re.MULTILINE), text) for reason, pattern, text in _REFUSALS
)
_MOST_QUOTED = 400


@dataclass(frozen=True, slots=True)
class Unread:
    """What was asked has no answer that can be understood."""

    reason: Reason  # kind of trouble
    text: str  # the same in words
    quote: str = ""  # the answer itself, shortened


class _NotRead(Exception):
    """Ends a reader whose answer gives no fact; ``_reader`` makes a value of it."""

    def __init__(self, why: Unread) -> None:
        super().__init__(why.text)
        self.why = why


def refusal(answer: Answer) -> Unread | None:
    """Why a tool gave no answer, if it says so; None where its text may be an answer."""
    if answer.timed_out:
        return Unread("timed-out", "no answer within the time limit", quote(answer))
    said = f"{answer.stdout[:4000]}\n{answer.stderr[:4000]}".lower()
    for reason, pattern, text in _PATTERNS:
        if pattern.search(said):
            return Unread(reason, text, quote(answer))
    if answer.exit_status == 127:
        return Unread("no-tool", "the tool is not there", quote(answer))
    return None


def _whole(answer: Answer | None, failed: str = "") -> Answer:
    """The answer, if a fact may be read from it: it came, refuses nothing, succeeded, and does not break off.

    Every tool asked here ends its lines, the last one too (all captures): what does not was cut.

    Args:
        failed: what to say of one that did not succeed and does not say why.
    """
    if answer is None or answer.exit_status != 0:
        raise _NotRead(unread(answer, failed))
    if refused := refusal(answer):
        raise _NotRead(refused)
    return _ended(answer)


def _ended(answer: Answer | None) -> Answer:
    """The answer, if it came and does not break off: for a tool whose exit status means nothing."""
    if answer is None or answer.timed_out or (answer.stdout and not answer.stdout.endswith("\n")):
        raise _NotRead(unread(answer, CUT_SHORT))
    return answer


def closing(body: str, *arguments: str | int) -> Command:
    """A script of our own whose answer ends with a line that says that it is whole; see ``of_closed``."""
    return script(f"{body}\nprintf '%s\\n' '{_END}'", *arguments)


def closing_cat(path: str) -> Command:
    """Print a file, then the closing line; fails where it cannot be read. A last line may lack its end."""
    return script(f"cat \"$1\" && printf '\\n%s\\n' '{_END}'", path)


def _closed(answer: Answer | None, failed: str = "") -> Answer:
    """As ``_whole``, for an answer to ``closing``: without its last line, which must be there."""
    seen = _whole(answer, failed)
    body, mark, rest = seen.stdout.rpartition(f"{_END}\n")
    if not mark or rest or (body and not body.endswith("\n")):
        raise _NotRead(Unread("not-understood", CUT_SHORT, quote(seen)) if seen.stdout else unread(seen))
    return Answer(body, seen.stderr, seen.exit_status)


def of_whole(read: Callable[[Answer], T]) -> Callable[[Answer | None], T | Unread]:
    """Makes a reader of what is read from a tool's whole answer."""
    return _reader(_whole, read)


def of_ended(read: Callable[[Answer], T]) -> Callable[[Answer | None], T | Unread]:
    """As ``of_whole``, of a tool whose exit status means nothing, and whose counts go before refusals."""
    return _reader(_ended, read)


def of_closed(read: Callable[[Answer], T]) -> Callable[[Answer | None], T | Unread]:
    """Makes a reader of what is read from the whole answer to ``closing``, without its last line."""
    return _reader(_closed, read)


def of_file(read: Callable[[Answer], T]) -> Callable[[Answer | None], T | Unread]:
    """As ``of_closed``, for a file that ``closing_cat`` prints."""
    return _reader(functools.partial(_closed, failed="the file cannot be read"), read)


def _reader(
    begin: Callable[[Answer | None], Answer], read: Callable[[Answer], T]
) -> Callable[[Answer | None], T | Unread]:
    @functools.wraps(read)
    def reader(answer: Answer | None) -> T | Unread:
        try:
            return read(begin(answer))
        except _NotRead as ended:
            return ended.why

    return reader


def where_it_says(
    pattern: str, value: V
) -> Callable[[Callable[[Answer | None], T]], Callable[[Answer | None], T | V]]:
    """Makes a reader give ``value`` where the tool says on stderr that there is nothing to tell."""

    def wrapped(read: Callable[[Answer | None], T]) -> Callable[[Answer | None], T | V]:
        @functools.wraps(read)
        def reader(answer: Answer | None) -> T | V:
            said = "" if answer is None or answer.timed_out else answer.stderr
            return value if re.search(pattern, said, re.MULTILINE) else read(answer)

        return reader

    return wrapped


def the_one(seen: Answer, pattern: str) -> re.Match[str]:
    """The one place of an answer that a pattern, with ``^`` and ``$`` for its lines, matches.

    None, or several, end the reader: of several answers in one it cannot be told whose they are.
    """
    found = list(re.finditer(pattern, seen.stdout, re.MULTILINE))
    if len(found) != 1:
        raise _NotRead(unread(seen, "several answers in one" if found else ""))
    return found[0]


def every_line(seen: Answer, pattern: str, what: str = "a line") -> list[re.Match[str]]:
    """Each line of an answer; one that is otherwise ends the reader, for it may be the one that matters."""
    found = []
    for line in seen.stdout.splitlines():
        match = re.fullmatch(pattern, line)
        if match is None:
            raise _NotRead(unread(seen, f"{what} is not understood: {line[:100]}"))
        found.append(match)
    return found


def has_closing(asked: Command) -> bool:
    """Whether a command is one of ``closing``, whose answer has to end with that line."""
    return _END in asked.text


def is_closed(answer: Answer) -> bool:
    """Whether an answer ends with the closing line."""
    return answer.stdout.endswith(f"{_END}\n")


def close(text: str) -> str:
    """What ``closing`` would print after ``text``; for answers that were captured without it."""
    return f"{text}{_END}\n"


def unread(answer: Answer | None, why: str = "") -> Unread:
    """The Unread of an answer that a reader could not use."""
    if answer is None:
        return Unread("not-asked", "not asked, or the node was lost before it answered")
    refused = refusal(answer)
    if refused:
        return refused
    if not answer.stdout.strip() and not answer.stderr.strip():
        return Unread("empty", f"an empty answer (exit status {answer.exit_status})")
    return Unread("not-understood", why or "the answer is not understood", quote(answer))


def quote(answer: Answer) -> str:
    """What was said, both streams, shortened for a finding."""
    said = "\n".join(part.strip("\n") for part in (answer.stdout, answer.stderr) if part.strip())
    return said if len(said) <= _MOST_QUOTED else f"{said[:_MOST_QUOTED]}…"


def is_number(word: str) -> bool:
    """Whether it is a number as the tools print ids: no sign, and no digits of other scripts."""
    return re.fullmatch(r"[0-9]{1,9}", word) is not None
