"""What a request leaves in the console of 3.0.0, good or refused (seen; of 1.0.0 nothing is known).

Whoever serves a request calls these in order: ``received``, then ``queued``, ``scheduled`` and ``finished``
for a generation, or ``refused`` or ``not_queued``, and ``answered`` at the end; of a stream it comes
as soon as it begins.
"""

from __future__ import annotations

import re
import threading
import time

from lingctl.sandbox.engine.console import Console

_MANAGER = "llm_manager_impl.cpp"
_HANDLER = "single_llm_pnd_req_handler.cpp"
_BASE = "single_req_infer_interface_base.cpp"
# Sequences are counted from here.
_FIRST_SEQUENCE = 100
# By why an answer ended: the reason of the sequence.
ENDED = {"stop": (1, 4), "length": (6, 6)}
# By what was wrong with a body: its error code and the line that adds the request's id.
_RECEIVED = re.compile(r"Receive request from (\S+) ,method=(\w+), uri is (.*)")
_ANSWERED = re.compile(r"Http receive response from (\S+), status code is (\d+), body len (\d+)")
_REQUEST = re.compile(r"request_?[iI]d[:=] ?(\w+)")
# Paths whose requests name a model.
_BY_NAME = ("/v1/chat/completions", "/v1/completions", "/v1/models")
# Files of the engine, whose lines are the llm log's.
_ENGINE = ("llm_", "lora_", "scheduler", "model_exec")
PARAMETER, FIELD, FORM = ("MIE04E020405", 389), ("MIE04E020407", 374), ("MIE04E02040E", 343)


