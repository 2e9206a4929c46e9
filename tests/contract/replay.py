"""Sends recorded requests as they were sent, and compares answers as far as two servers can be alike."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# What two runs of one server do not have in common.
_MARKS = (
    (re.compile(r"endpoint_common_\d+"), "<id>"),
    (re.compile(r'"created":\d+'), '"created":<time>'),
    (re.compile(r'"((?:prefill|decode)_time)":\d+'), r'"\1":<ms>'),
    (re.compile(r'"seed":\d+'), '"seed":<seed>'),
    (re.compile(r'"queue_wait_time":(?:\d+|\[[\d,]*\])'), '"queue_wait_time":<us>'),
    (re.compile(r'"value":"\d+"'), '"value":"<n>"'),
)
_FLOAT = re.compile(r"-?\d+\.\d+(?:e[-+]\d+)?")
_TOLERANCE = 0.05
_MARKED = re.compile(r"<(?:time|ms|seed|us)>")


@dataclass
class Answer:
    """What came back.

    Attributes:
        chunks: of chunked coding, in order; None for another framing.
        ended: whether the ending chunk came.
        interim: line of a 1xx answer before it.
        link: the connection, which is left open.
    """

    line: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""
    chunks: list[str] | None = None
    ended: bool = False
    interim: str | None = None
    link: socket.socket | None = None

    def field(self, name: str) -> str | None:
        """A header field's first value."""
        return next((value for known, value in self.fields if known == name), None)


def text_of(body: Any) -> bytes:
    """Bytes of a body as the recording writes it."""
    if isinstance(body, str):
        return body.encode()
    if "base64" in body:
        return base64.b64decode(body["base64"])
    return (body["before"] + body["repeat"] * body["times"] + body["after"]).encode()


def request_bytes(case: dict[str, Any], host: str) -> bytes:
    """The request as it was sent, to this host."""
    if case["method"] == "RAW":
        return text_of(case["sent"])
    lines = [f"{case['method']} {case['path']} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in case["headers"].items()]
    body = b"" if case["body"] is None else text_of(case["body"])
    if case["body"] is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def send(address: tuple[str, int], data: bytes, seconds: float = 20) -> Answer:
    """Send bytes on a connection of their own, read one answer and leave the connection open."""
    link = socket.create_connection(address, timeout=seconds)
    # An answer may come before all was read.
    with contextlib.suppress(ConnectionError):
        link.sendall(data)
    with link.makefile("rb") as stream:
        answer = _read(stream, headless=data.startswith(b"HEAD "))
    answer.link = link
    return answer


def is_open(answer: Answer, seconds: float = 0.0) -> bool:
    """Whether an answer's connection is still open, after so many seconds; it is closed here in any case."""
    assert answer.link is not None
    with answer.link as link:
        link.settimeout(seconds)
        try:
            return link.recv(1) != b""
        except (BlockingIOError, TimeoutError):
            return True
        except ConnectionError:
            return False


def _read(stream: Any, *, headless: bool) -> Answer:
    answer = Answer(line=stream.readline().decode("latin-1").rstrip("\r\n"))
    if answer.line.startswith("HTTP/1.1 1"):
        interim = answer.line
        stream.readline()
        answer = _read(stream, headless=headless)
        answer.interim = interim
        return answer
    while (line := stream.readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        answer.fields.append((name, value.removeprefix(" ")))
    if answer.field("Transfer-Encoding") == "chunked":
        answer.chunks = []
        for chunk in _chunks(stream):
            if not chunk:
                answer.ended = True
                break
            answer.chunks.append(chunk.decode())
    elif not headless:
        answer.body = stream.read(int(answer.field("Content-Length") or 0)).decode()
    return answer


def _chunks(stream: Any) -> Iterator[bytes]:
    while line := stream.readline():
        size = int(line, 16)
        yield stream.read(size)
        stream.readline()


def differences(
    case: dict[str, Any], answer: Answer, words: dict[str, str], *, form_only: bool = False
) -> list[str]:
    """How an answer differs from the recorded one.

    Args:
        case: the recorded request.
        answer: what came.
        words: what to put in the place of this run's own words, as addresses and folders.
        form_only: look at the form of its texts only, as for those that were drawn at random.
    """
    form_only = form_only or bool(case.get("sampled"))
    wanted = case["answer"]
    found = []
    line = f"HTTP/{wanted['version']} {wanted['status']} {wanted['reason']}"
    if answer.line != line:
        found.append(f"{answer.line!r} is not {line!r}")
    fields = [(name, _field(name, value)) for name, value in answer.fields]
    if fields != [(name, _field(name, value)) for name, value in wanted["headers"]]:
        found.append(f"fields {fields}")
    if wanted["framing"].startswith("length") and answer.field("Content-Length") is None:
        found.append("no length")
    if answer.interim != wanted.get("interim"):
        found.append(f"interim {answer.interim}")
    if wanted.get("chunks") is None:
        found += _compare(_plain(answer.body, words), wanted["body"], sampled=form_only)
        return found
    if answer.ended != wanted["end_chunk"]:
        found.append("the ending chunk")
    mine = [_plain(chunk, words) for chunk in answer.chunks or []]
    theirs = wanted["chunks"]
    if form_only:
        mine, theirs = _forms(mine), _forms(theirs)
    elif len(mine) != len(theirs):
        found.append(f"{len(mine)} chunks, not {len(theirs)}: {mine}")
    for one, other in zip(mine, theirs, strict=False):
        found += _compare(one, other, sampled=False)
    return found


def _field(name: str, value: str) -> str:
    return "*" if name in ("RequestUUID", "Content-Length") else value


def _plain(text: str, words: dict[str, str]) -> str:
    for own, theirs in words.items():
        text = text.replace(own, theirs)
    return text


def _compare(mine: str, theirs: str, *, sampled: bool) -> list[str]:
    mine, theirs = _marked(mine), _marked(theirs)
    if sampled:
        mine, theirs = _form(mine), _form(theirs)
    if mine == theirs or _alike(mine, theirs):
        return []
    return [f"{mine!r}\n    is not {theirs!r}"]


def _marked(text: str) -> str:
    for pattern, mark in _MARKS:
        text = pattern.sub(mark, text)
    return text


def _alike(mine: str, theirs: str) -> bool:
    """Whether two texts differ in the last digits of log probabilities only."""
    numbers = _FLOAT.findall(mine), _FLOAT.findall(theirs)
    if _FLOAT.sub("<f>", mine) != _FLOAT.sub("<f>", theirs):
        return False
    return all(abs(float(a) - float(b)) < _TOLERANCE for a, b in zip(*numbers, strict=True))


def _forms(chunks: list[str]) -> list[str]:
    """The different forms of a stream's chunks, in the order in which they first come."""
    return list(dict.fromkeys(_form(_marked(chunk)) for chunk in chunks))


def _form(text: str) -> str:
    """A document without its texts and numbers."""
    head = "data: " if text.startswith("data: {") else ""
    try:
        value = json.loads(_MARKED.sub("0", text.removeprefix(head)))
    except ValueError:
        return text
    return head + json.dumps(_shape(value))


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape_of(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shape(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    return type(value).__name__


def _shape_of(key: str, value: Any) -> Any:
    """The shape of a member: how an answer ended, bytes and the names of alternatives are as its texts."""
    if (key == "finish_reason" and value) or key == "bytes":
        return key
    if key == "top_logprobs" and value and "logprob" not in value[0]:
        return [list(map(_shape, alternatives.values())) for alternatives in value]
    return _shape(value)
