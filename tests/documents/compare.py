"""What a page shows held against what lingctl printed.

Times, sizes, rates, ids, sums and addresses are another in every run: they are taken out on both sides, and
so is the width of columns. ``...`` in the place of lines stands for any lines, ``...`` and ``…`` within one
for any words. What a command says while it works (standard error) a page may show or leave out; of its answer
(standard output) it leaves out nothing but where it says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_VOLATILE = [
    (re.compile(pattern), word)
    for pattern, word in (
        (r"\b\d{8}-\d{6}-[0-9a-f]{4}\b", "RELEASE"),
        (r"\b\d{8}-\d{6}\b", "STAMP"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)?", "TIME"),
        (r"\b(\d{1,3}\.){3}\d{1,3}(:\d+)?\b", "ADDRESS"),
        (r"\b[\w.-]+@[\w.-]+", "LOGIN"),
        (r"\bprocess \d+", "process N"),
        (r"\btorch \S+?(?=,|$)", "torch V"),
        (r"\b[0-9a-f]{8,}(\.\.\.|…)?", "SUM"),
        (
            r"(?<![\w.])-?\d[\d.,]*(e-\d+)? ?"
            r"(s|ms|min|minutes|B|KB|MB|GB|TB|KiB|MiB|GiB|%|"
            r"(MB|GB|tokens|requests)/s|(processor )?seconds)(?!\w)",
            "SIZE",
        ),
    )
]
_ANY = re.compile(r"\.\.\.|…")
_ELIDED = ("...", "…")


def plain(line: str) -> str:
    """A line without what is another in every run."""
    line = " ".join(line.split())
    for pattern, word in _VOLATILE:
        line = pattern.sub(word, line)
    return line


def same(shown: str, printed: str) -> bool:
    """Whether a line of a page is the one that was printed."""
    ours = plain(printed)
    if not _ANY.search(shown):
        return plain(shown) == ours
    wanted = r"\s*.*?\s*".join(re.escape(plain(part)) for part in _ANY.split(shown))
    return any(re.fullmatch(wanted, text) for text in (ours, " ".join(printed.split())))


def differences(shown: Sequence[str], answer: str, said: str) -> list[str]:
    """What the page shows otherwise; nothing where it shows nothing, or all is as it says."""
    wanted = [line for line in shown if line.strip()]
    answers, others = ([line for line in text.splitlines() if line.strip()] for text in (answer, said))
    found, at, elided = [], 0, False
    for line in wanted:
        if line.strip() in _ELIDED:
            elided = True
            continue
        fits = [number for number in range(at, len(answers)) if same(line, answers[number])]
        if fits and (elided or fits[0] == at):
            at, elided = fits[0] + 1, False
        elif not any(same(line, other) for other in others):
            instead = answers[at] if at < len(answers) and not elided else "nothing like it"
            found.append(f"shows: {line}\nprinted: {instead}")
            at += not elided
    if wanted and not elided and at < len(answers):
        found.append("does not show: " + "\n".join(answers[at:]))
    return found


def renewed(shown: Sequence[str], answer: str) -> list[str] | None:
    """What the page is to show: the answer, cut where it was cut; None where only somebody can tell."""
    lines = answer.rstrip("\n").split("\n")
    cuts = [number for number, line in enumerate(shown) if line.strip() in _ELIDED]
    blank = [""] if shown and not shown[-1].strip() else []
    if not cuts:
        return [*lines, *blank]
    if len(cuts) > 1:
        return None
    head, tail = cuts[0], len(list(shown)) - cuts[0] - 1 - len(blank)
    return [*lines[:head], "...", *(lines[-tail:] if tail else []), *blank]
