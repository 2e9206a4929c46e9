"""The audit log as a journal: what an interrupted run has done and has not."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingctl.release.journal import (
    ChangeRun,
    begin_line,
    end_line,
    journal_command,
    read_journal,
    step_line,
    unfinished,
)
from lingctl.remote.completed import Completed
from lingctl.remote.local import LocalConnection

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


def test_a_line_that_cannot_be_read_after_the_last_run_is_one_of_which_nothing_is_known() -> None:
    other = ChangeRun("cd34", "lingctl stop", "root@ops2")
    cut = begin_line(other, NOW, ["stop"])[:40]
    ended = end_line(RUN, NOW, "done")
    found = read(BEGIN, ended, cut)
    assert found is not None
    assert (found.run.id, "not known what it did" in found.description) == ("", True)
    assert cut[:20] in found.description
    assert read(cut) is not None
    # What is found complete later closes it, and so does any run that ends well.
    assert read(BEGIN, ended, cut, end_line(found.run, NOW, "done", "found complete by a later run")) is None
    assert read(BEGIN, ended, cut, begin_line(other, NOW, ["stop"]), end_line(other, NOW, "done")) is None
    assert read(cut, BEGIN, ended) is None
    assert read(cut, ended) is None


def test_lines_of_a_run_that_cannot_be_read_are_counted() -> None:
    cut = step_line(RUN, NOW, "write config.json", "done")[:30]
    found = read(BEGIN, cut, cut)
    assert found is not None
    assert "2 lines of its log cannot be read, so that more may be done" in found.description
    assert "cannot be read" not in (read(BEGIN) or found).description


def _shown(log: Path, lines: int = 50) -> Completed:
    return LocalConnection("node1").run(journal_command(str(log), lines))


def test_the_last_lines_of_both_logs_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    assert (_shown(log).exit_status, _shown(log).stdout) == (0, "")
    log.write_text("c\nd\n")
    assert _shown(log).stdout.split() == ["c", "d"]
    (tmp_path / "audit.log.1").write_text("a\nb\n")
    assert _shown(log).stdout.split() == ["a", "b", "c", "d"]
    assert _shown(log, 3).stdout.split() == ["b", "c", "d"]
    log.unlink()
    assert _shown(log).stdout.split() == ["a", "b"]


@pytest.mark.parametrize("name", ["audit.log", "audit.log.1"])
def test_a_log_that_cannot_be_read_is_not_an_empty_one(name: str, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to(name)
    assert _shown(tmp_path / "audit.log").exit_status
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    assert _shown(tmp_path / "audit.log").exit_status
