"""A file of requests in OpenAI's batch format: a JSON object a line, judged before anything is asked.

``{"custom_id": NAME, "method": "POST", "url": "/v1/chat/completions", "body": {...}}``.
Source: the OpenAI API reference, "The request input object".
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from lingctl.node.foreign_json import foreign_json

LONGEST_LINE = 8 << 20
MOST_FAULTS = 1_000
# Which field of its body has what is asked.
URLS: Mapping[str, str] = {"/v1/chat/completions": "messages", "/v1/completions": "prompt"}
Hear = Callable[[bytes], object]
_FIELDS = frozenset({"custom_id", "method", "url", "body"})
_LONGEST_NAME = 512
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BUCKETS = 256
_QUOTED = 60
_MOST_UNSENT = 8


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One line that can be asked."""

    number: int  # of the request, from 0; empty lines do not count
    custom_id: str
    url: str
    body: Mapping[str, object]
    answer_id: str  # the name of its answer, by which it is known which request an answer is to
    unsent: frozenset[str] = frozenset()  # keys beside those of the format


@dataclass(frozen=True, slots=True)
class LineFault:
    """Why a line cannot be asked."""

    line: int  # from 1
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}"


@dataclass(slots=True)
class BatchInput:
    """A file of requests, as far as it was read once."""

    path: Path
    requests: int = 0  # how many
    digest: str = ""  # SHA-256 of the file
    # names of models that its bodies hold, with the first line of each
    models: dict[str, int] = field(default_factory=dict)
    unsent: tuple[str, ...] = ()  # keys beside those of the format, which are not sent
    faults: list[LineFault] = field(default_factory=list)  # the first ``MOST_FAULTS``
    wrong: int = 0  # how many faults in all

    def fault(self, line: int, what: str) -> None:
        """One more."""
        self.wrong += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(LineFault(line, what))


def survey(path: Path, fields: frozenset[str] | None = None) -> BatchInput:
    """Read a file once and judge every line.

    Args:
        fields: that a body may have; None for any, which the service judges.

    Raises:
        OSError: it cannot be read.
    """
    given, digest = BatchInput(path), hashlib.sha256()
    # Eight bytes for each name, in parts that are sorted one by one: a file may have millions.
    names = [array("Q") for _ in range(_BUCKETS)]
    with path.open("rb") as file:
        for number, line in numbered_lines(file, digest.update):
            request = _judge(number, line, given, fields)
            if request is not None:
                name = _name_of(request.custom_id)
                names[name % _BUCKETS].append(name)
    if twice := _twice(names):
        with path.open("rb") as file:
            _name_twice(file, twice, given)
    given.faults.sort(key=lambda fault: fault.line)
    given.digest = digest.hexdigest()
    return given


def requests_of(file: BinaryIO, hear: Hear, model: str) -> Iterator[BatchRequest]:
    """The requests of a file that was judged before.

    Args:
        hear: is told all bytes of the file, so that a change since then is known at the end.
        model: name to ask for instead of what the bodies say; empty to leave them.

    Raises:
        ValueError: a line that could be asked before cannot be asked now.
    """
    for count, (number, line) in enumerate(numbered_lines(file, hear)):
        request = read_request(line)
        if isinstance(request, list):
            raise ValueError(f"line {number}: {request[0]}")
        body = dict(request.body) | ({"model": model} if model else {})
        yield replace(request, number=count, body=body, answer_id=answer_id(line, model))


def answer_id(line: bytes, model: str) -> str:
    """The name of the answer to a line; another line, or another model in its place, has another one."""
    told = line + b"\0" + model.encode("utf-8", "replace")
    return f"batch_req_{hashlib.sha256(told).hexdigest()[:32]}"


def ignored(part: bytes) -> None:
    """For a reader whose bytes nobody counts."""


def numbered_lines(
    file: BinaryIO, hear: Hear = ignored, longest: int = LONGEST_LINE
) -> Iterator[tuple[int, bytes]]:
    """Lines that are not empty, without blanks at their ends, with their numbers from 1.

    Of one that is too long, somewhat more than may be is handed out.
    """
    number = 0
    while line := file.readline(longest + 2):
        number += 1
        hear(line)
        while not line.endswith(b"\n") and (more := file.readline(1 << 20)):
            hear(more)
            line = line[: longest + 1] + more[-1:]
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if stripped := line.strip():
            yield number, stripped


