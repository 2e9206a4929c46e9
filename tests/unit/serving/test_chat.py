import pytest

from lingctl.flows.serve.chat import chat
from lingctl.output.verbs.chat import Silent
from lingctl.serving.chat import ChatOptions, Conversation
from lingctl.serving.endpoint import endpoint_at
from lingctl.serving.http.answers import Joiner, Piece, joined
from lingctl.serving.http.api import COMPLETIONS
from lingctl.serving.http.client import Client, StreamEvent
from lingctl.serving.http.streamed import Hearing, gather
from tests.serving_server import GOOD_BASE, GOOD_CHAT, Serving, serve
from tests.slow_talker import talking


def conversation(url, **options):
    return Conversation(Client(endpoint_at(url, served_name="bailing_moe")), ChatOptions(**options))


def test_turns_are_sent_along_and_figures_are_the_services():
    serving = Serving()
    with serve(serving) as url:
        talk = conversation(url, system="Be kind.", temperature=0.5, max_tokens=40)
        said = "".join(part.text for part in talk.ask("Who are you?"))
        assert said == talk.last.text == GOOD_CHAT
        assert talk.last.whole
        assert talk.last.usage and talk.last.tokens == talk.last.usage.completion
        list(talk.ask("And then?"))
    body = serving.requests[-1][1]
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "user"]
    assert (body["temperature"], body["max_tokens"], body["stream"]) == (0.5, 40, True)
    talk.forget()
    assert talk.as_json()["messages"] == [{"role": "system", "content": "Be kind."}]


def test_an_answer_that_is_left_in_the_middle_is_kept_as_far_as_it_came():
    with talking() as talker:
        talk = conversation(talker.url)
        talker.says("one ", "two ")
        parts = talk.ask("count")
        assert [next(parts).text, next(parts).text] == ["one ", "two "]
        parts.close()
        assert talker.left.wait(30)
    assert talk.turns[-1] == {"role": "assistant", "content": "one two "}
    assert not talk.last.whole


def test_a_turn_without_an_answer_is_forgotten():
    with serve(Serving("500")) as url:
        talk = conversation(url)
        assert list(talk.ask("Who are you?")) == []
        assert talk.last.trouble is not None
        assert talk.turns == ()


def test_a_model_that_cannot_chat_continues_the_text_where_that_was_left_open():
    with serve(Serving("no-template", mindie=False)) as url:
        client = Client(endpoint_at(url, served_name="bailing_moe"))
        closed = Conversation(client, ChatOptions())
        assert list(closed.ask("My name is")) == []
        assert closed.last.trouble is not None
        opened = Conversation(client, ChatOptions(), otherwise=COMPLETIONS)
        assert "".join(part.text for part in opened.ask("My name is")) == GOOD_BASE
        assert not opened.chats


@pytest.mark.parametrize("half", ["\udce4", "\udce4\udcb8"])
def test_a_character_that_the_whole_text_makes_whole_is_told_once(half):
    pieces = [Piece("ab"), Piece(half), Piece("", "stop", whole="ab中", last=True)]
    told = gather([*(StreamEvent(1.0, piece) for piece in pieces), StreamEvent(1.0, Piece(), done=True)])
    assert (told.text, told.trouble) == ("ab中", None)
    hearing = Hearing()
    shown = [part.text for piece in pieces for part in hearing.hear(StreamEvent(1.0, piece))]
    assert "".join([*shown, *(part.text for part in hearing.rest())]) == "ab中"


def test_a_call_is_told_beside_an_answer_that_is_told_anew():
    thoughts = Piece("Yes", reasoning="hm", tool_call="look()", afresh=True)
    told = gather([StreamEvent(1.0, Piece("hm")), StreamEvent(1.0, thoughts)])
    assert (told.reasoning, told.text, told.tool_call) == ("hm", "Yes", "look()")


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["a", "b"], "ab"),
        (["\ud83d", "\ude00!"], "😀!"),
        (["x\ud83d", "", "\udc80"], "x💀"),
        (["\udce4\udcbd", "\udca0好"], "你好"),
        (["\ud83d", "x"], "\ufffdx"),
        (["a", "\udcff", "b"], "a\ufffdb"),
    ],
)
def test_characters_that_were_cut_in_two_are_whole_again(pieces, text):
    joiner = Joiner()
    shown = "".join([*(joiner.feed(piece) for piece in pieces), joiner.end()])
    assert shown == joiner.told == text
    assert joined(pieces) == text
    shown.encode()


def test_a_conversation_that_cannot_be_saved_leaves_its_name_free(tmp_path, monkeypatch):
    file = tmp_path / "talk.json"

    class Saving(Silent):
        """Saves twice, and ends."""

        def __init__(self) -> None:
            self.lines, self.notes = [f"/save {file}"] * 2, []

        def question(self, figures: str) -> str:
            if not self.lines:
                raise EOFError
            return self.lines.pop()

        def note(self, text: str) -> None:
            self.notes.append(text.partition(":")[0])

    half, whole = Saving(), Saving()
    chat(conversation("http://127.0.0.1:1", system="half a character: \udc80"), half)
    assert half.notes == ["not saved"] * 2 and not file.exists()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr("lingctl.flows.serve.chat.write_file", interrupted)
        chat(conversation("http://127.0.0.1:1"), Saving())
    assert not file.exists()
    chat(conversation("http://127.0.0.1:1"), whole)
    assert whole.notes == ["saved", f"{file} is there already"]
    assert file.stat().st_mode & 0o777 == 0o600
