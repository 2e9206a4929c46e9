"""One thing that a machine said and that may teach lingctl something. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lingctl.findings import Finding, Verdict

_MOST_OF_ONE = 4_000
# Not the status of an answer or a program, which is a word.
_NUMBER = re.compile(r"(?<!with )(?<!status )(?<!\d)\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_HEX = re.compile(r"(?:sha256:)?(?<!\w)(?:digest-\d+|(?=[0-9a-f]*\d)[0-9a-f]{6,})(?!\w)…?")
_MANY = re.compile(r"#(?:(?:[.:/-]|, | and )#)+")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class HeardText:
    """A text that was not understood, or not expected."""

    kind: str  # ``answer`` of a tool, ``line`` of a console, ``error`` of a card, ``unknown`` verdict
    what: str  # the question that it answers, or where it stood
    said: str  # as it came, bounded
    status: int | None = None  # exit status of the tool
    why: str = ""  # why it was not read


def beginning(text: str) -> str:
    """As much of a text as is kept, up to the end of a word: half an address or key is not known for one."""
    if len(text) <= _MOST_OF_ONE:
        return text
    return text[:_MOST_OF_ONE].rpartition(max(" ", "\n", key=text[:_MOST_OF_ONE].rfind))[0]


def sentences(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """What was found, one of each form, as it was said: names can be told only while they are whole."""
    found: dict[str, str] = {}
    for one in findings:
        said = f"{one.check} {one.verdict.word}: {one.message}"
        found.setdefault(form_of(said), said)
    return tuple(found[form] for form in sorted(found))


def form_of(sentence: str) -> str:
    """A sentence of ``sentences`` without numbers: the same on machines that behave alike."""
    check, colon, message = sentence.partition(": ")
    return f"{check}{colon}{skeleton(message)}"


def skeleton(text: str) -> str:
    """A text without numbers and without what stands in quotes."""
    plain = _HEX.sub("#", _QUOTED.sub("'…'", text))
    return _MANY.sub("#", _NUMBER.sub("#", plain))


def unjudged(findings: tuple[Finding, ...]) -> tuple[HeardText, ...]:
    """The evidence of what could not be judged."""
    return tuple(
        HeardText("unknown", one.check, beginning(f"{one.message}\n{one.evidence}"))
        for one in findings
        if one.verdict is Verdict.UNKNOWN and one.evidence
    )