def read_request(line: bytes) -> BatchRequest | list[str]:
    """The request in a line, or all that is wrong with it."""
    if len(line) > LONGEST_LINE:
        return [f"it has more than {LONGEST_LINE >> 20} MiB"]
    try:
        data = foreign_json(line.decode())
    except UnicodeDecodeError:
        return ["it is not UTF-8"]
    except ValueError as error:
        return [f"it is not JSON: {error}"]
    if not isinstance(data, dict):
        return ["it is not a JSON object"]
    faults = [*_name_faults(data), *_way_faults(data), *_body_faults(data)]
    if faults:
        return faults
    unsent = frozenset(data) - _FIELDS
    return BatchRequest(0, data["custom_id"], data["url"], data["body"], "", unsent)


def _name_faults(data: Mapping[str, object]) -> Iterator[str]:
    name = data.get("custom_id")
    if not isinstance(name, str) or not name:
        yield f"custom_id is to be a text of its own: {_quoted(name)}" if name else "it has no custom_id"
    elif len(name) > _LONGEST_NAME:
        yield f"its custom_id has more than {_LONGEST_NAME} characters"


def _way_faults(data: Mapping[str, object]) -> Iterator[str]:
    if data.get("method") != "POST":
        yield f'method is to be "POST": {_quoted(data.get("method"))}'
    url = data.get("url")
    if not isinstance(url, str) or url not in URLS:
        yield f"url is to be one of {', '.join(URLS)}: {_quoted(url)}"


def _body_faults(data: Mapping[str, object]) -> Iterator[str]:
    body, url = data.get("body"), data.get("url")
    if not isinstance(body, dict):
        yield f"body is to be an object: {_quoted(body)}"
        return
    asked = URLS.get(url) if isinstance(url, str) else None
    if asked and not body.get(asked):
        yield f"its body has no {asked}, which {url} needs"
    if body.get("stream"):
        yield 'streams are not for batches: leave "stream" out'
    if not isinstance(body.get("model", ""), str):
        yield f"model is to be a text: {_quoted(body['model'])}"


def _quoted(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _QUOTED else f"{shown[:_QUOTED]} ..."


def _judge(number: int, line: bytes, given: BatchInput, fields: frozenset[str] | None) -> BatchRequest | None:
    request = read_request(line)
    given.requests += 1
    if isinstance(request, list):
        for what in request:
            given.fault(number, what)
        return None
    if fields is not None:
        for unknown in sorted(request.body.keys() - fields):
            known = ", ".join(sorted(fields))
            given.fault(number, f"{_quoted(unknown)} is not for --offline, which knows: {known}")
        if not isinstance(request.body.get("prompt", ""), str):
            given.fault(number, "prompt is to be one text with --offline")
    model = request.body.get("model")
    if isinstance(model, str) and model and len(given.models) < MOST_FAULTS:
        given.models.setdefault(model, number)
    if request.unsent and len(given.unsent) < _MOST_UNSENT:
        given.unsent = tuple(sorted({*given.unsent, *request.unsent}))
    return request


def _name_of(custom_id: str) -> int:
    told = custom_id.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big")


def _twice(names: list[array[int]]) -> set[int]:
    """Those that are there more than once, the first thousand or so."""
    found: set[int] = set()
    for bucket in names:
        before = -1
        for name in sorted(bucket):
            if name == before and len(found) < MOST_FAULTS:
                found.add(name)
            before = name
    return found


def _name_twice(file: BinaryIO, twice: set[int], given: BatchInput) -> None:
    first: dict[str, int] = {}
    for number, line in numbered_lines(file):
        request = read_request(line)
        if isinstance(request, list) or _name_of(request.custom_id) not in twice:
            continue
        before = first.setdefault(request.custom_id, number)
        if before != number:
            given.fault(number, f"custom_id {_quoted(request.custom_id)} is that of line {before}")
