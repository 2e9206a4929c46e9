"""The audit log as a journal: what an interrupted run has done and has not."""

from __future__ import annotations

from lingctl.release.journal import ChangeRun, begin_line, end_line, read_journal, step_line, unfinished

RUN = ChangeRun("ab12", "lingctl deploy", "root@ops1")
NOW = "2026-11-25T08:00:00Z"
BEGIN = begin_line(RUN, NOW, ["write config.json", "run container ling", "start the daemon"])


def read(*lines: str):
    return unfinished(read_journal("\n".join(lines)))


def test_a_run_that_ended_well_leaves_nothing():
    assert read(BEGIN, step_line(RUN, NOW, "write config.json", "done"), end_line(RUN, NOW, "done")) is None
    assert read() is None


def test_a_run_that_was_killed_tells_how_far_it_came():
    found = read(BEGIN, step_line(RUN, NOW, "write config.json", "done"))
    assert found is not None
    assert (found.done, found.left) == (("write config.json",), ("run container ling", "start the daemon"))
    assert found.description == (
        f"lingctl deploy by root@ops1 of {NOW} did not finish, after 'write config.json', "
        "not done: run container ling, start the daemon"
    )


def test_a_run_that_failed_tells_why():
    found = read(
        BEGIN,
        step_line(RUN, NOW, "write config.json", "failed", "a disk is full"),
        end_line(RUN, NOW, "failed", "a disk is full"),
    )
    assert found is not None
    assert "failed: a disk is full, before its first step" in found.description


def test_a_run_that_failed_and_was_found_complete_later_is_settled():
    failed = end_line(RUN, NOW, "failed", "no answer in time")
    assert read(BEGIN, failed) is not None
    assert read(BEGIN, failed, end_line(RUN, NOW, "done", "found complete by a later run")) is None


def test_only_the_last_run_counts():
    other = ChangeRun("cd34", "lingctl stop", "root@ops2")
    assert read(BEGIN, begin_line(other, NOW, ["stop"]), end_line(other, NOW, "done")) is None
    found = read(begin_line(other, NOW, ["stop"]), end_line(other, NOW, "done"), BEGIN)
    assert found is not None and found.run == RUN


def test_a_line_that_was_cut_short_is_passed_over():
    cut = step_line(RUN, NOW, "write config.json", "done")[:30]
    found = read("not json", "[1]", BEGIN, cut)
    assert found is not None and found.done == ()


def test_lines_that_are_no_entries_are_named_and_change_nothing() -> None:
    begin = begin_line(RUN, "t1", ["a"])
    bad = ["[" * 100_000, "[1]", "null", '{"event": ["begin"], "run": "x"}', '{"event": "step", "run": "x"}']
    bad += [
        '{"event": "begin", "run": "x", "steps": 5}',
        '{"event": "end", "run": "x", "result": {}}',
        begin[:-9],
    ]
    entries = read_journal("\n".join([begin, *bad]))
    assert [entry["event"] for entry in entries] == ["begin", *["unreadable"] * len(bad)]
    assert all(len(str(entry)) < 300 for entry in entries)
    left = unfinished(entries)
    assert left is not None
    assert left.left == ("a",)
