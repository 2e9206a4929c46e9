"""Lines of a stream, however it is cut, and however long one is."""

from __future__ import annotations

from lingctl.remote.wire.lines import LineCutter


def test_lines_come_whole_however_they_are_cut_and_one_without_an_end_is_cut() -> None:
    lines: list[tuple[bytes, int]] = []
    split = LineCutter(lambda line, left_out: lines.append((line, left_out)), 65_536)
    for part in (b"a", b"b\nc\n\nd", b"", b"\n"):
        split(part)
    assert lines == [(b"ab", 0), (b"c", 0), (b"", 0), (b"d", 0)]
    lines.clear()
    for _ in range(1000):
        split(b"x" * 10_000)
    assert not lines
    split(b"\nnext\n")
    assert lines == [(b"x" * 65_536, 10_000_000 - 65_536), (b"next", 0)]
