"""Which lines of a console cannot be why its daemon ended: those of requests, those behind the end. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lingctl.mindie.logs.daemon_life import Life
from lingctl.mindie.logs.log_lines import LogLine

# A refused request's lines: its id, or a file of the server that only requests run through. Seen on 3.0.0.
_REQUEST_ID = re.compile(r"The requestId is |\brequest_?[iI]d[=:] ?\w|\bCallbackId is |\bcbId is ")
_REQUEST_SOURCE = re.compile(r"^(single_(req|llm)_|http_handler|http_rest|json_util|infer_param)")
# Only while it serves; at a start these say why the tokenizers are not there.
_TOKENIZER_SOURCE = re.compile(r"^(infer_tokenizer|tokenizer(_log)?\.py|io_utils\.py)")


def follows_the_end(lines: Sequence[LogLine], at: int, life: Life) -> bool:
    """Whether the line was printed after the end began; threads and standard error print out of order."""
    if life.end is None or at < life.end.at:
        return False
    began, printed = lines[life.end.at].time, lines[at].time
    return began is None or printed is None or printed >= began


def is_survived(lines: Sequence[LogLine], at: int, life: Life, *, of_a_start: bool) -> bool:
    """Whether it belongs to a start that succeeded.

    Args:
        lines: of the console.
        at: index of the line.
        life: what the console tells.
        of_a_start: whether only a start prints it.
    """
    if life.served is None:
        return False
    if at < life.served or of_a_start:
        return True
    served, printed = lines[life.served].time, lines[at].time
    return served is not None and printed is not None and printed < served


def is_of_a_request(line: LogLine, life: Life) -> bool:
    """Whether it is about a request, its client's affair."""
    file = line.source.rpartition("/")[2]
    if _REQUEST_ID.search(line.text) or _REQUEST_SOURCE.search(file):
        return True
    return life.served is not None and _TOKENIZER_SOURCE.search(file) is not None
