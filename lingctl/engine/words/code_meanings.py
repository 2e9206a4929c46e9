"""What a code, an exit status or an id of the catalogue says by itself, without a log. Pure."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace

from lingctl.engine.logs import CodeMeaning
from lingctl.engine.vendor_codes import family_of, vendor_code
from lingctl.engine.words.failure_catalogue import Catalogue, Failure

_OWN_ROW = "lingctl's catalogue"
_STATUS = re.compile(r"(?:EXIT(?: STATUS| CODE)?|STATUS)?\s*(\d{1,3})")
_STATUS_WORDS = {
    0: "it ended in good order",
    1: "it ended with an error of its own; its log says which",
    2: "it refused its arguments, or a shell program has a mistake",
    125: "the container runtime itself failed",
    126: "the program is there and could not be run: its mode, or another processor's program",
    127: "the program, or a library that it needs, was not found",
}
_HIGHEST_SIGNAL = 64


def look_up(
    word: str,
    catalogue: Catalogue,
    statuses: Mapping[str, str],
    own_code: Callable[[str], CodeMeaning | None],
) -> CodeMeaning | None:
    """See ``LogReader.look_up``.

    Args:
        statuses: what an exit status of the engine's daemon means.
        own_code: what a code of the engine's own means.
    """
    word = word.strip().strip("[](){}:,;'\"").upper()
    own = catalogue.find(word)
    if own is not None:
        return meaning_of(word, _OWN_ROW, own)
    status = _STATUS.fullmatch(word)
    if status is not None:
        return _status(int(status[1]), statuses)
    if word in signal.Signals.__members__:
        return _status(128 + signal.Signals[word], statuses)
    if (told_by_engine := own_code(word)) is not None:
        return told_by_engine
    vendor, row = vendor_code(word), catalogue.failure_of(word)
    if vendor is not None and row is not None and row.id != word:
        return replace(vendor, remedy=row.remedy, kind=row.kind, rows=(row.id,))
    if vendor is not None:
        return vendor
    family = family_of(word)
    return CodeMeaning(word.replace("0X", "0x"), family) if family else None


def meaning_of(word: str, family: str, failure: Failure) -> CodeMeaning:
    """What a row of the catalogue says of a word that it names."""
    own = failure.id != word or family == _OWN_ROW
    return CodeMeaning(
        word,
        family,
        failure.cause,
        failure.remedy,
        failure.kind,
        (failure.id,) if own else (),
        failure.source,
        failure.seen,
    )


def _status(number: int, statuses: Mapping[str, str]) -> CodeMeaning | None:
    if number > 255:
        return None
    meaning = statuses.get(str(number), "") or _STATUS_WORDS.get(number, "") or _of_signal(number)
    family = "exit status of a process"
    remedy = "lingctl logs shows what it printed before" if number else ""
    return CodeMeaning(str(number), family, meaning, remedy)


def _of_signal(number: int) -> str:
    if not 128 < number <= 128 + _HIGHEST_SIGNAL:
        return ""
    try:
        name = signal.Signals(number - 128).name
    except ValueError:
        name = f"signal {number - 128}"
    return f"it was ended by a signal: {name}"
