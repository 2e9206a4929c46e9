"""How vLLM's consoles and logs are read, as the seam asks for it (``lingctl.engine.logs.LogReader``).

Its exit status says little: 0 after a stop and after the death of its engine alike, seen on 0.32.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lingctl.engine.words.log_lines import LogLine
from lingctl.engine.words.log_reading import Ending, LogReading
from lingctl.vllm.logs.console import VLLM_CONSOLE
from lingctl.vllm.logs.engine_life import EngineLife, EngineStage, read_engine_life, root_of

# ``(Worker_TP1 pid=7)``, ``(Worker_DP0_TP1_EP1 pid=7)``, ``(VllmWorker rank=1 pid=7)``,
# ``(VllmWorker TP1 pid=7)``, ``(VllmWorker-1 pid=7)``, ``[rank1]:``
_WORKER = re.compile(
    r"^(?:\x1b\[[0-9;]*m)*\((?:Vllm)?Worker[ _]?(\w*?)(?: ?rank=(\d+)|-(\d+))? pid=\d+\)|\[rank(\d+)\]:"
)
_AXIS = re.compile(r"(TP|PP)(\d+)")
_PROC = re.compile(r"\b(?:VllmWorker|WorkerProc)[- ](\d+)\b|\brank=(\d+)\b")
# What the server says of requests while it serves.
_REQUEST_SOURCE = re.compile(
    r"^(?:serving(?:_\w+)?|protocol|preprocess|api_router|exception_handler|input_processor|processor)\.py$"
)
_REQUEST = re.compile(r'"(?:GET|POST|PUT|DELETE|HEAD|OPTIONS) \S+ HTTP/|Exception in ASGI application')
# The row of a worker that waits at the rendezvous, and what a worker says when it comes there.
_WAITS, _CAME = "E111", "distributed_init_method="
_KILL, _CRASHES = "-9", ("-11", "-6", "-7", "-4", "-8")
_STATUSES = {
    "0": "it ended in good order, or its engine died while it served: its console tells which",
    "1": "it refused its start, or could not go on: its last exception says why",
    "2": "it refused its command line",
    "134": "it aborted: its last words are those of a library",
    "137": "killed by signal 9: by the kernel when memory runs out, or by somebody (kill -9)",
    "139": "it crashed (segmentation fault)",
    "143": "it was asked to end",
}


class VllmLogs(LogReading[EngineLife]):
    """Of any version with the V1 engine."""

    status_meanings = _STATUSES
    console = VLLM_CONSOLE
    package = "lingctl.vllm.logs"
    mark = re.compile(
        r"\bvllm serve\b|\bvllm/v1/|\bvllm\.v1\.|\bvllm: error|\bVLLM::|\bAsyncLLM\b|\[vllm\.py:\d+\]"
        r"|\((?:EngineCore|APIServer|Worker|VllmWorker)\w*(?: rank=\d+)? pid=\d+\)"
    )

    def life(self, lines: Sequence[LogLine]) -> EngineLife:
        return read_engine_life(lines)

    def rank_of(self, line: str) -> int | None:
        """The rank of a line's worker, where one axis alone cuts the model; with more it is not known."""
        head = line[:300]
        found = _WORKER.search(head)
        if found is not None:
            axes = _AXIS.findall(found[1] or "")
            if len(axes) == 1:
                return int(axes[0][1])
            told = found[2] or found[3] or found[4]
            if told is not None:
                return int(told)
            if found[1]:
                return None
        # A worker that is not named yet says its rank once: ``world_size=2 rank=1``.
        other = _PROC.search(head)
        return int(other[1] or other[2]) if other else None

    def is_of_a_request(self, line: LogLine, life: EngineLife) -> bool:
        if _REQUEST.search(line.text):
            return True
        return life.served is not None and _REQUEST_SOURCE.match(line.source.rpartition("/")[2]) is not None

    def ending(self, life: EngineLife, lines: Sequence[LogLine], status: str) -> Ending | None:
        end = life.end
        if end is not None and end.kind == "stopped":
            return Ending("S1", end.at)
        root = root_of(life, self._only_follows)
        if root is not None and (end is not None or status not in ("", "137", "143")):
            return Ending("W105", root.at, "; ".join(part for part in (root.words, root.frame) if part))
        if end is not None and end.kind == "worker-lost":
            known = {_KILL: "W101", **dict.fromkeys(_CRASHES, "W102")}
            return Ending(known.get(end.status, "W103"), end.at)
        if end is not None:
            return Ending("W104", end.at)
        if life.told_to_end is not None and status in ("0", "143", ""):
            return Ending("S1", life.told_to_end)
        return _without_words(life, status)

    def missing_nodes(self, logs: Mapping[str, str]) -> tuple[str, ...]:
        """See ``LogReading``: nodes of which no worker came to the rendezvous, where another one's waits."""
        waiting = {
            name for name, text in logs.items() if any(w.id == _WAITS for w in self.explain_waiting(text))
        }
        return tuple(name for name, text in logs.items() if _CAME not in text) if waiting else ()

    def _only_follows(self, words: str) -> bool:
        failure = self.catalogue.match(words)
        return failure is not None and failure.kind in ("consequence", "harmless", "request")


def _without_words(life: EngineLife, status: str) -> Ending | None:
    if status == "143":
        return Ending("S1", life.reached)
    if status == "137":
        return Ending("W106", life.reached)
    if status == "0" and life.stage is EngineStage.SERVING:
        return Ending("W107", life.reached)
    return None


VLLM_LOGS = VllmLogs()
