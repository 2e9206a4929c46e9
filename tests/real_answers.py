"""Answers of the real MindIE 3.0.0, as recorded in ``../shared/samples/mindie-3.0.0``, to be replayed.

A request that was recorded gets its own answer, byte for byte but for the marks (ids, times, seeds), which
are filled in. To any other request for text, the answer is made out of a recorded one of the same path and
the same end: its header fields, its events and their order, with other text and counts; nothing in such an
answer has a form that was not recorded. How many tokens there are, and what ends them, follows the recorded
rules: at ``max_tokens`` tokens it ends by length, before that by the end-of-text token, which is counted.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CAPTURES = Path(__file__).resolve().parents[2] / "shared" / "samples" / "mindie-3.0.0"

CHAT_PATH, COMPLETIONS_PATH, INFER_PATH = "/v1/chat/completions", "/v1/completions", "/infer"
TEXT_PATHS = (CHAT_PATH, COMPLETIONS_PATH, INFER_PATH)
_ASKED_BY = {CHAT_PATH: "messages", COMPLETIONS_PATH: "prompt", INFER_PATH: "inputs"}
_MARKS = {
    "<id>": "endpoint_common_7",
    "<time>": "1795000000",
    "<ms>": "12",
    "<seed>": "6125731205913187273",
    "<uuid>": "0123456789abcdef0123456789abcdef",
}


@dataclass(frozen=True)
class RealAnswer:
    """One answer.

    Attributes:
        reason: the status line's words.
        headers: in their order, doubled ones twice.
        parts: chunks of a stream, or the body alone.
        chunked: whether it is sent in chunked coding.
        ends: whether the ending chunk comes.
        stays_open: whether the socket stays open, in spite of ``Connection: close``.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    parts: tuple[bytes, ...]
    chunked: bool = False
    ends: bool = True
    stays_open: bool = True

    @property
    def head(self) -> bytes:
        """Status line and header fields."""
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{n}: {v}" for n, v in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def wire(self) -> list[bytes]:
        """What goes out, piece by piece."""
        if not self.chunked:
            return [self.head + b"".join(self.parts)]
        chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in self.parts]
        return [self.head, *chunks, *([b"0\r\n\r\n"] if self.ends else [])]


@dataclass(frozen=True)
class Talk:
    """What the model says to anything that was not recorded.

    Attributes:
        tokens: the text of each token; some may have none.
    """

    tokens: tuple[str, ...]

    def told(self, most: int, ignore_eos: bool) -> tuple[tuple[str, ...], str]:
        """The tokens with text that are generated, and what ends them: ``stop`` or ``length``."""
        if ignore_eos:
            return tuple(itertools.islice(itertools.cycle(self.tokens), most)), "length"
        if most <= len(self.tokens):
            return self.tokens[:most], "length"
        return self.tokens, "stop"


SHORT_TALK = Talk(("I", " am", " Ling", ",", " an", " assistant", " created", " by", " inclusionAI", "."))
# A hundred tokens of a text that goes on, so that an answer of a hundred ends at its limit.
_LONG = (
    " live in a small town by the sea with my family and two old dogs. Every morning I walk along the river "
    "to the harbour, where the boats come in with fish for the market, and I talk to the people who work "
    "there. In the afternoon I teach the children of our school to read, to write and to count, which they "
    "like more than one would think. When the weather is bad we stay at home, drink tea and tell each other "
    "stories that our parents told us when we were young, about storms, about distant lands and about the "
    "stars above us all."
)
LONG_TALK = Talk(tuple(re.findall(r" ?[^ ]+", _LONG)))


@cache
def recorded() -> tuple[dict, ...]:
    """All recorded requests with their answers."""
    return tuple(json.loads((CAPTURES / "requests.json").read_text())["requests"])


@cache
def life() -> dict:
    """What health and the ports said over time."""
    return json.loads((CAPTURES / "life.json").read_text())


