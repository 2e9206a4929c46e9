"""No request kills or hangs the emulated service, but the one that kills the real one."""

from __future__ import annotations

import itertools
import json
import random
import socket

import pytest

from lingctl.sandbox.engine.http.ports import connections, in_the_way
from tests.contract.replay import Answer, is_open, send
from tests.engine_node import EngineNode, address, tiny, wait_until

PATHS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/infer",
    "/infer_token",
    "/generate",
    "/generate_stream",
    "/",
    "/v2/models/bailing_moe/generate",
    "/v2/models/bailing_moe/generate_stream",
    "/v2/models/bailing_moe/infer",
    "/v2/models/bailing_moe/stopInfer",
    "/v1/tokenizer",
    "/nowhere",
)
FIELDS = [
    "model",
    "messages",
    "prompt",
    "inputs",
    "input_id",
    "text_input",
    "id",
    "parameters",
    "stream",
    "max_tokens",
    "max_new_tokens",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
    "seed",
    "repetition_penalty",
    "frequency_penalty",
    "presence_penalty",
    "n",
    "best_of",
    "use_beam_search",
    "stop_token_ids",
    "include_stop_str_in_output",
    "skip_special_tokens",
    "ignore_eos",
    "logprobs",
    "top_logprobs",
    "tools",
    "tool_choice",
    "response_format",
    "chat_template",
    "chat_template_kwargs",
    "details",
    "do_sample",
    "watermark",
    "truncate",
    "decoder_input_details",
    "return_full_text",
    "adapter_id",
    "batch_size",
    "priority",
    "timeout",
    "outputs",
    "do_decode",
]
MESSAGE = {"role": "user", "content": "Hi"}
TENSOR = {"name": "a", "shape": [1, 2], "datatype": "UINT32", "data": [1, 2]}
VALUES = (
    None, True, False, 0, 1, 2, -1, 3, 10**30, 2**63, 2**64, -(2**63), 0.5, -0.0, 1e-320, 1e300, 3.5e38, 1e15,
    "", "x", "Hi", "bailing_moe", "{{ messages }}", "{% for x in y %}", "{{ 1/0 }}", "/etc", "[{}]", "[1]",
    "\x00", "🙂", "naïve 灵", [], [0], [1, 2, 3], [-1], [2**40], [-(2**63)], ["a"], [[]], [None], {},
    [MESSAGE], [{"role": 5, "content": "x"}], [{"role": "user", "content": [{"type": "text", "text": 5}]}],
    [{"role": "assistant", "tool_calls": [{}]}], [{"role": "tool", "content": "x", "tool_call_id": "a"}],
    [{"type": "text", "text": "x"}], [{"type": "image_url", "image_url": {"url": "http://x"}}], {"a": 1},
    {"type": "json_object"}, {"enable_thinking": True, "thinking_budget": 5}, {"max_new_tokens": 3}, [TENSOR],
    [{"type": "function", "function": {"name": "f"}}], [{"name": "output0"}],
)  # fmt: skip
GOOD = {
    "model": "bailing_moe",
    "messages": [MESSAGE],
    "prompt": "Hi",
    "text_input": "Hi",
    "max_tokens": 3,
}
RAW = (
    b"", b" ", b"[", b"}", b"null", b"5", b'"x"', b"[]", b"{}", b"\xff\xfe", b'{"a":NaN}', b'{"a":1e400}',
    b'{"a":' + b"9" * 5000 + b"}", b'{"a":"\\ud83d"}', b'{"a":"\\ud83d\\ude00"}', b"\xef\xbb\xbf{}",
    b"[" * 20_000 + b"]" * 20_000, b"[" * 20_000, b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    b'{"model":"bailing_moe","messages":[{"role":"user","content":"\\ud800"}]}',
)  # fmt: skip


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = EngineNode(tmp_path_factory.mktemp("odd"), "3.0.0", tiny("lite"), address(33), cards=1)
    node.add_overlay()
    node.configure(tokenizerProcessNumber=2, maxIterTimes=12)
    yield node
    node.close()


@pytest.fixture
def serving(node):
    """The node, started anew where it has ended."""
    if node.process is None or node.process.poll() is not None:
        # A start is refused while a connection that the service closed first is in TIME_WAIT.
        ports = range(node.port, node.port + 3)
        scale = json.loads(node.site_path.read_text())["time_scale"]
        wait_until(lambda: not any(in_the_way(port, (node.address,), connections(), scale) for port in ports))
        node.start()
        node.wait_healthy()
    return node


def post(node: EngineNode, path: str, body: bytes) -> Answer:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = send((node.address, node.port), head.encode() + body, seconds=60)
    assert answer.link is not None
    answer.link.close()
    return answer


