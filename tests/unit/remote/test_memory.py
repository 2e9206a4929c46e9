"""What somebody has heard already is not kept for ever."""

from __future__ import annotations

import tracemalloc

import pytest

from lingctl.remote.command import script
from lingctl.remote.local import LocalConnection
from lingctl.remote.wire.framing import OUT, Stream

MUCH = 200 * 1024 * 1024


def test_heard_output_is_kept_no_further_than_an_error_quotes_it():
    heard = 0

    def hear(part: bytes) -> None:
        nonlocal heard
        heard += len(part)

    streams = [Stream(OUT, hear) for _ in range(16)]
    part = b"x" * 65535 + b"\n"
    tracemalloc.start()
    for stream in streams:
        stream.take(OUT)
        for _ in range(MUCH // 16 // len(part)):
            stream.take(part)
        stream.take(b"the last words\n")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 * 1024 * 1024
    assert heard > MUCH * 0.99
    assert all(stream.text.endswith("\nthe last words\n") and stream.truncated for stream in streams)


@pytest.mark.parametrize("heard", [True, False])
def test_a_command_here_keeps_a_bounded_part_of_what_it_prints(heard: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lingctl.remote.wire.framing._MOST_OUTPUT", 1_000_000)
    much = script(
        "head -c 50000000 /dev/zero | tr '\\0' o; head -c 50000000 /dev/zero | tr '\\0' e >&2; echo end"
    )
    count = 0

    def hear(part: bytes) -> None:
        nonlocal count
        count += len(part)

    tracemalloc.start()
    done = LocalConnection().run(much, on_output=hear if heard else None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12_000_000
    assert done.ok and done.truncated
    if heard:
        assert count == 50_000_004 and done.stdout.endswith("oend\n")


def test_little_that_is_heard_is_kept_whole():
    done = LocalConnection().run(script("echo out; echo err >&2"), on_output=lambda part: None)
    assert (done.stdout, done.stderr, done.truncated) == ("out\n", "err\n", False)


def test_a_listener_s_defect_reaches_who_runs_the_command():
    def hear(part: bytes) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        LocalConnection().run(script("head -c 5000000 /dev/zero"), timeout=60, on_output=hear)
