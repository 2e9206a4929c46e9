"""What a code, an exit status or an id of the catalogue says by itself, without a log. Pure.

MindIE's codes are built of parts (``src/utils/log/logger_def.h`` of MindIE-LLM): MIE, two digits of the
product's part, a letter of the level, and six hexadecimal digits; of the server's (04) two each name module,
function and kind of error.
"""

from __future__ import annotations

import re
import signal

from lingctl.engine.logs import CodeMeaning
from lingctl.engine.vendor_codes import family_of, vendor_code
from lingctl.mindie.logs.catalogue.failure_catalogue import Failure, catalogue, failure_of
from lingctl.mindie.logs.endings import exit_meaning

_MINDIE = re.compile(r"MIE(\d\d)([A-Z])([0-9A-F]{2})([0-9A-F]{2})([0-9A-F]{2})")
_MINDIE_SOURCE = (
    "https://github.com/Ascend/MindIE-LLM/blob/HEAD/src/utils/log/logger_def.h; "
    "https://www.hiascend.com/document/detail/zh/mindie/21RC1/ref/errorcodereference/mindie_log_0201.html"
)
_PARTS = {
    "00": "certificates",
    "01": "benchmark",
    "02": "client",
    "03": "management (MindIE MS)",
    "04": "server",
    "05": "LLM",
    "06": "SD",
    "07": "RT",
    "08": "Torch",
}
_LEVELS = {"I": "information", "W": "a warning", "E": "an error", "C": "a critical error"}
_MODULES = {
    "01": "daemon",
    "02": "endpoint",
    "03": "configuration",
    "04": "tokenizer",
    "05": "gmis",
    "06": "infer instance",
    "07": "health checker",
    "11": "scheduler of batches",
    "12": "model backend",
    "13": "model wrapper",
    "14": "profiler",
}
_FUNCTIONS = {
    "01": "start",
    "02": "a request",
    "03": "management",
    "04": "inference on one machine",
    "05": "inference on several machines",
    "06": "turning text into tokens",
    "07": "turning tokens into text",
    "08": "answers",
    "09": "separated prefill and decode",
    "0A": "split fuse",
    "0B": "prefix cache",
    "0C": "preemption",
    "0D": "computing again",
    "0E": "scheduling",
    "0F": "profiling",
    "10": "changes while it runs",
    "11": "security",
    "12": "recovery",
}
_KINDS = {
    "01": "a permission or owner is wrong",
    "02": "a child process failed",
    "03": "the service could not be started",
    "04": "a parameter could not be read",
    "05": "a request could not be made",
    "06": "a status that does not matter",
    "07": "a check failed",
    "08": "another part failed",
    "09": "a library or the system failed",
    "0A": "a tensor could not be made or read",
    "0B": "text could not be encoded or decoded",
    "0C": "an answer could not be handled",
    "0D": "an answer could not be made",
    "0E": "JSON could not be read",
    "0F": "a time limit passed",
    "10": "an answer is empty",
    "11": "the KV cache could not be fetched",
    "12": "computing again failed",
    "13": "a matter of security",
    "14": "a failure was passed on",
    "15": "a check gave a warning",
    "16": "it is not known what failed",
    "17": "a download failed",
    "18": "a removal failed",
    "19": "it waits for a child process",
    "1A": "a child process ended",
    "1B": "the configuration is wrong",
    "1C": "something could not be set up",
    "20": "all is well",
}
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


def look_up(word: str) -> CodeMeaning | None:
    """See ``LogReader.look_up``."""
    word = word.strip().strip("[](){}:,;'\"").upper()
    own = next((failure for failure in catalogue() if failure.id == word), None)
    if own is not None:
        return _meaning(word, "lingctl's catalogue", own)
    status = _STATUS.fullmatch(word)
    if status is not None:
        return _status(int(status[1]))
    if word in signal.Signals.__members__:
        return _status(128 + signal.Signals[word])
    if (parts := _MINDIE.fullmatch(word)) is not None:
        return _of_mindie(word, parts)
    vendor = vendor_code(word)
    if vendor is not None:
        failure = failure_of(word)
        told = _meaning(word, vendor.family, failure) if failure is not None else None
        rows = told.rows if told is not None else ()
        kind = failure.kind if failure is not None else vendor.kind
        remedy = failure.remedy if failure is not None and rows else vendor.remedy
        return CodeMeaning(word, vendor.family, vendor.meaning, remedy, kind, rows, vendor.source)
    family = family_of(word)
    return CodeMeaning(word.replace("0X", "0x"), family) if family else None


def _meaning(word: str, family: str, failure: Failure) -> CodeMeaning:
    own = failure.id != word or family == "lingctl's catalogue"
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


def _of_mindie(word: str, parts: re.Match[str]) -> CodeMeaning:
    part, level, module, function, kind = parts.groups()
    family = f"MindIE, {_PARTS.get(part, f'part {part}')}"
    known = failure_of(word)
    if known is not None:
        return _meaning(word, family, known)
    if part != "04" or kind not in _KINDS:
        return CodeMeaning(word, family)
    told = [_LEVELS.get(level, ""), _MODULES.get(module, ""), _FUNCTIONS.get(function, ""), _KINDS[kind]]
    meaning = ": ".join(word for word in told if word)
    remedy = "the line that it stands in says more: lingctl logs"
    return CodeMeaning(word, family, meaning, remedy, None, (), _MINDIE_SOURCE)


def _status(number: int) -> CodeMeaning | None:
    if number > 255:
        return None
    meaning = exit_meaning(str(number)) or _STATUS_WORDS.get(number, "") or _of_signal(number)
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
