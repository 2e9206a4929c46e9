"""Requests of a batch: what can be asked, what is told where it cannot, and when it is asked again."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lingctl.serving.batch.answer import BatchAnswer, json_line, judged
from lingctl.serving.batch.requests import LONGEST_LINE, MOST_FAULTS, answer_id, numbered_lines, survey
from lingctl.serving.batch.retries import LONGEST_WAIT, Retries, ends_all, retry_after
from lingctl.serving.http.exchange import HttpResponse
from lingctl.serving.trouble import ExchangeTrouble

GOOD = {
    "custom_id": "a",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {"messages": [{"role": "user", "content": "Who are you?"}]},
}


def line(**changes: object) -> str:
    return json.dumps({name: value for name, value in {**GOOD, **changes}.items() if value is not ...})


def surveyed(path: Path, *lines: str | bytes):
    path.write_bytes(b"\n".join(one.encode() if isinstance(one, str) else one for one in lines) + b"\n")
    return survey(path)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "nested too deep"),
        ("[]", "not a JSON object"),
        (b"\xff\xfe", "not UTF-8"),
        (line(custom_id=...), "no custom_id"),
        (line(custom_id=""), "no custom_id"),
        (line(custom_id=7), "custom_id is to be a text"),
        (line(custom_id="x" * 513), "more than 512 characters"),
        (line(method="GET"), 'method is to be "POST"'),
        (line(method=...), 'method is to be "POST"'),
        (line(url="/v1/embeddings"), "url is to be one of"),
        (line(url=["/v1/chat/completions"]), "url is to be one of"),
        (line(url="http://host/v1/chat/completions"), "url is to be one of"),
        (line(body=...), "body is to be an object"),
        (line(body=[]), "body is to be an object"),
        (line(body={"prompt": "x"}), "no messages"),
        (line(url="/v1/completions"), "no prompt"),
        (line(body={**GOOD["body"], "stream": True}), "streams are not for batches"),
        (line(body={**GOOD["body"], "model": 7}), "model is to be a text"),
        ('{"custom_id": "' + "x" * LONGEST_LINE + '"}', "more than 8 MiB"),
    ],
)
def test_what_cannot_be_asked_is_told_with_its_line(tmp_path: Path, wrong, told: str):
    given = surveyed(tmp_path / "in.jsonl", line(custom_id="first"), "", wrong, line(custom_id="last"))
    assert [fault.line for fault in given.faults] == [3]
    assert told in given.faults[0].what
    assert given.requests == 3


def test_all_mistakes_are_told_at_once_and_in_their_order(tmp_path: Path):
    twice = line(custom_id="twice")
    both = line(method="GET", url="/v1/x")
    given = surveyed(tmp_path / "in.jsonl", twice, both, line(), twice, "{", twice)
    told = [str(fault) for fault in given.faults]
    assert [text.split(":")[0] for text in told] == ["line 2", "line 2", "line 4", "line 5", "line 6"]
    assert told[2] == "line 4: custom_id 'twice' is that of line 1" == told[4].replace("6", "4")
    assert given.wrong == 5


def test_a_file_of_nothing_but_mistakes_is_told_with_a_bound(tmp_path: Path):
    given = surveyed(tmp_path / "in.jsonl", *["x"] * 5_000)
    assert (len(given.faults), given.wrong) == (MOST_FAULTS, 5_000)


def test_a_good_file_is_taken_as_people_have_it(tmp_path: Path):
    """A byte order mark, line ends of Windows, empty lines, no line end behind the last."""
    path = tmp_path / "in.jsonl"
    one, two = line(custom_id="a", body={**GOOD["body"], "model": "x"}), line(custom_id="b", metadata={})
    path.write_bytes(b"\xef\xbb\xbf" + one.encode() + b"\r\n\r\n \n" + two.encode())
    given = survey(path)
    assert (given.requests, given.wrong, given.models, given.unsent) == (2, 0, {"x": 1}, ("metadata",))


def test_the_end_of_a_long_line_does_not_count_as_a_line(tmp_path: Path):
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"x" * (LONGEST_LINE + (3 << 20)) + b"\nlast\n")
    heard = 0

    def hear(part: bytes) -> None:
        nonlocal heard
        heard += len(part)

    with path.open("rb") as file:
        lines = [(number, len(text)) for number, text in numbered_lines(file, hear)]
    assert [number for number, _ in lines] == [1, 2]
    assert LONGEST_LINE < lines[0][1] < LONGEST_LINE + 4 and lines[1][1] == 4
    assert heard == path.stat().st_size


def test_an_answer_is_named_after_its_line_and_model():
    assert answer_id(b"a", "") == answer_id(b"a", "")
    assert len({answer_id(b"a", ""), answer_id(b"b", ""), answer_id(b"a", "m")}) == 3


NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("999999", LONGEST_WAIT),
        ("9" * 400, None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("Sat, 28 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 28 Nov 2026 11:00:00 GMT", 0.0),
        ("Sat, 28 Nov 2099 11:00:00 GMT", LONGEST_WAIT),
        ("Sat, 99 Nov 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_as_its_standard_says(value: str, seconds: float | None):
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    ("trouble", "again"),
    [
        (ExchangeTrouble("http", "", 429), True),
        (ExchangeTrouble("http", "", 503), True),
        (ExchangeTrouble("http", "EngineCore encountered an issue", 500), True),
        (ExchangeTrouble("http", "Cannot find available tokenizer.", 422), True),
        (ExchangeTrouble("refused", ""), True),
        (ExchangeTrouble("closed", ""), True),
        (ExchangeTrouble("timeout", ""), True),
        (ExchangeTrouble("http", "max_tokens=100 cannot be greater", 400), False),
        (ExchangeTrouble("http", "not found", 404), False),
        (ExchangeTrouble("http", "", 401), False),
        (ExchangeTrouble("http", "", 307), False),
    ],
)
def test_only_what_may_be_answered_later_is_asked_again(trouble: ExchangeTrouble, again: bool):
    wait = Retries().wait(trouble, {}, 1, random.Random(1), NOW)
    assert (wait is not None) == again


def test_a_service_is_left_alone_for_as_long_as_it_asks_but_never_not_at_all():
    chance, trouble = random.Random(1), ExchangeTrouble("http", "", 429)
    assert Retries().wait(trouble, {"retry-after": "7"}, 1, chance, NOW) == 7.0
    wait = Retries().wait(trouble, {"retry-after": "0"}, 1, chance, NOW)
    assert wait is not None and wait >= 0.5


def test_waits_grow_to_a_bound_and_end():
    chance, trouble = random.Random(1), ExchangeTrouble("http", "", 503)
    waits = [Retries(most=9).wait(trouble, {}, tried, chance, NOW) for tried in range(1, 11)]
    assert waits.pop() is None
    for number, wait in enumerate(waits):
        longest = min(60, 2**number)
        assert wait is not None and longest / 2 <= wait <= longest
    assert Retries(1000).wait(trouble, {}, 999, chance, NOW) is not None


def test_a_key_that_is_wanted_ends_all_and_a_busy_service_does_not():
    assert ends_all(ExchangeTrouble("http", "", 401))
    assert ends_all(ExchangeTrouble("refused", ""))
    assert not ends_all(ExchangeTrouble("http", "", 503))
    assert not ends_all(ExchangeTrouble("http", "", 400))


def response(status: int, body: bytes, **headers: str) -> HttpResponse:
    return HttpResponse(status, headers, body, 0.1)


@pytest.mark.parametrize(
    ("said", "outcome", "told", "error"),
    [
        (response(200, b'{"id": "c1", "choices": []}'), "answered", (200, "c1"), None),
        (response(200, b'{"error": {"message": "no"}}'), "failed", (200, ""), None),
        (response(400, b'{"error": {"message": "no"}}'), "refused", (400, ""), None),
        (response(502, b"<html>"), "failed", (502, ""), None),
        (response(200, b"<html>"), "failed", None, "malformed"),
        (ExchangeTrouble("closed", "it ended"), "failed", None, "closed"),
    ],
)
def test_answers_and_errors_stand_where_openai_has_them(said, outcome, told, error):
    found, trouble = judged(said)
    answer = BatchAnswer(3, "a", "batch_req_1", found, trouble)
    data = json.loads(answer.line())
    assert answer.outcome == outcome
    assert list(data) == ["id", "custom_id", "response", "error"]
    shown = data["response"]
    assert (shown and (shown["status_code"], shown["request_id"])) == told
    assert (data["error"] and data["error"]["code"]) == error
    assert shown is None or isinstance(shown["body"], dict)


def test_the_request_id_is_the_one_that_the_service_logs():
    found, _ = judged(response(200, b'{"id": "c1", "choices": []}', **{"x-request-id": "r1"}))
    assert found and found["request_id"] == "r1"


def test_a_line_is_json_for_every_reader():
    odd = {"half": "\ud83d", "nan": float("nan"), "deep": [{"inf": float("inf")}], "text": "中"}
    text = json_line(odd)
    assert text.count(b"\n") == 1
    strict = json.loads(text.decode("utf-8"), parse_constant=lambda name: pytest.fail(name))
    assert strict == {"half": "\ud83d", "nan": None, "deep": [{"inf": None}], "text": "中"}
