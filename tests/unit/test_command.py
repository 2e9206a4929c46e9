"""Quoting lives in one place: whatever a value holds, the shell sees one word."""

from __future__ import annotations

import subprocess

from hypothesis import given
from hypothesis import strategies as st

from lingctl.remote.command import Command, all_of, any_of, command, script, with_environment

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


def output(built: Command) -> bytes:
    return subprocess.run(["/bin/sh", "-c", built.text], capture_output=True, check=True).stdout


@given(words)
def test_a_word_stays_one_word(word: str):
    assert output(command("printf", "%s", word)) == word.encode()


@given(words, words)
def test_a_scripts_arguments_are_never_code(first: str, second: str):
    assert output(script('printf "%s|%s" "$1" "$2"', first, second)) == f"{first}|{second}".encode()


@given(words)
def test_an_environment_value_is_never_code(value: str):
    assert output(with_environment({"A": value}, command("printenv", "A"))) == value.encode() + b"\n"


def test_all_of_stops_at_the_first_failure():
    assert output(any_of(all_of(command("false"), command("echo", "no")), command("echo", "yes"))) == b"yes\n"
