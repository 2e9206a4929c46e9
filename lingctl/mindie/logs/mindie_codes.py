"""MindIE's own codes. Pure.

They are built of parts (``src/utils/log/logger_def.h`` of MindIE-LLM): MIE, two digits of the
product's part, a letter of the level, and six hexadecimal digits; of the server's (04) two each name module,
function and kind of error.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from lingctl.engine.logs import CodeMeaning
from lingctl.engine.words.code_meanings import meaning_of
from lingctl.engine.words.failure_catalogue import Catalogue

IN_A_LINE = re.compile(r"(?<![A-Za-z0-9])MIE0[0-9][A-Z][0-9A-F]{6}(?![A-Za-z0-9])")
_MINDIE = re.compile(r"MIE(\d\d)([A-Z])([0-9A-F]{2})([0-9A-F]{2})([0-9A-F]{2})")
_MINDIE_SOURCE = (
    "https://github.com/Ascend/MindIE-LLM/blob/HEAD/src/utils/log/logger_def.h; "
    "https://www.hiascend.com/document/detail/zh/mindie/21RC1/ref/errorcodereference/mindie_log_0201.html"
)


@cache
def _tables() -> Mapping[str, Mapping[str, str]]:
    """What each part of a code means, by ``parts``, ``levels``, ``modules``, ``functions`` and ``kinds``."""
    return tomllib.loads((files(__package__) / "mindie_codes.toml").read_text(encoding="utf-8"))


def meaning_of_own(word: str, catalogue: Catalogue) -> CodeMeaning | None:
    """What one of them means; None for anything else."""
    parts = _MINDIE.fullmatch(word)
    if parts is None:
        return None
    part, level, module, function, kind = parts.groups()
    tables = _tables()
    family = f"MindIE, {tables['parts'].get(part, f'part {part}')}"
    known = catalogue.failure_of(word)
    if known is not None:
        return meaning_of(word, family, known)
    if part != "04" or kind not in tables["kinds"]:
        return CodeMeaning(word, family)
    named = {"levels": level, "modules": module, "functions": function, "kinds": kind}
    told = (tables[table].get(digits, "") for table, digits in named.items())
    meaning = ": ".join(word for word in told if word)
    remedy = "the line that it stands in says more: lingctl logs"
    return CodeMeaning(word, family, meaning, remedy, None, (), _MINDIE_SOURCE)
