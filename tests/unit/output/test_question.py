"""A question from standard input: what it is, and that it has an end."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from lingctl.errors import UsageError
from lingctl.output.verbs.chat import ChatTerminal, read_question


class _Piped:
    """Standard input that gives so many letters; to ask for all of an endless one is a failure."""

    def __init__(self, letters: int | None) -> None:
        self._letters = letters

    def isatty(self) -> bool:
        return False

    def read(self, size: int = -1) -> str:
        assert size >= 0, "a stream may have no end"
        return "x" * (size if self._letters is None else min(size, self._letters))

    def readline(self, size: int = -1) -> str:
        return self.read(size)


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    return lambda letters: monkeypatch.setattr(sys, "stdin", _Piped(letters))


def test_a_question_is_taken_from_standard_input_where_none_is_typed(piped):
    piped(5)
    assert (read_question(""), read_question("-"), read_question("typed")) == ("xxxxx", "xxxxx", "typed")


@pytest.mark.parametrize(("letters", "code"), [(0, "no-question"), (None, "question-too-long")])
def test_no_question_and_one_without_end_are_refused(piped, letters: int | None, code: str):
    piped(letters)
    with pytest.raises(UsageError) as refused:
        read_question("-")
    assert refused.value.code == code


@pytest.mark.parametrize("line", ["x", "x\\\n"], ids=["one line", "lines that go on"])
def test_a_question_of_a_chat_has_an_end_too(monkeypatch: pytest.MonkeyPatch, line: str):
    class Endless(_Piped):
        def readline(self, size: int = -1) -> str:
            assert size > 0, "a stream may have no end"
            return (line * 100_000)[:size] if line == "x" else line[:size]

    monkeypatch.setattr(sys, "stdin", Endless(None))
    monkeypatch.setattr("lingctl.output.verbs.chat._LONGEST", 10_000)
    with pytest.raises(UsageError) as refused:
        ChatTerminal().question("")
    assert refused.value.code == "question-too-long"