class RequestLog:
    """The lines of the requests of one daemon."""

    def __init__(self, console: Console) -> None:
        self._console, self._lock, self._queued = console, threading.Lock(), 0
        self._thread = threading.local()

    def line(self, level: str, source: str, code: str, text: str) -> None:
        """A line of whoever serves a request and knows only some of them; those that go with it are added.

        Args:
            source: ``file.cpp:line``.
            code: of an error, without brackets; may be empty.
            text: with its part of the server in brackets before it, as the log shows it.
        """
        came, went = _RECEIVED.search(text), _ANSWERED.search(text)
        request = _REQUEST.search(text)
        if source == "http_server.cpp:130" and came:
            self._thread.asked = came[2], came[3]
            self.received(came[1], came[2], came[3], by_name=came[3] in _BY_NAME)
        elif source == "http_server.cpp:148" and went:
            method, uri = getattr(self._thread, "asked", ("GET", "/"))
            self.answered(went[1], method, uri, int(went[2]), int(went[3]))
        elif source == f"{_MANAGER}:1424" and request:
            self._thread.sequence = self.queued(request[1])
            self.scheduled(1)
        elif source == f"{_MANAGER}:1463":
            return
        elif source.startswith(f"{_HANDLER}:92") and request:
            reason = text.partition("Failed to enqueue inferRequest. ")[2]
            self.not_queued(request[1], reason, f"{_MANAGER}:1473" if reason.startswith("This model") else "")
        elif source in (f"{_HANDLER}:284", f"{_HANDLER}:420") and request:
            sequence = getattr(self._thread, "sequence", _FIRST_SEQUENCE)
            self.finished(request[1], sequence, "stop", stream=source.endswith(":420"))
        else:
            said = f"[{code}] {text}" if code else text
            (self._console.model if source.startswith(_ENGINE) else self._console.server)(level, said, source)

    def received(self, client: str, method: str, uri: str, *, by_name: bool) -> None:
        """A request has come.

        Args:
            client: its address and port.
            by_name: whether its path looks at the model's name: the OpenAI ones, not /infer or health.
        """
        self._console.audit(client, f"Request mindie server, method={method}, uri is {uri}", "success")
        text = f"[endpoint] Receive request from {client} ,method={method}, uri is {uri}"
        self._console.server("INFO", text, "http_server.cpp:130")
        if by_name:
            self._console.server("INFO", "[infer_instance] Start HandleLora", "infer_instances.cpp:640")

    def answered(self, server: str, method: str, uri: str, status: int, length: int) -> None:
        """The answer's head is on its way.

        Args:
            server: the listener's address and port.
            length: of the body, 0 for a stream.
        """
        operation = f"Response mindie server, method={method}, uri is {uri}"
        self._console.audit(server, operation, f"status code: {status}")
        told = f"status code is {status}, body len {length}"
        text = f"[endpoint] Http receive response from {server}, {told}"
        self._console.server("INFO", text, "http_server.cpp:148")

    def queued(self, request: str) -> int:
        """A generation goes to the engine. Gives the number of its sequence.

        Args:
            request: ``endpoint_common_N``.
        """
        with self._lock:
            sequence = _FIRST_SEQUENCE + self._queued
            self._queued += 1
        self._new_request(request)
        text = "[LoraManager::ValidateLoraId] LoraId is not available, will use baseModel to inference."
        self._console.model("INFO", text, "lora_manager.cpp:245")
        text = f"Add request(requestId: {request}, seqId: {sequence}) successfully."
        total = f"Total added request num is:{sequence - _FIRST_SEQUENCE + 1}"
        head = "[LlmEngine|Request-Enter Waiting] DP RankId: 0,"
        self._console.model("INFO", f"{head} {text} {total}", "llm_engine.cpp:131")
        self._console.model("INFO", f"Insert a new inferRequest, requestId: {request}", f"{_MANAGER}:1463")
        return sequence

    def scheduled(self, running: int) -> None:
        """The batch with the newcomers is made up."""
        text = (
            "[Scheduler|Schedule-scheduling] DP RankId: 0. After Backfill, running size:"
            f"{running}; waiting size: 0; swapped size:0; batch size:{running}; transferring size:0;"
            " schedule forwardMode:0; PD PriorityType:0"
        )
        self._console.model("INFO", text, "scheduler.cpp:341")

    def finished(self, request: str, sequence: int, finish: str, *, stream: bool) -> None:
        """A generation is over.

        Args:
            finish: a key of ENDED.
        """
        reason, status = ENDED[finish]
        head, source = "[LlmEngine|Request-End] DP RankId: 0.", "model_exec_output_handler.cpp"
        text = f"{head} Send eos response. seqId: {sequence}"
        self._console.model("INFO", text, f"{source}:486")
        text = f"{head} Sequence finished. seqId: {sequence}; finishReason: {reason}"
        self._console.model("INFO", text, f"{source}:204")
        text = (
            f"Remove SendResponsesCallback requestId: {request} when encountering EOS or PUBLISH_KV_COMPLETE."
        )
        self._console.model("INFO", f"[LlmManagerImpl] {text}", f"{_MANAGER}:62")
        head = "[LlmEngine|Request-Life End] Request life endup. DP RankId: 0."
        text = f"{head} requestId: {request}; seqId: {sequence}; final status:{status}"
        self._console.model("INFO", text, "scheduler.cpp:1521")
        text = f"[endpoint] ResponseCallback begin to send last response. requestId: {request}"
        self._console.server("INFO", text, f"{_HANDLER}:{420 if stream else 284}")
        self._forgotten()

    def refused(self, request: str, text: str, kind: tuple[str, int] = FIELD, place: str = "") -> None:
        """A body was refused: its words, mostly twice.

        Args:
            text: the words of the answer.
            kind: PARAMETER, FIELD or FORM.
            place: the file and line that found it first; a parameter's has none.
        """
        code, line = kind
        if place:
            self._console.server("ERROR", f"[{code}] [endpoint] {text}", place)
        elif kind == FORM:
            number = request.rpartition("_")[2]
            first = f"Convert string to json object exception, cbId is {number}"
            self._console.server("ERROR", f"[{code}] [endpoint] {first}", f"{_HANDLER}:53")
        told = f"[{code}] [endpoint] {text}. The requestId is {request}"
        self._console.server("ERROR", told, f"{_BASE}:{line}")

    def not_queued(self, request: str, reason: str, place: str = "") -> None:
        """The engine does not take a generation.

        Args:
            reason: its words.
            place: the file and line of the engine that says them first, none where it is stopped.
        """
        self._new_request(request)
        if place:
            self._console.model("ERROR", reason, place)
        text = f"request_id={request}. Failed to enqueue inferRequest. {reason}"
        self._console.server("WARN", f"[MIE04E020414] [endpoint] {text}", f"{_HANDLER}:92")
        self._forgotten()

    def _new_request(self, request: str) -> None:
        text = f"Get a new inferRequest from server, requestId: {request}"
        self._console.model("WARN", text, f"{_MANAGER}:1424")

    def _forgotten(self) -> None:
        text = f"[tokenizer] Removing multimodal cache, timestamp: {time.time_ns()}"
        self._console.server("INFO", text, "infer_tokenizer.cpp:1320")
