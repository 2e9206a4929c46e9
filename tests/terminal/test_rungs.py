"""smoke-test on a terminal: each rung is told once, and those that were not reached in a sentence."""

from __future__ import annotations

from pathlib import Path

from tests.forked import LINGCTL, run
from tests.serving_server import Serving, serve
from tests.terminal.screen import left_in_order, terminal


def test_each_rung_stands_there_once():
    with serve(Serving()) as url, terminal(LINGCTL, "smoke-test", "--url", url, size=(80, 40)) as shown:
        assert shown.end() == 0, str(shown)
        left_in_order(shown)
        text = "\n".join(shown.screen.whole)
        assert text.count("reads as an answer") == 1
        assert text.count("well-formed events") == 1


def test_rungs_that_were_not_reached_are_one_sentence_that_breaks_between_words():
    with terminal(LINGCTL, "smoke-test", "--url", "http://127.0.0.1:9", size=(80, 40)) as shown:
        assert shown.end() == 4, str(shown)
        lines = [line.rstrip() for line in shown.screen.whole]
    begun = next(number for number, line in enumerate(lines) if line.startswith("unknown: tls, health,"))
    assert lines[begun : begun + 2] == [
        "unknown: tls, health, models, generate, answer, finish, tokens, repeat, stream,",
        "first-token, bad-request (not reached: port failed)",
    ]
    assert sum("does not answer" in line for line in lines) == 2  # in the table, and with what to do
    assert not any(line.startswith("rung:") for line in lines)


def test_where_the_answer_goes_elsewhere_each_rung_is_still_said(tmp_path: Path):
    kept = tmp_path / "report"
    with serve(Serving()) as url:
        command = f'"$0" smoke-test --url {url} > "$1"'
        with terminal("sh", "-c", command, LINGCTL, kept, size=(80, 40)) as shown:
            assert shown.end() == 0, str(shown)
            assert shown.shows("✓ answer reads as an answer")
    assert "reads as an answer" in kept.read_text()


def test_in_a_pipe_each_rung_is_a_row_and_a_line_of_progress():
    done = run("smoke-test", "--url", "http://127.0.0.1:9")
    assert "port FAILED 127.0.0.1:9 does not answer" in done.stderr
    [row] = [line for line in done.stdout.splitlines() if line.startswith("tls, health, ")]
    assert row.split()[-5:] == ["unknown", "not", "reached:", "port", "failed"]
