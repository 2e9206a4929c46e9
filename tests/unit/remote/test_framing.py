"""Where a command's own output begins, whatever pieces it arrives in."""

from __future__ import annotations

import subprocess

import pytest

from lingctl.remote.wire.framing import ERR, OUT, Stream, framed


def printed(shell: str) -> tuple[bytes, bytes]:
    done = subprocess.run([shell, "-c", framed("echo out; echo err >&2")], capture_output=True, check=True)
    return done.stdout, done.stderr


@pytest.mark.parametrize("size", [1, 3, 7, 65536])
def test_what_came_before_is_cut_in_whatever_pieces_it_comes(size: int):
    heard = bytearray()
    out, err = printed("sh")
    stream, errors = Stream(OUT, heard.extend), Stream(ERR)
    whole = b"Welcome\n\x1elingctl ou\n" + out
    for at in range(0, len(whole), size):
        stream.take(whole[at : at + size])
    errors.take(err)
    assert (stream.text, bytes(heard), errors.text) == ("out\n", b"out\n", "err\n")


def test_much_text_before_it_is_not_kept():
    stream = Stream(OUT)
    for _ in range(100):
        stream.take(b"x" * 65536)
    stream.take(printed("sh")[0])
    assert (stream.text, stream.truncated, len(stream.noise) <= 4096) == ("out\n", False, True)


def test_what_never_begins_is_no_output():
    stream = Stream(OUT)
    stream.take(b"This account is not available.\n")
    assert (stream.begun, stream.text, stream.noise) == (False, "", "This account is not available.\n")


def test_a_mark_of_its_own_output_is_kept():
    stream = Stream(OUT)
    stream.take(printed("sh")[0] + OUT)
    assert stream.text == "out\n" + OUT.decode()


@pytest.mark.parametrize("begun", [True, False], ids=["an answer", "before the command"])
def test_what_prints_without_end_is_noticed(begun: bool):
    stream = Stream(OUT)
    stream.take(OUT if begun else b"")
    for _ in range(128 if begun else 64):
        stream.take(b"x" * (1 << 20))
        assert not stream.endless
    stream.take(b"xx")
    assert stream.endless


def test_what_is_heard_as_it_comes_may_have_no_end():
    stream = Stream(OUT, lambda part: None)
    stream.take(OUT)
    for _ in range(200):
        stream.take(b"x" * (1 << 20))
    assert not stream.endless
