"""Bytes of any packing, a block at a time."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tracemalloc

import pytest

from lingctl.flows.look.reading import blocks
from lingctl.flows.look.reading.blocks import BlockReader, DamagedError

LINES = b"".join(b"line %d of a log\n" % number for number in range(20_000))
PACKERS = {"plain": bytes, "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("packing", PACKERS)
def test_lines_and_bytes_come_out_as_they_were_packed(packing: str):
    reader = BlockReader(io.BytesIO(PACKERS[packing](LINES)))
    assert reader.peek(4) == LINES[:4]
    found = []
    while line := reader.readline(1000):
        found.append(line)
    assert found == LINES.splitlines(keepends=True) and reader.tell() == len(LINES)
    reader = BlockReader(io.BytesIO(PACKERS[packing](LINES)))
    assert (reader.read(100_000), reader.peek(5)) == (LINES[:100_000], LINES[100_000:100_005])
    assert (reader.tell(), reader.readline(3)) == (100_000, LINES[100_000:100_003])
    assert reader.read(1 << 30) == LINES[100_003:] and reader.read(1) == reader.peek(1) == b""


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "xz"])
def test_streams_behind_one_another_are_one_and_what_is_none_is_passed_over(packing: str):
    pack = PACKERS[packing]
    packed = pack(LINES) + pack(b"the end\n") + bytes(512) + b"no stream"
    assert BlockReader(io.BytesIO(packed)).read(1 << 30) == LINES + b"the end\n"


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "xz"])
@pytest.mark.parametrize("hurt", ["cut", "changed"])
def test_what_is_damaged_is_said_to_be(packing: str, hurt: str):
    packed = bytearray(PACKERS[packing](LINES))
    if hurt == "cut":
        del packed[len(packed) // 2 :]
    else:
        packed[len(packed) // 2 :] = b"\xff" * (len(packed) - len(packed) // 2)
    reader = BlockReader(io.BytesIO(packed))
    with pytest.raises(DamagedError):
        reader.read(1 << 30)


def test_a_stream_that_wants_much_memory_is_refused():
    greedy = lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}])
    with pytest.raises(DamagedError):
        BlockReader(io.BytesIO(greedy)).read(1)


def test_a_bomb_is_given_up_and_costs_no_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(blocks, "MOST_UNPACKED", 20_000_000)
    reader = BlockReader(io.BytesIO(gzip.compress(bytes(30_000_000))))
    tracemalloc.start()
    with pytest.raises(DamagedError, match="longer"):
        while reader.read(1 << 20):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000