def named(name: str) -> RealAnswer:
    """The recorded answer of that name."""
    return _ready(next(entry for entry in recorded() if entry["name"] == name)["answer"])


def streams(*paths: str) -> list[str]:
    """Names of the recorded streams of these paths, one choice each."""
    return [
        entry["name"]
        for entry in recorded()
        if entry["path"] in paths and "chunks" in entry["answer"] and '"n": 2' not in entry["body"]
    ]


def answer_to(port: str, method: str, path: str, body: bytes, talk: Talk = SHORT_TALK) -> RealAnswer:
    """The real server's answer.

    Args:
        port: ``business`` or ``management``.
        method: GET or POST.
        path: of the request.
        body: of the request.
        talk: what is said to a request for text that was not recorded.
    """
    asked = json.loads(body) if body else None
    here = [e for e in recorded() if (e["port"], e["method"], e["path"]) == (port, method, path)]
    same = next((e for e in here if _same(e, asked)), None)
    if same:
        return _ready(same["answer"])
    if method != "POST" or path not in TEXT_PATHS:
        return named("GET health-on-business")  # 404 without a body, as for every unknown path
    if asked.get(_ASKED_BY[path]) is None:
        missing = next(e for e in here if _refused(e) and json.loads(e["body"]).get(_ASKED_BY[path]) is None)
        return _ready(missing["answer"])
    return _made(path, asked, talk)


def health_answer(what: str) -> RealAnswer | None:
    """The answer that a line of ``life.json`` tells; None for a refused connection."""
    found = re.match(r"(\d+) ([\w ]+?) content-type='(.*)' body='(.*)'$", what)
    if not found:
        return None
    status, content_type, body = int(found[1]), found[3], found[4].encode()
    model = named("GET ready" if status == 200 else "chat messages missing")
    changed = {"Content-Length": str(len(body)), "Content-Type": content_type}
    headers = tuple((name, changed.get(name, value)) for name, value in model.headers)
    return RealAnswer(status, found[2], headers, (body,))


def _same(entry: dict, asked: object) -> bool:
    body = entry.get("body")
    if entry.get("replay") is False or not (body is None or isinstance(body, str)):
        return False
    try:
        return asked == (json.loads(body) if body else None)
    except ValueError:
        return False


def _refused(entry: dict) -> bool:
    try:
        return entry["answer"].get("status") == 422 and isinstance(json.loads(entry["body"]), dict)
    except (TypeError, ValueError):
        return False


def _ready(answer: dict) -> RealAnswer:
    """A recorded answer with its marks filled in, and its length told rightly again."""
    chunked = "chunks" in answer
    parts = tuple(_filled(part).encode() for part in (answer["chunks"] if chunked else [answer["body"]]))
    length = str(sum(map(len, parts)))
    headers = tuple(
        (name, length if name == "Content-Length" else _filled(value)) for name, value in answer["headers"]
    )
    ends = answer.get("end_chunk", True)
    stays = answer["connection_after"] == "open"
    return RealAnswer(answer["status"], answer["reason"], headers, parts, chunked, ends, stays)


def _filled(text: str) -> str:
    return re.sub("|".join(_MARKS), lambda mark: _MARKS[mark[0]], text)


@dataclass(frozen=True)
class _Asked:
    """What of a request matters to the form of its answer."""

    tokens: tuple[str, ...]
    end: str
    details: bool = False

    @property
    def counted(self) -> int:
        return len(self.tokens) + (self.end == "stop")

    @property
    def text(self) -> str:
        return "".join(self.tokens)


