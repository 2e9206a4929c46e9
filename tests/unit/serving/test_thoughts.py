"""Thoughts in the text of an answer: told apart by their tags, and texts that speak of tags left whole."""

from __future__ import annotations

import pytest

from lingctl.serving.http.answers import Piece
from lingctl.serving.http.api import CHAT, COMPLETIONS
from lingctl.serving.http.thoughts import Thinking, apart, thinking_for

FENCED = "Such a block:\n```\nhm\n</think>\nyes\n```\nis what it prints."
QUOTED = "It writes <think> first.\nThen, alone on a line,\n</think>\nand the answer."

# text of the service, why it ended, thoughts, answer
TEXTS = {
    "plain": ("Hello.", "stop", "", "Hello."),
    "opened": ("<think>\nHm.\n</think>\n\nHello.", "stop", "\nHm.\n", "Hello."),
    "blank before": ("\n<think>Hm.</think>Hello.", "stop", "Hm.", "Hello."),
    "no thoughts, as Qwen3": ("<think>\n\n</think>\n\nHello.", "stop", "\n\n", "Hello."),
    "Magistral": ("[THINK]Hm.[/THINK]Hello.", "stop", "Hm.", "Hello."),
    "Kimi-VL": ("◁think▷Hm.◁/think▷Hello.", "stop", "Hm.", "Hello."),
    "Seed": ("<seed:think>Hm.</seed:think>Hello.", "stop", "Hm.", "Hello."),
    "a tag within thoughts": ("<think>a < b, </thin, <b></think>Hi", "stop", "a < b, </thin, <b>", "Hi"),
    "opened by the template": ("Hm.\nYes.\n</think>\n\nHello.", "stop", "Hm.\nYes.\n", "Hello."),
    "closed at once": ("</think>\nHello.", "stop", "", "Hello."),
    "closed at the end": ("Hm.\n</think>", "stop", "Hm.\n", ""),
    "closed right behind": ("Hm. Yes.</think>\n\nHello.", "stop", "Hm. Yes.", "Hello."),
    "closed right behind, in Chinese": ("嗯，好。</think>\n\n你好。", "stop", "嗯，好。", "你好。"),
    "named at the end of a paragraph": (
        "It ends with </think>\n\nSo.",
        "stop",
        "",
        "It ends with </think>\n\nSo.",
    ),
    "in quotes there": ('It is "</think>\n\nSo.', "stop", "", 'It is "</think>\n\nSo.'),
    "behind a word, with no empty line": ("a</think>\nb", "stop", "", "a</think>\nb"),
    "behind a word at the end": ("a</think>", "stop", "", "a</think>"),
    "cut while it thinks": ("<think>\nHm, so", "length", "\nHm, so", ""),
    "cut in a tag": ("<think>Hm</thi", "length", "Hm</thi", ""),
    "never closed": (
        "<think> is a tag that models write.",
        "stop",
        "",
        "<think> is a tag that models write.",
    ),
    "closing tag in a sentence": ("The tag </think> ends it.", "stop", "", "The tag </think> ends it."),
    "closing tag in code": (FENCED, "stop", "", FENCED),
    "closing tag in code, at the end": ("```\n</think>", "stop", "", "```\n</think>"),
    "both tags, not at the start": (QUOTED, "stop", "", QUOTED),
    "quoted": ("`<think>` opens.", "stop", "", "`<think>` opens."),
    "begins like a tag": ("<thin ice>", "stop", "", "<thin ice>"),
    "ends like a tag": ("a\n</th", "stop", "", "a\n</th"),
    "another tag": ("<table>\n</table>\n", "stop", "", "<table>\n</table>\n"),
    "only a bracket": ("<", "stop", "", "<"),
}


def streamed(text, finish, size):
    """The thoughts and the answer of a stream with pieces of that size."""
    thinking, thoughts, answer = Thinking(), "", ""
    pieces = [Piece(text[at : at + size]) for at in range(0, len(text), size)]
    told = [*map(thinking.tell, [*pieces, Piece(finish_reason=finish)]), thinking.end()]
    for piece in told:
        if piece.afresh:
            thoughts = answer = ""
        thoughts, answer = thoughts + piece.reasoning, answer + piece.text
    assert all(one.has_tokens for one in told[: len(pieces)]), "a piece with tokens is taken for one without"
    return thoughts, answer


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(("text", "finish", "thoughts", "answer"), TEXTS.values(), ids=TEXTS)
def test_however_a_stream_is_cut_thoughts_and_answer_are_the_same(text, finish, thoughts, answer, size):
    assert streamed(text, finish, size) == (thoughts, answer)


@pytest.mark.parametrize(("text", "finish", "thoughts", "answer"), TEXTS.values(), ids=TEXTS)
def test_a_whole_answer_is_told_apart_alike(text, finish, thoughts, answer):
    told = apart(Piece(text, finish))
    assert (told.reasoning, told.text) == (thoughts, answer)
    assert told.inline == (answer != text)


def test_thoughts_that_the_service_tells_by_itself_leave_the_text_alone():
    thinking = Thinking()
    pieces = [Piece(reasoning="Hm."), Piece("Say\n"), Piece("</think>\n"), Piece("so.", "stop")]
    assert [thinking.tell(piece) for piece in pieces] == pieces
    assert thinking.end() == Piece()


def test_the_whole_text_in_a_last_event_is_told_apart_too():
    thinking = Thinking()
    thinking.tell(Piece("<think>Hm.</think>Hello."))
    assert thinking.tell(Piece(finish_reason="stop", whole="<think>Hm.</think>Hello.")).whole == "Hello."


def test_a_base_model_does_not_think():
    piece = Piece("<think>Hm.</think>Hello.")
    assert thinking_for(COMPLETIONS).tell(piece) == piece
    assert thinking_for(CHAT).tell(piece).text == "Hello."