def odd_bodies(count: int) -> list[tuple[str, bytes]]:
    """Bodies that are right but for a few fields, the same in each run."""
    draw = random.Random(20261128)
    bodies = [(path, raw) for path in PATHS for raw in RAW]
    for path in itertools.islice(itertools.cycle(PATHS), count):
        body: dict[str, object] = dict(GOOD) if draw.random() < 0.8 else {}
        if draw.random() < 0.6:
            body["inputs"] = [TENSOR] if path.endswith("/infer") and path != "/infer" else "Hi"
            body["outputs"] = [{"name": "o"}]
        if "generate" in path and draw.random() < 0.7:
            body.pop("prompt", None)
        rules: dict[str, object] = {"max_new_tokens": 3}
        for _ in range(draw.randint(1, 4)):
            target = rules if draw.random() < 0.5 else body
            target[draw.choice(FIELDS)] = draw.choice(VALUES)
        body.setdefault("parameters", rules)
        bodies.append((path, json.dumps(body).encode()))
    return bodies


def test_hundreds_of_odd_requests_are_all_answered_and_the_service_goes_on(serving):
    statuses: dict[str, int] = {}
    for path, body in odd_bodies(300):
        answer = post(serving, path, body)
        assert answer.line, (path, body[:300])
        statuses[answer.line] = statuses.get(answer.line, 0) + 1
    known = (
        "200 OK",
        "404 Not Found",
        "422 Unprocessable Content",
        "424 Failed Dependency",
        "500 Internal Server Error",
    )
    assert {line.removeprefix("HTTP/1.1 ") for line in statuses} <= set(known), statuses
    assert statuses["HTTP/1.1 200 OK"] > 50, statuses
    assert serving.chat("Hi", max_tokens=3)[1]["choices"][0]["message"]["content"] == "Hello! How"
    assert "Traceback" not in serving.text


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"POST /infer HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /infer HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        bytes(range(256)) + b"\r\n",
    ],
    ids=lambda data: data[:40].decode("latin-1"),
)
def test_what_is_no_request_gets_a_bare_status(serving, data):
    answer = send((serving.address, serving.port), data)
    assert answer.line in ("HTTP/1.1 400 Bad Request", "HTTP/1.1 414 URI Too Long"), answer
    assert answer.body == ""
    answer.link.close()


def test_a_client_that_goes_away_leaves_no_trace(serving):
    for number in range(20):
        with socket.create_connection((serving.address, serving.port)) as link:
            body = json.dumps({"inputs": "Hi", "stream": True, "parameters": {"max_new_tokens": 4000}})
            head = f"POST /infer HTTP/1.1\r\nContent-Length: {len(body) + number % 2}\r\n\r\n"
            link.sendall(head.encode() + body.encode())
    assert serving.chat("Hi", max_tokens=3)[0] == 200


def test_two_requests_in_one_piece_are_answered_in_order(serving):
    two = b"GET /v2 HTTP/1.1\r\n\r\n" * 2
    with socket.create_connection((serving.address, serving.port), timeout=10) as link:
        link.sendall(two)
        said = b""
        while said.count(b'"MindIE Server"') < 2:
            said += link.recv(4096)
    assert said.count(b"HTTP/1.1 200 OK\r\n") == 2


def test_a_large_body_that_is_called_a_form_is_too_large(serving):
    kind = "Content-Type: application/x-www-form-urlencoded"
    head = f"POST /infer HTTP/1.1\r\n{kind}\r\nContent-Length: 9000\r\n\r\n"
    answer = send((serving.address, serving.port), head.encode() + b" " * 9000)
    assert answer.line == "HTTP/1.1 413 Payload Too Large"
    assert is_open(answer)


def test_texts_that_take_too_long_block_the_tokenizers_one_by_one(serving):
    long = "a" * (5 * 1024 * 1024)
    for _ in range(2):
        status, body = serving.chat(long)
        assert (status, body["error"]) == (422, "Tokenizer encode wait sub process timeout.")
    status, body = serving.chat("Hi")
    assert (status, body["error"]) == (422, "Cannot find available tokenizer.")
    assert serving.call("/v2/models/bailing_moe/ready", port=serving.port + 1)[0] == 200
    serving.close()


@pytest.mark.parametrize(
    ("path", "change", "kind"),
    [
        ("/v1/chat/completions", {"stop": [1]}, "number"),
        ("/v1/completions", {"stop": ["x", None]}, "null"),
        ("/generate_stream", {"inputs": "Hi", "parameters": {"stop": [["x"]]}}, "array"),
    ],
)
def test_a_stop_list_with_anything_but_text_ends_the_service(serving, path, change, kind):
    answer = post(serving, path, json.dumps({**GOOD, **change}).encode())
    assert answer.line == ""
    assert serving.wait_end() == 134
    thrown = "terminate called after throwing an instance of 'nlohmann::json_abi_v3_11_2::detail::type_error'"
    what = f"  what():  [json.exception.type_error.302] type must be string, but is {kind}"
    lines = serving.text.splitlines()
    at = lines.index(thrown)
    assert lines[at + 1] == what
    assert any("Received exit signal[6]" in line for line in lines[at:])


def test_where_stop_is_not_read_or_refused_before_it_does_no_harm(serving):
    assert post(serving, "/infer", b'{"inputs":"Hi","parameters":{"stop":[1],"max_new_tokens":2}}').body
    refused = post(serving, "/v1/chat/completions", json.dumps({**GOOD, "stop": ["", 1]}).encode())
    assert "`stop` must be list[string] if list" in refused.body
    assert serving.process.poll() is None
