"""Breaks sentences for a terminal between words, and never within a command that may be copied.

A terminal breaks a long line wherever its last column is, in the middle of a word; a line end of ours in the
middle of a command would run its first half when it is pasted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.cells import cell_len
from rich.text import Text

# Below this a hanging indent leaves no room; the terminal may break as it does.
_LEAST = 40
# Programs that remedies name, with what follows them.
_PROGRAMS = (
    r"(?:lingctl|hccn_tool|npu-smi|docker|podman|ssh(?:-[\w-]+)?|ip|systemctl|sudo|ch(?:mod|own)|pip|kubectl)"
)
_GROUPS = r"(?:patch|sandbox|config|lock|export|accept|bench|help|exec|get)"
_OPTION = r"--?\w[\w=,.:/-]*(?: (?!-)[^\s;,()]+)?"
_ARGUMENT = r"(?:[A-Z][A-Z_]+|[^\s;,()]*[/=\d][^\s;,()]*)(?=[\s;,()]|$)"
_COMMAND = re.compile(rf"\b{_PROGRAMS}(?: {_GROUPS})?(?: [\w-]+)?(?: (?:{_OPTION}|{_ARGUMENT}))*")


def broken(text: Text, columns: int, hang: int) -> list[Text]:
    """The lines of a text: the first from the left edge, the others with a hanging indent.

    Args:
        columns: of the terminal.
        hang: blanks before each line but the first. What stands there in the first line is not broken.
    """
    if columns - hang < _LEAST or cell_len(text.plain) <= columns:
        return [text]
    lines: list[Text] = []
    start = end = 0
    for stop in _ends(text.plain):
        room = columns - (hang if lines else 0)
        word = text.plain[end:stop].rstrip()
        fits_nowhere = cell_len(word) > columns - hang and " " not in word
        if end > start and not fits_nowhere and cell_len(text.plain[start:stop].rstrip()) > room:
            lines.append(text[start:end])
            start = end
        end = stop
    lines.append(text[start:])
    indent = text.blank_copy(" " * hang)
    for line in lines:
        line.rstrip()
    return [lines[0], *(indent + line for line in lines[1:])]


def _ends(text: str) -> Iterable[int]:
    """Where a line may end: behind each word that is not followed by the rest of its command."""
    inside = {
        place for command in _COMMAND.finditer(text) for place in range(command.start() + 1, command.end())
    }
    for gap in re.finditer(r"(?<=\S)[ ]+(?=\S)", text):
        if gap.start() not in inside:
            yield gap.end()
    yield len(text)
