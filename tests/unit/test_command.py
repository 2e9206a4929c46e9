"""Quoting lives in one place: whatever a value holds, the shell sees one word."""

from __future__ import annotations

import subprocess

from hypothesis import given
from hypothesis import strategies as st

from lingctl.remote.command import Command, command, script

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


def output(built: Command) -> bytes:
    return subprocess.run(["/bin/sh", "-c", built.text], capture_output=True, check=True).stdout


@given(words)
def test_a_word_stays_one_word(word: str):
    assert output(command("printf", "%s", word)) == word.encode()


@given(words, words)
def test_a_scripts_arguments_are_never_code(first: str, second: str):
    assert output(script('printf "%s|%s" "$1" "$2"', first, second)) == f"{first}|{second}".encode()
