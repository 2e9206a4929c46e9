"""explain: what codes mean, and why a log's daemon ended, without a cluster and without a network."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Literal

from lingctl.engine.logs import CodeMeaning, Confidence, Explanation, LogReader
from lingctl.engine.words.long_log import first_of_each
from lingctl.engines import reader_of, readers
from lingctl.errors import UsageError
from lingctl.flows.look.daemon import cause_in_words
from lingctl.flows.look.explain.own_codes import known_codes, own_meaning
from lingctl.flows.look.reading.log_files import read_path
from lingctl.flows.look.reading.log_text import ReadLog, read_stream
from lingctl.nearest import did_you_mean

STANDARD_INPUT = "-"
# "none": the logs show no trouble at all.
Assurance = Literal[Confidence, "none"]
_NO_TROUBLE = "no trouble is seen in it"
_RUNS = "the daemon runs"
_TROUBLE = re.compile(
    r"error|exception|traceback|fatal|critical|abort|core dumped|killed|fail|已杀死|段错误", re.IGNORECASE
)
_SMALL_WORDS = ("exit", "status", "code", "error", "is", "retcode", "errno", "")
_MOST_EVIDENCE = 3
_MOST_NEAR = 5
_WHAT_THERE_IS = (
    "a code: disk-full, link, EI0006, 507035, MIE04E02011C, ERR01100, E4 or 134; a log: FILE or -"
)


@dataclass(frozen=True, slots=True)
class LogVerdict:
    """What all logs together say."""

    confidence: Assurance
    words: str  # the cause and how sure that is, as deploy tells it
    where: str = ""  # log or node, with rank and card where the line names them; empty where nothing is wrong
    id: str = ""  # of the catalogue, or a vendor's code; empty where nothing known explains it
    cause: str = ""  # without how sure it is; empty where nothing known explains it
    remedy: str = ""
    evidence: tuple[str, ...] = ()  # the lines that show it
    detail: str = ""  # what other lines add
    time: str = ""  # when the first of the lines was printed, as far as it tells; ISO 8601
    also: tuple[str, ...] = ()  # what the other logs say

    def because(self, one: Explanation) -> LogVerdict:
        """The same, with what is known of the cause."""
        return replace(
            self,
            confidence=one.confidence,
            id=one.id,
            cause=one.cause,
            remedy=one.remedy,
            detail=one.detail,
            time=one.time.isoformat() if one.time is not None else "",
        )


@dataclass(frozen=True, slots=True)
class Explained:
    """The answer."""

    codes: tuple[CodeMeaning, ...]
    logs: tuple[ReadLog, ...]
    verdict: LogVerdict | None  # None where no log was given

    @property
    def known(self) -> bool:
        """Whether everything that was asked for is known."""
        told = self.verdict is None or self.verdict.confidence != "unknown"
        return told and all(one.meaning for one in self.codes)


def explain(asked: Sequence[str], stdin: IO[bytes], *, engine: str = "") -> Explained:
    """Explain codes, exit statuses, ids of the catalogue, and logs; logs are judged together, one a node.

    A word that is both a code of lingctl and a file here is the code: a path is written with a slash.

    Args:
        asked: each a code, a file, a folder, an archive of ``lingctl collect``, or ``-`` for what stands on
            standard input.
        stdin: standard input, read where it is asked for.
        engine: whose they are; empty where their words are to tell.

    Raises:
        UsageError: a word is neither a code nor a file, or a file cannot be read.
    """
    known = readers(engine)
    chosen = partial(first_of_each, consoles=[one.console for one in known])
    codes: list[CodeMeaning] = []
    logs: list[ReadLog] = []
    for word in asked:
        if word == STANDARD_INPUT:
            logs.append(read_stream(stdin, "standard input", chosen))
        elif not _is_small(word, asked) and (own := own_meaning(word, known)) is not None:
            codes.append(own)
        elif _is_here(word):
            logs += read_path(Path(word), chosen)
        elif (meaning := _meaning(word, known)) is not None:
            codes.append(meaning)
        elif phrase := _codes_of(word, known):
            codes += phrase
        elif word.lower() not in _SMALL_WORDS:
            raise UsageError(
                f"{word} is neither a file nor a code that is known",
                remedy=did_you_mean(word, known_codes(), _MOST_NEAR) or _WHAT_THERE_IS,
                code="nothing-to-explain",
            )
    if not codes and not logs:
        raise UsageError(
            "there is nothing to explain", remedy="lingctl explain -h", code="nothing-to-explain"
        )
    named = _named_apart(logs)
    verdict = _verdict(named, reader_of([log.text for log in named], engine)) if named else None
    return Explained(tuple(codes), named, verdict)


def _is_small(word: str, asked: Sequence[str]) -> bool:
    """Whether a word only leads to a code that stands beside it: ``exit status 134``."""
    return len(asked) > 1 and word.lower() in _SMALL_WORDS


def _is_here(word: str) -> bool:
    try:
        os.lstat(word)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG  # a line of a log, and no path
    return True


def _meaning(word: str, known: Sequence[LogReader]) -> CodeMeaning | None:
    """What a word means to the first engine that knows it; what one knows only whose it is comes last."""
    found = [meaning for reader in known if (meaning := reader.look_up(word)) is not None]
    return next((one for one in found if one.meaning), next(iter(found), None))


def _codes_of(phrase: str, known: Sequence[LogReader]) -> list[CodeMeaning]:
    """What a phrase around codes asks for: ``error code is 507035``. Nothing where it holds another word."""
    words = [word for word in re.split(r"[\s=:,;()\[\]]+", phrase) if word.lower() not in _SMALL_WORDS]
    found = [meaning for word in words if (meaning := _meaning(word, known)) is not None]
    return found if len(found) == len(words) else []


def _named_apart(logs: Sequence[ReadLog]) -> tuple[ReadLog, ...]:
    """The logs, no two of them with one name."""
    names: dict[str, int] = {}
    told = []
    for log in logs:
        names[log.name] = names.get(log.name, 0) + 1
        name = log.name if names[log.name] == 1 else f"{log.name} ({names[log.name]})"
        told.append(replace(log, name=name))
    return tuple(told)


def _verdict(logs: Sequence[ReadLog], reader: LogReader) -> LogVerdict:
    texts = {log.name: log.text for log in logs}
    if not any(text.strip() for text in texts.values()):
        raise UsageError("the log is empty", code="nothing-to-explain")
    statuses = {log.name: log.status for log in logs if log.status}
    running = [log.name for log in logs if log.runs]
    ended = [log.name for log in logs if log.status or (not log.runs and _shows_trouble(log, reader))]
    found = reader.diagnose(texts, ended, statuses=statuses)
    kind = found.explanation.kind if found is not None and found.explanation is not None else None
    if found is None or (found.node in running and kind == "stopped"):
        # A daemon that runs was not stopped: the line is of a start before.
        return _without_trouble(texts, running, reader)
    told = LogVerdict(
        "unknown",
        cause_in_words(found, statuses.get(found.node, ""), reader),
        found.where,
        remedy="look at the lines around the first of these",
        evidence=tuple(found.evidence.splitlines()[:_MOST_EVIDENCE]),
        also=(*found.also, *(f"{name}: {_RUNS}" for name in running)),
    )
    return told.because(found.explanation) if found.explanation is not None else told


def _shows_trouble(log: ReadLog, reader: LogReader) -> bool:
    """Whether a log whose daemon's fate is not known reads as one that ended."""
    if reader.explain(log.text):
        return True
    return any(_TROUBLE.search(line) for line in reader.first_errors(log.text, _MOST_EVIDENCE))


def _without_trouble(texts: dict[str, str], running: list[str], reader: LogReader) -> LogVerdict:
    for name, text in texts.items():
        for waiting in reader.explain_waiting(text)[:1]:
            also = tuple(f"{name}: {_RUNS}" for name in running)
            seen = LogVerdict("unknown", waiting.words, name, evidence=(waiting.line,), also=also)
            return seen.because(waiting)
    some = "" if len(running) == len(texts) else f" on {', '.join(running)}"
    words = f"{_RUNS}{some}; {_NO_TROUBLE}" if running else _NO_TROUBLE
    return LogVerdict("none", words)
