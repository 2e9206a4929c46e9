"""What a machine said that lingctl does not know: answers that nothing understood, errors without a cause.

All is taken from what a part has read anyway; only ``unknown_lines`` reads more, the end of the consoles.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

from lingctl.ascend.unread import Unread
from lingctl.engine.logs import LogReader
from lingctl.engines import engine_of, usual_engine
from lingctl.errors import LingctlError
from lingctl.flows.accept.heard_text import HeardText, beginning, skeleton
from lingctl.flows.accept.protocol import Acceptance
from lingctl.flows.look.logs import WantedLogs, show_logs
from lingctl.flows.network.check import NetworkReport
from lingctl.flows.network.npu_check import NpuAnswer, NpuReport

# Reasons that say nothing of a form that is not known: nobody was asked, or the way there was lost.
_OTHER_REASONS = ("not-asked", "timed-out", "busy", "denied", "no-tool")
_MOST_LINES, _CONSOLE_LINES = 40, 2_000
_ERROR = re.compile(r"(?i)\berror\b|\bfatal\b|\bfail(?:ed|ure)?\b|traceback|exception|错误|失败")


def unread_answers(report: NetworkReport) -> tuple[HeardText, ...]:
    """The tools' answers of which no fact could be read, as they came; each form once."""
    found: dict[tuple[str, str], HeardText] = {}
    for node, facts in report.facts.items():
        record = report.records.get(node)
        for place, unread in _unread(facts):
            if unread.reason in _OTHER_REASONS:
                continue
            question = _question(place)
            answer = record.answers.get(question) if record else None
            said = unread.quote if answer is None else f"{answer.stdout}{answer.stderr}"
            kept = HeardText(
                "answer",
                re.sub(r":\d+:", ":", question),
                beginning(said),
                None if answer is None else answer.exit_status,
                unread.reason,
            )
            found.setdefault((kept.what, skeleton(said)), kept)
    return tuple(found.values())


def _unread(value: object, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Unread]]:
    if isinstance(value, Unread):
        yield place, value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _unread(getattr(value, field.name), (*place, field.name))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _unread(inner, (*place, str(key)))


def _question(place: tuple[str, ...]) -> str:
    """The id of the question that a fact is the answer to; see ``ascend.questions``."""
    kinds = {"cards": "card", "pod": "pod"}
    return ":".join((kinds[place[0]], *place[1:])) if place[0] in kinds else place[0]


def unknown_errors(report: NpuReport) -> tuple[HeardText, ...]:
    """What cards said that failed, where nothing of it is known."""
    answers = [answer for answer in report.answers.values() if isinstance(answer, NpuAnswer)]
    errors = {card.error for answer in answers for card in answer.cards if card.error}
    return tuple(
        HeardText("error", "npu-check", beginning(error))
        for error in sorted(errors)
        if not usual_engine().logs.explain(error)
    )


def unknown_lines(given: Acceptance) -> tuple[HeardText, ...]:
    """Lines of the consoles' ends that look like errors and are of no known cause; nothing where they cannot
    be read: this alone is read for nothing else."""
    lines: list[str] = []
    try:
        with given.connect() as group:
            show_logs(group, given.cluster, WantedLogs(_CONSOLE_LINES), lambda line: lines.append(line.text))
    except LingctlError:
        return ()
    return strange_lines(lines, engine_of(given.cluster).logs)


def strange_lines(lines: list[str], logs: LogReader) -> tuple[HeardText, ...]:
    """Of some lines those that look like errors and that nothing explains, each form once. Pure."""
    found: dict[str, HeardText] = {}
    for line in lines:
        if _ERROR.search(line) and not logs.explain(line):
            found.setdefault(skeleton(line), HeardText("line", "console", beginning(line)))
    return tuple(found.values())[:_MOST_LINES]
