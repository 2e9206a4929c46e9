"""An answer that gives no fact, and why. Odd text is never an exception and never a pass.

Every reader begins with ``whole`` (a tool's answer) or ``closed`` (a listing of our own, which ends with a
line that says so): half an answer must not look like a whole one. docs/architecture.md has the rules.

Text decides first and the exit status second: one status of hccn_tool has several meanings, and a link that
is down exits 0. Messages and statuses: the published hccn_tool source (`hicann/driver`, 2026-07).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from lingctl.remote.command import Command, script
from lingctl.remote.probe import Answer

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


def whole(answer: Answer | None) -> Answer | Unread:
    """The answer, if a fact may be read from it: it came, refuses nothing, succeeded, and does not break off.

    Every tool asked here ends its lines, the last one too (all captures): what does not was cut.
    """
    if answer is None:
        return unread(answer)
    refused = refusal(answer)
    if refused:
        return refused
    if answer.exit_status != 0:
        return unread(answer)
    return broken_off(answer) or answer


def broken_off(answer: Answer) -> Unread | None:
    """Why an answer is not all that was said, None if it is: for a tool whose exit status means nothing."""
    if answer.timed_out or (answer.stdout and not answer.stdout.endswith("\n")):
        return unread(answer, CUT_SHORT)
    return None


def closing(body: str, *arguments: str | int) -> Command:
    """A script of our own whose answer ends with a line that says that it is whole; ``closed`` reads it."""
    return script(f"{body}\nprintf '%s\\n' '{_END}'", *arguments)


def closing_cat(path: str) -> Command:
    """Print a file, then the closing line; fails where it cannot be read. A last line may lack its end."""
    return script(f"cat \"$1\" && printf '\\n%s\\n' '{_END}'", path)


def closed(answer: Answer | None) -> Answer | Unread:
    """As ``whole``, for an answer to ``closing``: without its last line, which must be there."""
    seen = whole(answer)
    if isinstance(seen, Unread):
        return seen
    body, mark, rest = seen.stdout.rpartition(f"{_END}\n")
    if not mark or rest or (body and not body.endswith("\n")):
        return Unread("not-understood", CUT_SHORT, quote(seen)) if seen.stdout else unread(seen)
    return Answer(body, seen.stderr, seen.exit_status)


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
