"""The reference page of known failures and codes, from the catalogue itself: docs/reference/failures.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from docs.written.tables import table
from lingctl.engine.logs import CodeMeaning
from lingctl.engine.vendor_codes import vendor_codes
from lingctl.engine.words.failure_catalogue import Catalogue, Failure

_INTRODUCTION = """\
# Known failures, and codes

Written from the engines' catalogues (`failures.toml` in `lingctl/engine/words/` and in each engine's `logs/`)
and `lingctl/engine/vendor_codes.toml`; a test compares this page with them. `lingctl explain CODE` says the
same for one code, `lingctl explain FILE` uses
all of it on a log, and so do `deploy`, `restart`, `status` and `collect`.

*Weight* is how much a line with these words says of a failed start. A *cause* counts. *Network* trouble
counts only where no node has a better cause, because ranks that lost their peer report it too. A
*consequence* says that something failed, and not what: general codes are all of that kind, and where there
is no better line it is said that nothing known explains the end. What is *waiting* means something when a
start takes too long; a *request* is its client's affair; *harmless* lines are passed over.

*Sure* is how a cause is told: *certain* where the engine itself, or the system, says what is wrong; *likely*
where another program does, or where it is told from what is missing.

*Checked* is how far a statement was checked: seen on a CPU, on the real MindIE 3.0.0 server or on the real
vLLM 0.32.0, read in the source of one of these, or found in documents, in other public source and in users'
reports. Nothing of it was produced on a card here.
"""
_GROUPS = {
    "A": "Configuration and rank table",
    "B": "Files and the model",
    "C": "Memory",
    "D": "Ports and HTTP",
    "E": "Several nodes",
    "F": "Cards",
    "G": "The node itself",
    "R": "Requests that end the service",
    "S": "A stop",
    "W": "Ends of the daemon and its processes",
    "Z": "What only follows",
    "H": "Harmless",
}
_HOW_INFERRED = "(no line: told from how far it came and how it ended)"


@dataclass(frozen=True, slots=True)
class EnginePart:
    """What one engine adds to the page."""

    title: str  # its name
    catalogue: Catalogue
    statuses: Mapping[str, str]  # what its daemon's exit statuses mean


def catalogue_page(engines: Sequence[EnginePart]) -> str:
    """The page."""
    shared = engines[0].catalogue.shared
    parts = [_INTRODUCTION, "## Lines of any engine", "", *_groups(shared)]
    for engine in engines:
        parts += [f"## Lines of {engine.title}", "", *_groups(engine.catalogue.own)]
    parts += ["## Codes of Ascend's software", ""]
    parts += [
        "A code that ends in 9999 is its family's general one. torch_npu's are ERR, two digits of the module",
        "and three of the error. MindIE's are built of parts: `lingctl explain` takes them apart.",
        "",
    ]
    families: dict[str, list[CodeMeaning]] = {}
    for code in vendor_codes().values():
        families.setdefault(code.family, []).append(code)
    for family, codes in families.items():
        parts += [f"### {family}", "", f"Source: {codes[0].source}.", ""]
        rows = [_code_row(code, engines[0].catalogue) for code in codes]
        parts += table(("code", "means", "weight", "row", "what to do"), rows)
    for engine in engines:
        parts += [f"## Exit statuses of {engine.title}'s daemon", ""]
        parts += table(("status", "means"), engine.statuses.items())
    return "\n".join(parts).rstrip() + "\n"


def _groups(failures: Sequence[Failure]) -> list[str]:
    parts: list[str] = []
    for letter, title in _GROUPS.items():
        rows = [failure for failure in failures if failure.id[0] == letter]
        if not rows:
            continue
        parts += [f"### {letter}: {title}", ""]
        parts += table(
            ("id", "a line with", "means", "weight", "sure", "what to do", "source", "checked"),
            [_failure_row(failure) for failure in rows],
        )
    return parts


def _failure_row(failure: Failure) -> tuple[str, ...]:
    shown = [_as_code(text) for text in failure.signature]
    if failure.pattern:
        shown.append(_as_code(failure.pattern))
    shown += failure.codes
    return (
        failure.id,
        ", ".join(shown) or _HOW_INFERRED,
        failure.cause,
        failure.kind,
        "" if failure.kind in ("harmless", "request", "stopped", "consequence") else failure.confidence,
        failure.remedy,
        failure.source,
        failure.seen,
    )


def _as_code(text: str) -> str:
    """As Markdown writes a text that may itself hold a backtick."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _code_row(code: CodeMeaning, catalogue: Catalogue) -> tuple[str, ...]:
    failure = catalogue.failure_of(code.code)
    row = failure.id if failure is not None and failure.id != code.code else ""
    kind = str(failure.kind if failure is not None else code.kind)
    remedy = failure.remedy if failure is not None and row else code.remedy
    return code.code, code.meaning, kind, row, remedy
