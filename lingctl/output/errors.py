"""Errors for people and for programs: what and where, the evidence, the remedy."""

from __future__ import annotations

from lingctl.errors import LingctlError
from lingctl.output.documents import print_json
from lingctl.output.screen.harmless import shortened
from lingctl.output.screen.terminal import conversation, show, words

# Characters of each part, and lines of the evidence: an error is read on one screen.
_MOST_SAID = 4_000
_MOST_OF_A_LINE = 500
_MOST_LINES = 12
_MOST_EVIDENCE = 20_000
# Errors that were found together: what is mended of these is a good part of an hour's work.
_MOST_TOGETHER = 20


def print_error(error: LingctlError) -> None:
    """Print an error in its three parts to standard error, and those that were found with it."""
    _print_one(error)
    for other in error.also[: _MOST_TOGETHER - 1]:
        _print_one(other)
    left_out = len(error.also) - _MOST_TOGETHER + 1
    if left_out > 0:
        show(words(f"({left_out} more, shown when these are mended)", "dim"), out=conversation())


def _print_one(error: LingctlError) -> None:
    out = conversation()
    where = f"{error.where}: " if error.where else ""
    what = words(f"{where}{error.what}", most=_MOST_SAID)
    show(words("error: ", "bold red"), what, words(f"  ({error.code})", "dim"), out=out, hang=7)
    for line in _end(error.evidence).splitlines()[-_MOST_LINES:]:
        show(words("     | ", "dim"), words(line, "dim", _MOST_OF_A_LINE), out=out)
    for number, line in enumerate(shortened(error.remedy, _MOST_SAID).splitlines()):
        show(words(f"{'fix: ' if number == 0 else '     ':>7}"), words(line), out=out, hang=7)


def _end(evidence: str) -> str:
    """The end of what shows it, where the cause of a long text most often is."""
    evidence = evidence.strip()
    left_out = len(evidence) - _MOST_EVIDENCE
    return (
        f"({left_out:,} characters before this)\n{evidence[-_MOST_EVIDENCE:]}" if left_out > 0 else evidence
    )


def print_error_document(error: LingctlError) -> None:
    """Print an error as a JSON document to standard output."""
    also = [_document(other) for other in error.also[: _MOST_TOGETHER - 1]]
    print_json("error", {**_document(error), "exit_status": error.exit_status, "also": also})


def _document(error: LingctlError) -> dict[str, str]:
    return {
        "code": error.code,
        "what": shortened(error.what, _MOST_SAID),
        "where": shortened(error.where, _MOST_SAID),
        "evidence": _end(error.evidence),
        "remedy": shortened(error.remedy, _MOST_SAID),
    }
