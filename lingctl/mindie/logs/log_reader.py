"""How MindIE's consoles and logs are read, as the seam asks for it (``lingctl.engine.logs.LogReader``)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from lingctl.engine.logs import CodeMeaning, Diagnosis, Explanation
from lingctl.engine.words.log_lines import LogLine, read_lines
from lingctl.engine.words.log_reading import Ending, LogReading
from lingctl.mindie.logs.console import CONSOLE
from lingctl.mindie.logs.daemon_life import Life, LifeStage, read_life
from lingctl.mindie.logs.endings import STATUS_MEANINGS, ending_of, refusal_of
from lingctl.mindie.logs.mindie_codes import IN_A_LINE, meaning_of_own

# What 3.0.0 prints on every node, and what has to be the same on all. Seen on two real nodes.
_LIMITS = re.compile(r"InitModelConfig: (maxSeqLen=\d+, maxInputTokenLen=\d+)")
_PART = re.compile(r"^.*GRPCCommunicator: Start to init as (Master|Slave).*$", re.MULTILINE)
# Ends that a rank which no longer fits the others may have, for want of a better word of its own.
_UNNAMED_ENDS = ("W2", "W3", "W5", "W6", "W7", "W8")
_KILLED, _START_FAILED, _REFUSED = "W10", "Z2", "A36"
# A refused request's lines: its id, or a file of the server that only requests run through. Seen on 3.0.0.
_REQUEST_ID = re.compile(r"The requestId is |\brequest_?[iI]d[=:] ?\w|\bCallbackId is |\bcbId is ")
_REQUEST_SOURCE = re.compile(r"^(single_(req|llm)_|http_handler|http_rest|json_util|infer_param)")
# Only while it serves; at a start these say why the tokenizers are not there.
_TOKENIZER_SOURCE = re.compile(r"^(infer_tokenizer|tokenizer(_log)?\.py|io_utils\.py)")


class MindieLogs(LogReading[Life]):
    """Of any version; the words are 3.0.0's, and as far as they are known those of earlier ones."""

    status_meanings = STATUS_MEANINGS
    console = CONSOLE
    package, codes = "lingctl.mindie.logs", IN_A_LINE
    mark = re.compile(r"(?i)mindie|\batb_llm\b|\bg_mainPid\b|\[endpoint\]|ConfigManager|\bMIE0\d[A-Z]")

    def life(self, lines: Sequence[LogLine]) -> Life:
        return read_life(lines)

    def ending(self, life: Life, lines: Sequence[LogLine], status: str) -> Ending | None:
        found = ending_of(life, lines, status)
        if life.stage is LifeStage.CONFIGURATION and (found is None or found.id == _REFUSED):
            return refusal_of(lines) or found
        return found

    def is_of_a_request(self, line: LogLine, life: Life) -> bool:
        file = line.source.rpartition("/")[2]
        if _REQUEST_ID.search(line.text) or _REQUEST_SOURCE.search(file):
            return True
        return life.served is not None and _TOKENIZER_SOURCE.search(file) is not None

    def contradicts(self, end: Explanation, told: Sequence[Explanation]) -> bool:
        """Killed from outside it was not, if it says itself that its start failed."""
        return end.id == _KILLED and any(one.id == _START_FAILED for one in told)

    def wrong_part(self, logs: Mapping[str, str]) -> tuple[str, Explanation] | None:
        """A node whose rank table differs from the others'."""
        if len(logs) < 2:
            return None
        for place, (node, text) in enumerate(logs.items()):
            part = _PART.search(text)
            if part is None or (part[1] == "Master") is (place == 0):
                continue
            line = read_lines(part[0])[0]
            return node, self._certain("E24" if place else "E25", line.text, time=line.time)
        return None

    def better_word(self, logs: Mapping[str, str], best: Diagnosis) -> Diagnosis | None:
        """The nodes were given other lengths, where the end has no better word."""
        explanation = best.explanation
        if explanation is not None and explanation.id not in _UNNAMED_ENDS:
            return None
        found = {node: limits[1] for node, text in logs.items() if (limits := _LIMITS.search(text))}
        if len(set(found.values())) < 2:
            return None
        detail = "; ".join(f"{node}: {limits}" for node, limits in found.items())
        return Diagnosis(best.node, self._certain("A41", best.evidence, detail=detail), best.evidence)

    def _certain(
        self, name: str, line: str, *, detail: str = "", time: datetime | None = None
    ) -> Explanation:
        """What is told from the consoles of all nodes together, by its row of the catalogue."""
        row = self.catalogue.named(name)
        return Explanation(row.id, line, row.cause, row.remedy, row.kind, detail=detail, time=time)

    def own_code(self, word: str) -> CodeMeaning | None:
        return meaning_of_own(word, self.catalogue)


MINDIE_LOGS = MindieLogs()
