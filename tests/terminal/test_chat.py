"""A person talks to a service on a real terminal: as it comes, stopped, in Chinese, and with it gone.

What docs/how-to/chat.md shows of it.
"""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from subprocess import PIPE, STDOUT

from tests import forked
from tests.slow_talker import talking
from tests.terminal.screen import CTRL_C, CTRL_D, terminal


def asks_again(shown) -> None:
    """Wait until the cursor stands behind a prompt."""
    shown.when(
        lambda: re.fullmatch(r"(\[.*\] )?>", shown.screen.display[shown.screen.cursor.y].strip()), "a prompt"
    )


def test_a_conversation_as_a_person_has_it(tmp_path: Path):
    with talking() as talker, terminal(forked.LINGCTL, "chat", "--url", talker.url, cwd=tmp_path) as shown:
        shown.until(r"ling-test at http.*/quit")
        # Streaming: each piece is shown before the next is there.
        shown.press("你是谁？\r")
        talker.says({"reasoning_content": "someone asks"})
        shown.until("someone asks")
        talker.says("我是")
        shown.until("我 ?是")
        talker.says("灵\x1b[2J")
        shown.until(r"灵 ?\\x1b\[2J")
        talker.ends()
        shown.until(r"^\[\d+\.\d\d s, [\d.]+ tokens/s\] >")
        assert talker.asked[0]["messages"] == [{"role": "user", "content": "你是谁？"}]
        # Ctrl-C ends the answer, at the service too, and not the program; what was said is remembered.
        asks_again(shown)
        shown.press("count\r")
        talker.says("one two")
        shown.until("one two")
        shown.press(CTRL_C)
        shown.until("^stopped")
        shown.when(talker.left.is_set, "the service is left alone")
        roles = [message["role"] for message in talker.asked[1]["messages"]]
        assert roles == ["user", "assistant", "user"]
        # A service that dies in the middle is told, and it can be asked again.
        asks_again(shown)
        shown.press("again\r")
        talker.says("three")
        shown.until("three")
        talker.breaks()
        shown.until("closed: the answer ends early")
        shown.until("^fix: ")
        assert talker.asked[2]["messages"][3] == {"role": "assistant", "content": "one two"}
        # What is kept, and what is forgotten.
        asks_again(shown)
        shown.press("/save talk.json\r")
        shown.until("saved: talk.json")
        shown.press("/save talk.json\r")
        shown.until("is there already")
        shown.press("/reset\r")
        shown.until("forgotten")
        shown.press("two \\\rlines\r")
        talker.says("yes")
        talker.ends()
        shown.until("^yes")
        assert talker.asked[3]["messages"] == [{"role": "user", "content": "two \nlines"}]
        asks_again(shown)
        # Ctrl-C with nothing under way ends nothing, Ctrl-D does.
        shown.press(CTRL_C)
        shown.until("/quit or Ctrl-D ends the chat")
        asks_again(shown)
        shown.press("/nonsense\r")
        shown.until("no such command")
        asks_again(shown)
        shown.press(CTRL_D)
        assert shown.end() == 0
    saved = tmp_path / "talk.json"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    told = json.loads(saved.read_text())
    assert [message["content"] for message in told["messages"]][:2] == ["你是谁？", "我是灵\x1b[2J"]


def test_what_is_piped_may_be_in_another_encoding(tmp_path: Path):
    with talking() as talker:
        for verb in ("ask", "chat"):
            talker.says("yes")
            talker.ends()
            piped = tmp_path / "question"
            piped.write_bytes("好吗\n".encode("gbk"))
            with (
                piped.open("rb") as question,
                forked.start(
                    verb, "--url", talker.url, stdin=question, stdout=PIPE, stderr=STDOUT, cwd=tmp_path
                ) as process,
            ):
                said = process.communicate()[0]
            assert (process.returncode, said) == (0, b"yes\n")
        assert "\ufffd" in talker.asked[0]["messages"][0]["content"]


def test_a_script_asks(tmp_path: Path):
    with talking() as talker:
        talker.says({"reasoning_content": "hm"}, "I am ", "Ling")
        talker.ends()
        ask = ("ask", "--url", talker.url)
        options = ("--system", "Be short.", "--max-tokens", "9", "-")
        done = forked.run(*ask, *options, stdin="Who?\n", cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "I am Ling\n", "")
        asked = talker.asked[0]
        assert asked["messages"][0] == {"role": "system", "content": "Be short."}
        assert asked["messages"][1] == {"role": "user", "content": "Who?"}
        assert asked["max_tokens"] == 9
        assert "temperature" not in asked
        talker.says("half of")
        talker.breaks()
        done = forked.run(*ask, "--json", "Who?", cwd=tmp_path)
        assert done.returncode == 1
        assert json.loads(done.stdout)["code"] == "no-answer"
        # Without a terminal, chat takes each line for a question, and a failed answer is an error.
        talker.says("one")
        talker.ends()
        talker.breaks()
        done = forked.run("chat", "--url", talker.url, stdin="a\nb\n", cwd=tmp_path)
        assert done.returncode == 1
        assert done.stdout == "one\n"
        assert "error: " in done.stderr


def test_what_stands_before_an_answer_on_its_line_stays(tmp_path: Path):
    with talking() as talker:
        talker.says("I am Ling")
        talker.ends()
        asks = f"printf 'it says: '; {forked.LINGCTL} ask --url {talker.url} Who"
        with terminal("/bin/sh", "-c", asks, cwd=tmp_path) as shown:
            shown.until("^it says: I am Ling")


def test_thoughts_in_the_text_of_an_answer_are_no_answer(tmp_path: Path):
    """Of services without a parser for them; the second is a model whose template opens the thoughts."""
    with talking() as talker:
        ask = ("ask", "--url", talker.url)
        for pieces in (
            ("<thi", "nk>hm", "</think>\n\n", "I am ", "Ling"),
            ("hm\n", "</think>\n", "\nI am Ling"),
        ):
            talker.says(*pieces)
            talker.ends()
            done = forked.run(*ask, "Who?", cwd=tmp_path)
            assert (done.returncode, done.stdout, done.stderr) == (0, "I am Ling\n", "")
        for words, told in (("--raw", "hm\n</think>\n\nyes\n"), ("--json", "yes")):
            talker.says("hm\n", "</think>\n\n", "yes")
            talker.ends()
            said = forked.run(*ask, words, "Who?", cwd=tmp_path).stdout
            assert (json.loads(said)["answer"] if words == "--json" else said) == told
        with terminal(forked.LINGCTL, "chat", "--url", talker.url, cwd=tmp_path) as shown:
            asks_again(shown)
            shown.press("Who?\r")
            talker.says("so they\n", "ask\n", "</think>\n")
            shown.until("these were thoughts")
            talker.says("\n", "Ling")
            talker.ends()
            shown.until("^Ling")
            asks_again(shown)
            shown.press("And?\r")
            talker.says("<think>", "I write <think> where")
            shown.until("I write <think> where")
            talker.ends()
            asks_again(shown)
            shown.press("/quit\r")
            assert shown.end() == 0
        assert talker.asked[-1]["messages"][1] == {"role": "assistant", "content": "Ling"}
