"""HTTP as bytes: what is sent, what is read, and how long one waits for it."""

import socket
import threading
import time
from contextlib import contextmanager

import pytest

from lingctl.errors import UsageError
from lingctl.serving.endpoint import Address, address_of
from lingctl.serving.http.exchange import Chunk, HttpRequest, Limits, stream
from lingctl.serving.http.wire import ResponseReader, WireError, request_bytes
from lingctl.serving.trouble import ExchangeTrouble


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://服务.example:8000", "xn--zfr188b.example:8000"),
        ("http://[fd00::1]:1025", "[fd00::1]:1025"),
        ("http://[fe80::1%eth0]:1025", "[fe80::1]:1025"),
        ("https://gateway.example", "gateway.example"),
        ("http://gateway.example:443", "gateway.example:443"),
    ],
)
def test_a_host_is_named_as_http_has_it(url, host):
    sent = request_bytes(address_of(url), "POST", "/v1/models", {}, {"model": "\ud83d"})
    assert f"\r\nHost: {host}\r\n".encode() in sent
    assert sent.endswith(b'{"model": "\\ud83d"}')


@pytest.mark.parametrize("path", ["/a b", "/a\x0bb", "/中"])
def test_a_path_that_no_request_can_have_is_refused(path):
    with pytest.raises(UsageError, match="not an http or https URL"):
        address_of(f"http://gateway.example{path}")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_that_has_no_body_is_whole_with_its_head(status):
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.1 %b\r\nServer: x\r\n\r\n" % status) == b""
    assert (reader.complete, reader.may_reuse) == (True, True)


def test_a_head_whose_lines_end_bare_is_read():
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok") == b"ok"
    assert reader.complete


@pytest.mark.parametrize("fields", ["Content-Length:\r\n 2", "Content-Length: 2\nX: a\n\tContent-Length: 1"])
def test_a_field_that_goes_on_in_the_next_line_is_one(fields):
    reader = ResponseReader()
    assert reader.feed(f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\nok".encode()) == b"ok"
    assert reader.complete


def test_an_answer_of_two_lengths_is_none():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: %b\r\n\r\nok"
    assert ResponseReader().feed(head % b"2") == b"ok"
    with pytest.raises(WireError, match="Content-Length '2' and '1'"):
        ResponseReader().feed(head % b"1")


def test_a_length_without_end_is_not_shown_whole():
    with pytest.raises(WireError, match=r"Content-Length 'x{40}'$"):
        ResponseReader().feed(b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n" % (b"x" * 30_000))


@pytest.mark.parametrize(
    ("behind", "whole"), [(b"0\r\n", True), (b"0\r\nX: a\r\nY", True), (b"0", False), (b"", False)]
)
def test_chunks_are_whole_with_the_last_one_also_where_the_connection_is_closed_there(behind, whole):
    reader = ResponseReader()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert reader.feed(head + b"2\r\nok\r\n" + behind) == b"ok"
    assert not reader.complete
    assert reader.end() is whole


def test_what_does_not_begin_as_http_is_told_before_its_end():
    with pytest.raises(WireError, match="SSH-2"):
        ResponseReader().feed(b"SSH-2.0-OpenSSH_9.6\r\n")


def test_interim_answers_without_end_are_cut_off():
    reader = ResponseReader()
    with pytest.raises(WireError, match="no part of the answer"):
        for _ in range(50_000):
            reader.feed(b"HTTP/1.1 100 Continue\r\n\r\n")


@contextmanager
def answering(wire, *, stays=True):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(wire)
                if stays:
                    connection.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        yield Address("http", "127.0.0.1", server.getsockname()[1], "")


def test_a_long_request_may_take_as_long_as_the_link_needs():
    """How long connecting may take is no limit of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        read = []

        def serve():
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as file:
                time.sleep(0.6)  # meanwhile more waits to be sent than a socket holds
                while (line := file.readline().strip()) != b"":
                    length = line.removeprefix(b"Content-Length: ")
                    read.append(length)
                read.append(len(file.read(int(read[-1]))))
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        address = Address("http", "127.0.0.1", server.getsockname()[1], "")
        request = HttpRequest(address, "POST", "/", {"prompt": "x" * (24 << 20)})
        (head,) = stream(request, Limits(connect=0.2))
    assert head.status == 204 and read[-1] > 24 << 20


def test_whoever_reads_slowly_is_not_taken_for_a_silent_service():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n"
    got = 0
    with answering(head + b"x" * 200_000) as address:
        for part in stream(HttpRequest(address, "GET", "/"), Limits(idle=0.3)):
            assert not isinstance(part, ExchangeTrouble), part
            if isinstance(part, Chunk):
                got += len(part.data)
                if got < 100_000:
                    time.sleep(0.4)
    assert got == 200_000


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"Content-Length: 9\r\n\r\nok", "7 bytes early"),
        (b"Transfer-Encoding: chunked\r\n\r\n9\r\nok", "early"),
    ],
)
def test_how_much_of_an_answer_is_missing_is_told_where_it_is_known(answer, told):
    with answering(b"HTTP/1.1 200 OK\r\n" + answer, stays=False) as address:
        *_, last = stream(HttpRequest(address, "GET", "/"), Limits())
    assert str(last) == f"closed: the answer ends {told}"
