"""MindIE's own codes. Pure.

They are built of parts (``src/utils/log/logger_def.h`` of MindIE-LLM): MIE, two digits of the
product's part, a letter of the level, and six hexadecimal digits; of the server's (04) two each name module,
function and kind of error.
"""

from __future__ import annotations

import re

from lingctl.engine.logs import CodeMeaning
from lingctl.engine.words.code_meanings import meaning_of
from lingctl.engine.words.failure_catalogue import Catalogue

IN_A_LINE = re.compile(r"(?<![A-Za-z0-9])MIE0[0-9][A-Z][0-9A-F]{6}(?![A-Za-z0-9])")
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


def meaning_of_own(word: str, catalogue: Catalogue) -> CodeMeaning | None:
    """What one of them means; None for anything else."""
    parts = _MINDIE.fullmatch(word)
    if parts is None:
        return None
    part, level, module, function, kind = parts.groups()
    family = f"MindIE, {_PARTS.get(part, f'part {part}')}"
    known = catalogue.failure_of(word)
    if known is not None:
        return meaning_of(word, family, known)
    if part != "04" or kind not in _KINDS:
        return CodeMeaning(word, family)
    told = [_LEVELS.get(level, ""), _MODULES.get(module, ""), _FUNCTIONS.get(function, ""), _KINDS[kind]]
    meaning = ": ".join(word for word in told if word)
    remedy = "the line that it stands in says more: lingctl logs"
    return CodeMeaning(word, family, meaning, remedy, None, (), _MINDIE_SOURCE)
