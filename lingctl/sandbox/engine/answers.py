"""The shapes of answers, one writer per API flavour."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from lingctl.sandbox.engine.service import Piece

Document = dict[str, Any]


class Writer(Protocol):
    """Turns pieces into documents."""

    done_mark: bool

    def whole(self, pieces: Sequence[Piece], prompt: int) -> Any:
        """One document for the whole answer to a prompt of so many tokens."""

    def stream(self, pieces: Iterator[Piece], prompt: int) -> Iterator[Document]:
        """One document per event."""


def joined(pieces: Sequence[Piece]) -> tuple[str, list[int], str]:
    """Text, token ids and finish reason of a whole answer."""
    tokens = [token for piece in pieces for token in piece.tokens]
    return "".join(piece.text for piece in pieces), tokens, pieces[-1].finish


def _usage(prompt: int, answer: int) -> Document:
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


class Chat:
    """/v1/chat/completions."""

    done_mark = True

    def __init__(self, model: str, full_text: bool) -> None:
        self._model, self._full = model, full_text
        self._head = {"id": f"endpoint_common_{uuid.uuid4().int % 10**6}", "created": int(time.time())}

    def whole(self, pieces: Sequence[Piece], prompt: int) -> Document:
        """A chat.completion."""
        text, tokens, finish = joined(pieces)
        message = {"role": "assistant", "content": text, "tool_calls": []}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        head = {**self._head, "object": "chat.completion", "model": self._model}
        return {**head, "choices": [choice], "usage": _usage(prompt, len(tokens))}

    def stream(self, pieces: Iterator[Piece], prompt: int) -> Iterator[Document]:
        """chat.completion.chunk events; the first names the role, the last has reason and usage."""
        yield self._chunk({"role": "assistant", "content": ""}, None)
        count, text = 0, ""
        for piece in pieces:
            count += len(piece.tokens)
            text += piece.text
            chunk = self._chunk({"role": "assistant", "content": piece.text}, piece.finish or None)
            if piece.finish:
                chunk["usage"] = _usage(prompt, count)
                if self._full:
                    chunk["full_text"] = text
            yield chunk

    def _chunk(self, delta: Document, finish: str | None) -> Document:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        head = {**self._head, "object": "chat.completion.chunk", "model": self._model}
        return {**head, "choices": [choice]}


class Completion:
    """/v1/completions."""

    done_mark = True

    def __init__(self, model: str) -> None:
        self._head = {
            "id": f"endpoint_common_{uuid.uuid4().int % 10**6}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }

    def whole(self, pieces: Sequence[Piece], prompt: int) -> Document:
        """A text_completion."""
        text, tokens, finish = joined(pieces)
        return {**self._one(text, finish), "usage": _usage(prompt, len(tokens))}

    def stream(self, pieces: Iterator[Piece], prompt: int) -> Iterator[Document]:
        """One text_completion per piece; the last has usage."""
        count = 0
        for piece in pieces:
            count += len(piece.tokens)
            one = self._one(piece.text, piece.finish or None)
            yield {**one, "usage": _usage(prompt, count)} if piece.finish else one

    def _one(self, text: str, finish: str | None) -> Document:
        choice = {"index": 0, "text": text, "logprobs": None, "stop_reason": None, "finish_reason": finish}
        return {**self._head, "choices": [choice]}


class Infer:
    """MindIE's own /infer."""

    done_mark = False

    def __init__(self, details: bool) -> None:
        self._details = details

    def whole(self, pieces: Sequence[Piece], prompt: int) -> Document:
        """The generated text, and how it ended if details were asked for."""
        text, tokens, finish = joined(pieces)
        return {"generated_text": text, **self._more(tokens, finish)}

    def stream(self, pieces: Iterator[Piece], prompt: int) -> Iterator[Document]:
        """One token frame per piece; the last has the whole text and no token text."""
        started, last, text = time.monotonic(), 0.0, ""
        tokens: list[int] = []
        for piece in pieces:
            now = time.monotonic()
            times: Document = {"prefill_time": None, "decode_time": (now - last) * 1000}
            if not tokens:
                times = {"prefill_time": (now - started) * 1000, "decode_time": None}
            last = now
            text += piece.text
            tokens += piece.tokens
            if piece.text:
                yield {**times, "token": {"id": list(piece.tokens), "text": piece.text}}
            if piece.finish:
                end = {**times, "generated_text": text, "details": self._detail(tokens, piece.finish)}
                yield {**end, "token": {"id": [], "text": None}}

    def _more(self, tokens: Sequence[int], finish: str) -> Document:
        return {"details": self._detail(tokens, finish)} if self._details else {}

    def _detail(self, tokens: Sequence[int], finish: str) -> Document:
        return {"finish_reason": _tgi(finish), "generated_tokens": len(tokens), "seed": None}


class Tgi:
    """Text Generation Inference's /generate, /generate_stream and /."""

    done_mark = False

    def __init__(self, details: bool, in_array: bool = False) -> None:
        self._details, self._in_array = details, in_array

    def whole(self, pieces: Sequence[Piece], prompt: int) -> Any:
        """The generated text, in an array for POST /."""
        text, tokens, finish = joined(pieces)
        answer: Document = {"generated_text": text}
        if self._details:
            rest = {"prefill": [], "seed": None, "tokens": [{"id": token} for token in tokens]}
            counts = {"prompt_tokens": prompt, "generated_tokens": len(tokens)}
            answer["details"] = {**counts, "finish_reason": _tgi(finish), **rest}
        return [answer] if self._in_array else answer

    def stream(self, pieces: Iterator[Piece], prompt: int) -> Iterator[Document]:
        """One token per event; the last has the whole text."""
        text, count = "", 0
        for piece in pieces:
            text += piece.text
            count += len(piece.tokens)
            token = {
                "id": (piece.tokens or (None,))[-1],
                "text": piece.text,
                "logprob": None,
                "special": None,
            }
            event: Document = {"token": token, "generated_text": None, "details": None}
            if piece.finish:
                event["generated_text"] = text
                counts = {"prompt_tokens": prompt, "generated_tokens": count, "seed": None}
                event["details"] = {"finish_reason": _tgi(piece.finish), **counts}
            yield event


class Vllm:
    """vLLM's own /generate: the prompt is repeated before the answer."""

    done_mark = False

    def __init__(self, prompt_text: str) -> None:
        self._prompt = prompt_text

    def whole(self, pieces: Sequence[Piece], prompt: int) -> Document:
        """Prompt and answer in one string."""
        return {"text": [self._prompt + joined(pieces)[0]]}

    def stream(self, pieces: Iterator[Piece], prompt: int) -> Iterator[Document]:
        """Everything so far in each event."""
        text = self._prompt
        for piece in pieces:
            text += piece.text
            yield {"text": [text]}


class Triton:
    """/v2/models/{m}/generate."""

    done_mark = False

    def __init__(self, model: str, request_id: str, details: bool) -> None:
        self._head = {"id": request_id, "model_name": model, "model_version": None}
        self._details = details

    def whole(self, pieces: Sequence[Piece], prompt: int) -> Document:
        """text_output, and details if asked for."""
        text, tokens, finish = joined(pieces)
        answer: Document = {**self._head, "text_output": text}
        if self._details:
            answer["details"] = {"finish_reason": _tgi(finish), "generated_tokens": len(tokens)}
        return answer

    def stream(self, pieces: Iterator[Piece], prompt: int) -> Iterator[Document]:
        """One text_output per piece."""
        for piece in pieces:
            yield {**self._head, "text_output": piece.text}


def _tgi(finish: str) -> str:
    return "eos_token" if finish == "stop" else finish
