import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingctl.serving.http.answers import Piece
from lingctl.serving.http.api import CHAT
from lingctl.serving.http.events import EventReader
from lingctl.serving.http.sse import LARGEST_EVENT, MalformedStream, SseParser
from lingctl.serving.trouble import ExchangeTrouble


def events(data):
    parser = SseParser()
    return parser.feed(data), parser


def test_with_and_without_space():
    found, parser = events(b'data: {"a":1}\n\ndata:{"b":2}\n\ndata: [DONE]\n\n')
    assert found == [b'{"a":1}', b'{"b":2}']
    assert parser.done
    parser.close()


def test_comments_other_fields_and_joined_lines():
    found, _ = events(b": ping\n\nevent: x\nid: 1\ndata: a\ndata: b\n\n\n\ndata: c\n\n")
    assert found == [b"a\nb", b"c"]


def test_only_one_space_is_taken():
    assert events(b"data:  a\n\n")[0] == [b" a"]


@pytest.mark.parametrize("bad", [b"oops\n\n", b"<html>\n\n", b'{"a":1}\n\n', b"data: a\nnonsense\n\n"])
def test_other_lines_are_malformed(bad):
    with pytest.raises(MalformedStream):
        events(bad)


def test_nothing_may_follow_done():
    with pytest.raises(MalformedStream, match="after"):
        events(b"data: [DONE]\n\ndata: a\n\n")


def test_an_end_inside_an_event_is_told():
    _, parser = events(b'data: a\n\ndata: {"x')
    with pytest.raises(MalformedStream, match="inside"):
        parser.close()


@pytest.mark.parametrize("rest", [b"", b"d", b"data", b'data: {"x', b": pi", b"event: x", b"\n"])
def test_a_torn_event_is_not_taken_for_words(rest):
    assert events(b"data: a\n\n" + rest)[1].words() == ""


def test_plain_words_in_the_place_of_an_event_can_be_read():
    assert events(b"data: a\n\nEngine callback timeout: client timeout")[1].words() == (
        "Engine callback timeout: client timeout"
    )


def test_an_event_without_end_is_not_kept_for_ever():
    parser = SseParser()
    with pytest.raises(MalformedStream, match="more than"):
        for _ in range(2 * LARGEST_EVENT >> 16):
            parser.feed(b"data: ".ljust(1 << 16, b"x"))


@given(
    payloads=st.lists(st.text("abc {}é", min_size=1, max_size=8).filter(lambda t: t[0] != " "), max_size=6),
    newline=st.sampled_from(["\n", "\r\n"]),
    space=st.sampled_from(["", " "]),
    data=st.data(),
)
def test_cuts_between_segments_do_not_matter(payloads, newline, space, data):
    wire = "".join(f"data:{space}{p}{newline}{newline}" for p in payloads).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=5)))
    parser, found = SseParser(), []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        found += parser.feed(wire[start:end])
    parser.close()
    assert found == [p.encode() for p in payloads]


@pytest.mark.parametrize(
    "behind", [b"oops\n\n", b"data: " + b"x" * LARGEST_EVENT], ids=["garbage", "endless"]
)
def test_what_came_before_something_else_is_told_however_the_stream_is_cut(behind):
    event = b'data: {"choices": [{"delta": {"content": "I am"}}]}\n\n'
    told = EventReader(CHAT).feed(event + behind)
    assert [piece.text for piece in told if isinstance(piece, Piece)] == ["I am"]
    assert [piece.kind for piece in told if isinstance(piece, ExchangeTrouble)] == ["malformed"]
    refused = EventReader(CHAT).feed(event + b'data: {"error": {"message": "gone"}}\n\n' + behind)
    assert str(refused[-1]) == "error in the stream: gone" and len(refused) == 2
