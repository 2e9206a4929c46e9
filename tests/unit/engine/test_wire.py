"""Requests and answers on the wire, as the real server's library has them."""

from __future__ import annotations

import io

import pytest

from lingctl.sandbox.engine.api import wire
from lingctl.sandbox.engine.api.wire import Head, Malformed, Reply


def head_of(text: str) -> tuple[Head, io.BytesIO]:
    stream = io.BytesIO(text.encode())
    return wire.read_head(stream, stream.readline()), stream


def names(data: bytes) -> list[str]:
    lines = data.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return [line.partition(":")[0] for line in lines]


GET, CLOSING = Head("GET", "/", "HTTP/1.1"), Head("GET", "/", "HTTP/1.1", {"connection": "close"})
ORDERS = [
    (Reply(200, b"x", "a/b", 1), GET, ["Keep-Alive", "Content-Length", "Connection", "Content-Type"]),
    (Reply(200, b"x", "a/b", 1), CLOSING, ["Content-Length", "Connection", "Connection", "Content-Type"]),
    (Reply(422, b"x", "a/b", 1), GET, ["Content-Length", "Connection", "Connection", "Content-Type"]),
    (Reply(200, b"", "", 1), GET, ["Content-Length", "Keep-Alive", "Connection", "Content-Type"]),
    (Reply(503, b"", "", 1), GET, ["Content-Length", "Connection", "Connection", "Content-Type"]),
    (Reply(404), GET, ["Content-Length", "Connection"]),
    (Reply(413, b"x", "a/b"), GET, ["Connection", "Content-Length", "Content-Type"]),
]


@pytest.mark.parametrize(("reply", "head", "order"), ORDERS)
def test_header_fields_have_the_librarys_order(reply, head, order):
    assert names(wire.reply_bytes(reply, head, 1000)) == [*order, "RequestUUID"]


def test_an_answer_to_what_is_no_request_has_no_number():
    assert names(wire.reply_bytes(Reply(400, routed=False), None, 1000)) == ["Content-Length", "Connection"]


def test_a_head_request_is_told_the_length_of_what_it_does_not_get():
    data = wire.reply_bytes(Reply(200, b"12345", "a/b", 1), Head("HEAD", "/", "HTTP/1.1"), 1000)
    assert data.endswith(b"\r\n\r\n")
    assert names(data)[:3] == ["Accept-Ranges", "Keep-Alive", "Content-Length"]
    assert b"Content-Length: 5\r\n" in data


def test_a_stream_begins_without_a_length():
    assert names(wire.stream_bytes(GET, 1000)) == [
        "Keep-Alive",
        "Transfer-Encoding",
        "Content-Type",
        "RequestUUID",
    ]
    assert wire.chunk_bytes(b"data") == b"4\r\ndata\r\n"


def test_paths_are_decoded_and_lose_their_query():
    assert head_of("GET /v1%2Fmodels?x=1#y HTTP/1.1\r\n\r\n")[0].path == "/v1/models"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("GET /\r\n\r\n", 400),
        ("BOGUS / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/2\r\n\r\n", 400),
        ("GET / HTTP/1.1\n\n", 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nX: " + "a" * 9000 + "\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n" + "a: b\r\n" * 101 + "\r\n", 400),
        ("GET /" + "a" * 9000 + " HTTP/1.1\r\n\r\n", 414),
    ],
)
def test_what_is_no_request_is_told_so(text, status):
    with pytest.raises(Malformed) as raised:
        head_of(text)
    assert raised.value.status == status


def test_bodies():
    plain, stream = head_of("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcd")
    assert wire.read_body(stream, plain, 100) == b"abc"
    chunked, stream = head_of(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    )
    assert wire.read_body(stream, chunked, 100) == b"abc"
    none, stream = head_of("POST / HTTP/1.1\r\n\r\nabc")
    assert wire.read_body(stream, none, 100) == b""
    large, stream = head_of("POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n")
    with pytest.raises(Malformed) as raised:
        wire.read_body(stream, large, 100)
    assert (raised.value.status, raised.value.unread) == (413, 101)


def test_a_multipart_body_must_be_one():
    kind = "Content-Type: multipart/form-data; boundary=x"
    part = "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--\r\n"
    good, stream = head_of(f"POST / HTTP/1.1\r\n{kind}\r\nContent-Length: {len(part)}\r\n\r\n{part}")
    assert wire.read_body(stream, good, 1000).decode() == part
    bad, stream = head_of(f"POST / HTTP/1.1\r\n{kind}\r\nContent-Length: 2\r\n\r\n{{}}")
    with pytest.raises(Malformed):
        wire.read_body(stream, bad, 1000)


def test_who_closes():
    assert not GET.ends
    assert CLOSING.ends
    assert Head("GET", "/", "HTTP/1.0").ends
    assert not Head("GET", "/", "HTTP/1.0", {"connection": "Keep-Alive"}).ends