# One recorded stream and one plain answer of each path and end.
_FORMS = {
    (CHAT_PATH, True, "stop"): "x chat who stream",
    (CHAT_PATH, True, "length"): "chat stream length",
    (COMPLETIONS_PATH, True, "stop"): "comp stream",
    (COMPLETIONS_PATH, True, "length"): "comp stream length",
    (INFER_PATH, True, "stop"): "x infer stream eos details",
    (INFER_PATH, True, "length"): "infer stream details",
    (INFER_PATH, False, "stop"): "infer details 30",
    (INFER_PATH, False, "length"): "/infer details",
    (CHAT_PATH, False, "length"): "x chat one token",
    (CHAT_PATH, False, "stop"): "x chat one token",
    (COMPLETIONS_PATH, False, "length"): "comp ok",
    (COMPLETIONS_PATH, False, "stop"): "comp ok",
}


def _made(path: str, asked: dict, talk: Talk) -> RealAnswer:
    parameters = asked.get("parameters", {}) if path == INFER_PATH else asked
    most = parameters.get("max_new_tokens" if path == INFER_PATH else "max_tokens", 20)
    # /infer has no ignore_eos: it is not refused and does nothing.
    tokens, end = talk.told(most, path != INFER_PATH and bool(asked.get("ignore_eos")))
    want = _Asked(tokens, end, bool(parameters.get("details")))
    model = named(_FORMS[path, bool(asked.get("stream")), end])
    if asked.get("stream"):
        return _remade(model, _events(path, model, want))
    return _remade(model, [json.dumps(_plain(path, json.loads(model.parts[0]), want), separators=(",", ":"))])


def _remade(model: RealAnswer, parts: list[str]) -> RealAnswer:
    encoded = tuple(part.encode() for part in parts)
    length = str(sum(map(len, encoded)))
    headers = tuple((n, length if n == "Content-Length" else v) for n, v in model.headers)
    return RealAnswer(model.status, model.reason, headers, encoded, model.chunked)


def _events(path: str, model: RealAnswer, want: _Asked) -> list[str]:
    """A stream's chunks: those of the recorded one, with this text."""
    events = [part.decode() for part in model.parts]
    role = [events.pop(0)] if path == CHAT_PATH else []
    done = [events.pop()] if path != INFER_PATH else []
    *pieces, last = [json.loads(event.removeprefix("data: ")) for event in events]
    told = want.tokens if want.end == "stop" else want.tokens[:-1]
    # The first piece of /infer has other fields than the rest.
    forms = itertools.chain(pieces[:1], itertools.repeat(pieces[-1]))
    made = [_piece(path, form, text) for form, text in zip(forms, told, strict=False)]
    frames = [_frame(event) for event in (*made, _last(path, last, want))]
    return [*role, *frames, *done]


def _piece(path: str, form: dict, text: str) -> dict:
    event = copy.deepcopy(form)
    if path == INFER_PATH:
        event["token"] = {"id": [len(text) + 5], "text": text}
    elif path == CHAT_PATH:
        event["choices"][0]["delta"]["content"] = text
    else:
        event["choices"][0]["text"] = text
    return event


def _last(path: str, form: dict, want: _Asked) -> dict:
    event = copy.deepcopy(form)
    if path == INFER_PATH:
        event["generated_text"] = want.text
        event["details"] = event["details"] | {"generated_tokens": want.counted} if want.details else None
        return event
    event = _piece(path, event, "" if want.end == "stop" else want.tokens[-1])
    event["usage"] = _usage(event["usage"], want)
    return event


def _plain(path: str, form: dict, want: _Asked) -> dict:
    if path == INFER_PATH:
        details = form["details"] | {"generated_tokens": want.counted, "generated_token_ids": []}
        return {"generated_text": want.text} | ({"details": details} if want.details else {})
    choice = form["choices"][0]
    if path == CHAT_PATH:
        choice["message"]["content"] = want.text
    else:
        choice["text"] = want.text
    choice["finish_reason"] = want.end
    form["usage"] = _usage(form["usage"], want)
    return form


def _usage(form: dict, want: _Asked) -> dict:
    return form | {"completion_tokens": want.counted, "total_tokens": form["prompt_tokens"] + want.counted}


def _frame(event: dict) -> str:
    return f"data: {json.dumps(event, ensure_ascii=False, separators=(',', ':'))}\n\n"
