import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingctl.errors import UsageError
from lingctl.serving.endpoint import API_KEY_VARIABLE, Address, Endpoint, address_of, endpoint_at
from lingctl.serving.faults import fault_of, of_the_request, words_in_stream
from lingctl.serving.http.answers import Piece, Usage, parse_object
from lingctl.serving.http.api import CHAT, COMPLETIONS, INFER, Ask, no_stream, parse_answer, parse_event
from lingctl.serving.http.client import Client
from lingctl.serving.http.thoughts import Thinking, apart
from lingctl.serving.remedies import CLUSTER, advice_for
from lingctl.serving.smoke.nodes import daemon_finding, memory_findings
from lingctl.serving.trouble import ExchangeTrouble, http_trouble


def event(dialect, data):
    return parse_event(dialect, json.dumps(data).encode())


def test_a_token_whose_text_is_none_has_no_text():
    assert event(INFER, {"token": {"text": [None]}}) == event(INFER, {"token": {"text": None}}) == Piece()


def test_vllm_last_chunk_holds_only_usage():
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert event(CHAT, {"choices": [], "usage": usage}) == Piece(usage=Usage(3, 4, 7))


def test_reasoning_chunks_have_no_content():
    found = event(CHAT, {"choices": [{"delta": {"reasoning_content": "hm", "content": None}}]})
    assert found == Piece(reasoning="hm")


def test_infer_last_event():
    data = {
        "token": {"text": None},
        "generated_text": "ab",
        "details": {"finish_reason": "length", "generated_tokens": 2},
    }
    assert event(INFER, data) == Piece("", "length", Usage(None, 2, None), "ab", last=True)


@pytest.mark.parametrize("data", [{}, {"choices": [{"delta": {"content": 5}}]}, {"choices": "no"}])
def test_other_shapes_are_malformed(data):
    found = event(CHAT, data)
    assert isinstance(found, ExchangeTrouble)
    assert found.kind == "malformed"


def test_an_error_inside_a_stream_is_told():
    found = event(COMPLETIONS, {"error": "Engine callback timeout", "error_type": "Incomplete Generation"})
    assert found == ExchangeTrouble("http", "Engine callback timeout", 0, "Incomplete Generation")
    assert "gave up" in CLUSTER.remedy(found)


@pytest.mark.parametrize(
    ("words", "kind", "text"),
    [
        ("Engine callback timeout: client timeout", "timeout", "Engine callback timeout: client timeout"),
        ("Failed to get engine response", "http", "Failed to get engine response"),
        ('{"error": "the engine is gone"}', "http", "the engine is gone"),
        ("Lorem ipsum", "malformed", "text in the place of an event: 'Lorem ipsum'"),
        ('{"choices": []}', "malformed", "text in the place of an event: '{\"choices\": []}'"),
    ],
)
def test_words_in_the_place_of_an_event(words, kind, text):
    told = words_in_stream(words)
    assert (told.kind, told.text) == (kind, text)


@pytest.mark.parametrize(
    ("status", "text", "fault", "own"),
    [
        (422, "temperature must be float type.", "request", True),
        (422, "Cannot find available tokenizer.", "tokenizers", False),
        (422, "Tokenizer decode wait sub process timeout.", "tokenizers", False),
        (422, "Cast buffer to header failed.", "tokenizers", False),
        (422, "Not found given model, please check modelName in config file.", "model", True),
        (404, "Model nope not found.", "model", True),
        (404, "", "path", True),
        (424, "Failed to enqueue inferRequest. Invalid Input Ids", "length", True),
        (424, "Failed to generate infer request", "engine", False),
        (424, "Failed to enqueue inferRequest. llmImpl is null ptr", "engine", False),
        (
            500,
            "Failed to enqueue inferRequest. Engine has been stopped. Cannot add request.",
            "stopping",
            False,
        ),
        (500, "Infer instance has been finalized or not initialized.", "stopping", False),
        (500, "Engine callback timeout: server tokenTimeout", "timeout", False),
        (500, "Failed to get engine response.", "engine", False),
        (500, "Service is abnormal", "abnormal", False),
        (503, "", "stopping", False),
        (503, "The service has been stopped", "stopping", False),
        (503, "Service is alive but busy. Consider reducing request frequency", "busy", False),
        (503, "no healthy upstream", "proxy", False),
        (429, "", "busy", False),
        (401, "Unauthorized", "key", True),
        (504, "", "proxy", False),
    ],
)
def test_an_error_is_judged_by_its_words_before_its_status(status, text, fault, own):
    trouble = http_trouble(status, json.dumps({"error": text}).encode() if text else b"")
    assert (fault_of(trouble), of_the_request(trouble)) == (fault, own)
    assert CLUSTER.remedy(trouble)


@pytest.mark.parametrize(
    ("endpoint", "never"),
    [
        (
            Endpoint("http://a"),
            ("lingctl logs", "lingctl status", "overlay", "serving.", "hosts.yaml", "HCCL"),
        ),
        (
            Endpoint("http://a", deployed=True),
            ("overlay", "max_input_tokens", "max_output_tokens", "MindIE", "HCCL"),
        ),
        (Endpoint("http://a", "http://a:1", deployed=True), ("read its own log",)),
    ],
)
def test_remedies_speak_of_what_there_is(endpoint, never):
    advice = advice_for(endpoint)
    told = [*advice.by_fault.values(), *advice.by_kind.values(), advice.usual, advice.name, advice.bad_answer]
    told += [advice.odd_end, advice.cut_short, advice.slow, advice.differs]
    assert not [(words, part) for words in told for part in never if part in words]


