"""JSON as the real server's library takes it."""

from __future__ import annotations

import json

import pytest

from lingctl.sandbox.engine.api.json_text import NotJson, parse
from lingctl.sandbox.engine.json_library import dump, kind


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b'{"a":1}x', b"{nope", b"[1,]", b'{"a":NaN}', b"Infinity", b"1e400", b'{"a":"\\ud83d"}',
        b'["\\udc00"]', b'"\xff"', b'"\x01"', b"01", b"[" * 5000, b"[" * 5000 + b"}" * 5000,
        b'{"a":' * 5000 + b"1" + b"}" * 4999, b"[" * 5000 + b"1 2" + b"]" * 5000, b"9" * 400,
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(data):
    with pytest.raises(NotJson):
        parse(data, 10)


def test_a_mark_of_byte_order_and_a_doubled_key_are_fine():
    assert parse(b'\xef\xbb\xbf{"a": 1, "a": 2}', 10) == {"a": 2}
    assert parse(b'"\\ud83d\\ude42"', 10) == "🙂"


def test_what_lies_too_deep_is_dropped_without_a_word():
    assert parse(b'{"a": [[1], 2], "b": {"c": {}}}', 1) == {"a": [2], "b": {}}
    assert parse(b'{"a": [[1], 2], "b": {"c": {}}}', 0) == {}
    assert parse(b"[" * 5000 + b"]" * 5000, 2) == [[[]]]
    assert parse(b'{"x": 5, "a":' * 5000 + b'"y"' + b"}" * 5000, 1) == {"x": 5, "a": {"x": 5}}


def test_both_parsers_agree():
    text = json.dumps({"a": [1, -2.5, True, None, {"b": "c\\n", "d": []}], "e": {}})
    deep = b'{"deep": ' + b"[" * 3000 + b"]" * 3000 + b', "rest": ' + text.encode() + b"}"
    assert parse(deep, 10)["rest"] == json.loads(text)


def test_numbers_have_the_librarys_types():
    kinds = [
        kind(parse(text, 10))
        for text in (b"0", b"-1", b"1.0", b"18446744073709551615", b"18446744073709551616")
    ]
    assert kinds == ["unsigned", "integer", "float", "unsigned", "float"]
    assert [kind(value) for value in (None, True, "", [], {})] == [
        "null",
        "boolean",
        "string",
        "array",
        "object",
    ]


def test_values_are_written_as_the_library_writes_them():
    wanted = {2.1: "2.1", 1.0: "1.0", 1e20: "1e+20", 1e15: "1e+15", 1.5e15: "1.5e+15", 1e-5: "1e-05", 5: "5"}
    assert {value: dump(value) for value in wanted} == wanted
    assert dump({"ü": ["x", 1]}) == '{"ü":["x",1]}'
