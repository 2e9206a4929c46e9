"""What a request leaves in the console of 3.0.0, good or refused (seen; of 1.0.0 nothing is known).

Whoever serves a request calls these in order: ``received``, then ``queued`` and ``finished`` for a
generation, or ``refused`` or ``not_queued``, and ``answered``, which of a stream comes as soon as it begins.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping

from lingctl.sandbox.engine.console import Console

_MANAGER = "llm_manager_impl.cpp"
_HANDLER = "single_llm_pnd_req_handler.cpp"
_BASE = "single_req_infer_interface_base.cpp"
# Sequences are counted from here.
_FIRST_SEQUENCE = 100
# By why an answer ended: the reason of the sequence and its state.
_ENDED = {"length": (6, 6)}
_ENDED_OTHERWISE = (1, 4)
# Paths whose requests name a model.
_BY_NAME = ("/v1/chat/completions", "/v1/completions", "/v1/models")
# By what was wrong with a body: its error code and the line that adds the request's id.
PARAMETER, FIELD, FORM = ("MIE04E020405", 389), ("MIE04E020407", 374), ("MIE04E02040E", 343)
# By the step of a dialect that finds a mistake first: file and line, code, and what follows the words.
_CHAT, _COMPLETIONS = (f"single_req_vllm_openai_{part}infer_interface.cpp" for part in ("", "completions_"))
_NUMBERED = ". The requestId is {}"
STEPS: Mapping[str, tuple[str, str, str]] = {
    "chat model": (f"{_CHAT}:645", "MIE04E020407", ""),
    "chat tools": (f"{_CHAT}:650", "MIE04E020407", ""),
    "chat template": (f"{_CHAT}:661", "MIE04E020407", _NUMBERED),
    "chat messages": (f"{_CHAT}:674", "MIE04E020407", ""),
    "chat tokens": (f"{_CHAT}:703", "MIE04E020608", _NUMBERED),
    "completions model": (f"{_COMPLETIONS}:255", "MIE04E020414", ""),
    "completions prompt": (f"{_COMPLETIONS}:271", "MIE04E020414", ""),
}


class RequestLog:
    """The lines of the requests of one daemon.

    Args:
        console: None for one that says nothing of them.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._sequences = itertools.count(_FIRST_SEQUENCE)

    def received(self, client: str, method: str, uri: str) -> None:
        """A request has come.

        Args:
            client: its address and port.
        """
        self._audit(client, f"Request mindie server, method={method}, uri is {uri}", "success")
        text = f"[endpoint] Receive request from {client} ,method={method}, uri is {uri}"
        self._server("INFO", text, "http_server.cpp:130")
        if uri in _BY_NAME:
            self._server("INFO", "[infer_instance] Start HandleLora", "infer_instances.cpp:640")

    def answered(self, server: str, method: str, uri: str, status: int, length: int) -> None:
        """The answer's head is on its way.

        Args:
            server: the listener's address and port.
            length: of the body, 0 for a stream.
        """
        operation = f"Response mindie server, method={method}, uri is {uri}"
        self._audit(server, operation, f"status code: {status}")
        told = f"status code is {status}, body len {length}"
        self._server("INFO", f"[endpoint] Http receive response from {server}, {told}", "http_server.cpp:148")

    def queued(self, request: str) -> int:
        """A generation goes to the engine, which makes up its batch. Gives the number of its sequence.

        Args:
            request: ``endpoint_common_N``.
        """
        sequence = next(self._sequences)
        self._new_request(request)
        text = "[LoraManager::ValidateLoraId] LoraId is not available, will use baseModel to inference."
        self._model("INFO", text, "lora_manager.cpp:245")
        text = f"Add request(requestId: {request}, seqId: {sequence}) successfully."
        total = f"Total added request num is:{sequence - _FIRST_SEQUENCE + 1}"
        head = "[LlmEngine|Request-Enter Waiting] DP RankId: 0,"
        self._model("INFO", f"{head} {text} {total}", "llm_engine.cpp:131")
        self._model("INFO", f"Insert a new inferRequest, requestId: {request}", f"{_MANAGER}:1463")
        text = (
            "[Scheduler|Schedule-scheduling] DP RankId: 0. After Backfill, running size:1; waiting size: 0;"
            " swapped size:0; batch size:1; transferring size:0; schedule forwardMode:0; PD PriorityType:0"
        )
        self._model("INFO", text, "scheduler.cpp:341")
        return sequence

    def finished(self, request: str, sequence: int, finish: str, *, stream: bool) -> None:
        """A generation is over.

        Args:
            finish: why, as the engine says it.
        """
        reason, status = _ENDED.get(finish, _ENDED_OTHERWISE)
        head, source = "[LlmEngine|Request-End] DP RankId: 0.", "model_exec_output_handler.cpp"
        self._model("INFO", f"{head} Send eos response. seqId: {sequence}", f"{source}:486")
        text = f"{head} Sequence finished. seqId: {sequence}; finishReason: {reason}"
        self._model("INFO", text, f"{source}:204")
        text = (
            f"Remove SendResponsesCallback requestId: {request} when encountering EOS or PUBLISH_KV_COMPLETE."
        )
        self._model("INFO", f"[LlmManagerImpl] {text}", f"{_MANAGER}:62")
        head = "[LlmEngine|Request-Life End] Request life endup. DP RankId: 0."
        text = f"{head} requestId: {request}; seqId: {sequence}; final status:{status}"
        self._model("INFO", text, "scheduler.cpp:1521")
        text = f"[endpoint] ResponseCallback begin to send last response. requestId: {request}"
        self._server("INFO", text, f"{_HANDLER}:{420 if stream else 284}")
        self._forgotten()

    def refused(self, request: str, text: str, kind: tuple[str, int] = FIELD, step: str = "") -> None:
        """A body was refused: its words, mostly twice.

        Args:
            text: the words of the answer.
            kind: PARAMETER, FIELD or FORM.
            step: a key of STEPS, where it is known who finds it first; a parameter's has none.
        """
        code, line = kind
        if kind == FORM:
            number = request.rpartition("_")[2]
            first = f"Convert string to json object exception, cbId is {number}"
            self._server("ERROR", f"[{code}] [endpoint] {first}", f"{_HANDLER}:53")
        elif step:
            place, first_code, tail = STEPS[step]
            self._server("ERROR", f"[{first_code}] [endpoint] {text}{tail.format(request)}", place)
        told = f"[{code}] [endpoint] {text}. The requestId is {request}"
        self._server("ERROR", told, f"{_BASE}:{line}")

    def unknown_model(self, text: str) -> None:
        """A model in a URL is not the served one."""
        self._server("ERROR", f"[MIE04E020207] [endpoint] {text}", "http_handler.cpp:1808")

    def not_queued(self, request: str, reason: str, place: str = "", words: str = "") -> None:
        """The engine does not take a generation.

        Args:
            reason: its words.
            place: the file and line of the engine that says them first, none where it is stopped.
            words: what it says there, where that is not the reason.
        """
        self._new_request(request)
        if place:
            self._model("ERROR", words or reason, place)
        text = f"request_id={request}. Failed to enqueue inferRequest. {reason}"
        self._server("WARN", f"[MIE04E020414] [endpoint] {text}", f"{_HANDLER}:92")
        self._forgotten()

    def _new_request(self, request: str) -> None:
        text = f"Get a new inferRequest from server, requestId: {request}"
        self._model("WARN", text, f"{_MANAGER}:1424")

    def _forgotten(self) -> None:
        text = f"[tokenizer] Removing multimodal cache, timestamp: {time.time_ns()}"
        self._server("INFO", text, "infer_tokenizer.cpp:1320")

    def _audit(self, user: str, operation: str, result: str) -> None:
        if self._console:
            self._console.audit(user, operation, result)

    def _server(self, level: str, text: str, place: str) -> None:
        if self._console:
            self._console.server(level, text, place)

    def _model(self, level: str, text: str, place: str) -> None:
        if self._console:
            self._console.model(level, text, place)