def test_not_json_is_told():
    deep = b"[" * 100_000
    assert isinstance(parse_object(deep), ExchangeTrouble)
    assert http_trouble(500, deep).text.startswith("[[[")
    assert isinstance(parse_object(b"<html>"), ExchangeTrouble)
    assert isinstance(parse_object(b"[]"), ExchangeTrouble)


@pytest.mark.parametrize(
    ("body", "text", "error_type"),
    [
        (b'{"error": "x", "error_type": "T"}', "x", "T"),
        (b'{"error": "x", "type": "T"}', "x", "T"),
        (b'{"error": {"message": "x", "type": "T"}}', "x", "T"),
        (b'{"object": "error", "message": "x", "type": "T"}', "x", "T"),
        (b'{"detail": "x"}', "x", ""),
        (b"Server internal error", "Server internal error", ""),
        (b"", "(empty body)", ""),
    ],
)
def test_errors_of_every_dialect(body, text, error_type):
    assert http_trouble(500, body) == ExchangeTrouble("http", text, 500, error_type)


def test_infer_is_never_sent_temperature_zero():
    assert INFER.body("m", Ask("a"), False)["parameters"]["temperature"] == 1


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://a", Address("http", "a", 80, "")),
        ("https://a/x/", Address("https", "a", 443, "/x")),
        ("http://[::1]:1025", Address("http", "::1", 1025, "")),
    ],
)
def test_urls(url, address):
    assert address_of(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a:80",
        "ftp://a",
        "http://a:x",
        "http://",
        "http://me:secret@a",
        "http://me:secret@a:x",
        "me:secret@a",
        "http://a..b",
        "http://a/\u00e9",
        f"http://{'a' * 64}",
        "http://a/v1?key=secret",
        "http://a/v1#secret",
    ],
)
def test_wrong_urls_are_usage_errors_without_secrets(url):
    with pytest.raises(UsageError) as caught:
        address_of(url)
    assert "secret" not in str(caught.value)


def test_the_key_is_taken_without_the_blanks_around_it(monkeypatch):
    monkeypatch.setenv(API_KEY_VARIABLE, "s3cret\n")
    assert endpoint_at("http://a").api_key == "s3cret"


@pytest.mark.parametrize("key", ["s3cret\r\nX-Other: 1", "s3cr\u00e9t", "s3c\x01ret"])
def test_a_key_that_cannot_be_in_a_header_is_refused_and_not_shown(key, monkeypatch):
    monkeypatch.setenv(API_KEY_VARIABLE, key)
    with pytest.raises(UsageError, match=API_KEY_VARIABLE) as caught:
        endpoint_at("http://a")
    assert "s3c" not in str(caught.value)


@pytest.mark.parametrize(
    ("management", "asked"),
    [("http://a:1026", "http://a:1026/v2/health/ready"), ("", "http://a:1025/health")],
)
def test_health_is_asked_where_the_service_has_it(management, asked, monkeypatch):
    urls = []

    def exchange(request, limits):
        urls.append(f"http://{request.address.host}:{request.address.port}{request.path}")
        return ExchangeTrouble("refused", "nobody")

    monkeypatch.setattr("lingctl.serving.http.client.exchange", exchange)
    Client(Endpoint("http://a:1025", management)).health()
    assert urls == [asked]


def test_v1_may_be_given_or_not():
    assert (
        endpoint_at("http://a:8000/v1/").service_url
        == "http://a:8000"
        == endpoint_at("http://a:8000").service_url
    )


def test_findings_about_nodes():
    told = [
        daemon_finding("n1", True),
        *memory_findings("n1", {0: 80.0, 1: None}),
        daemon_finding("n2", False, "exit status 137"),
        daemon_finding("n3", None, "no route"),
        daemon_finding("n4", True),
        *memory_findings("n4", {0: 93.6, 1: 95.2}),
        daemon_finding("n5", True),
        *memory_findings("n5", {}, "the tool is not there"),
        daemon_finding("n6", True),
        *memory_findings("n6", {0: 4.0, 1: 90.0}),
    ]
    found = [(f.check, f.where, f.verdict.word) for f in told]
    assert found == [
        ("daemon", "n1", "pass"),
        ("memory", "n1 card 1", "unknown"),
        ("daemon", "n2", "failure"),
        ("daemon", "n3", "unknown"),
        ("daemon", "n4", "pass"),
        ("memory", "n4", "pass"),
        ("daemon", "n5", "pass"),
        ("memory", "n5", "unknown"),
        ("daemon", "n6", "pass"),
        ("memory", "n6 card 0", "failure"),
    ]
    assert told[5].message == "94 to 95 % in use on each of 2 cards"


_WORDS = """
choices delta message content text error code msg error_code error_msg base_resp status_code status_msg usage
prompt_tokens completion_tokens total_tokens completion_tokens_details reasoning_tokens type object data id
finish_reason reasoning_content tool_calls function name arguments index success detail full_text token
generated_text details thinking
"""
_NAMES = st.sampled_from(_WORDS.split())
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 1 << 70) | st.floats() | st.text(max_size=5) | _NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=25,
)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(_NAMES, _VALUES, max_size=6), st.sampled_from([CHAT, COMPLETIONS, INFER]))
def test_whatever_json_a_service_sends_is_a_piece_or_a_trouble(data, dialect):
    payload = json.dumps(data).encode()
    thinking = Thinking()
    for read in (parse_event, parse_answer):
        found = read(dialect, payload)
        assert isinstance(found, Piece | ExchangeTrouble)
        if isinstance(found, Piece):
            apart(found)
            thinking.tell(found)
        else:
            assert fault_of(found) and CLUSTER.remedy(found) and len(str(found)) < 2000
    thinking.end()
    for trouble in (no_stream("", payload), http_trouble(503, payload), words_in_stream(payload.decode())):
        assert fault_of(trouble) and len(str(trouble)) < 2000
