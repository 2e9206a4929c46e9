"""The emulated 3.0.0 leaves the console that the real one left in the same case: forms and key lines.

The judges are the captures, read here with a reader of the test's own: numbers, times, names and paths put
aside, no line of ours may have words that no capture has, and the lines that make a case what it is come in
the capture's order.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.words import request_log
from tests.engine_node import EngineNode, address, copied, join_world, tiny, wait_until

SAMPLES = Path(__file__).parents[2] / "../shared/samples/mindie-3.0.0"
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
FORMS = (
    re.compile(
        rf"\[{STAMP}\.\d{{6}}\] \[\d+\] \[\d+\] \[(?:server|llm)\] \[(?:INFO|WARN|ERROR)\] \[[\w.]+:\d+\] "
    ),
    re.compile(
        rf"\[{STAMP},\d{{3}}\] \[\d+\] \[\d+\] \[(?:llm|llmmodels)\] \[(?:INFO|WARN|ERROR)\]"
        r" \[\w+\.py-\d+\] : "
    ),
    re.compile(rf"\[{STAMP}\.\d{{6}}\] \[\d+\] \[[^]]+\] \[[^]]+\] \[server\] \[[^]]+\] \[[^]]+\]$"),
    re.compile(rf"{STAMP}\.\d{{6}} \d+ LLM log default format: \["),
)
HEAD = re.compile(rf"\[{STAMP}[.,]\d+\] \[\d+\] \[[^]]+\] (?:\[[^]]+\] (?=\[server\] \[[A-Z][^]]* \S))?")


def normal(line):
    """A line without what differs from run to run: time, ids, numbers, addresses, paths."""
    line = HEAD.sub("", line)
    line = re.sub(r"^\d{4}-\d\d-\d\d \S+ \d+ ", "", line)
    line = re.sub(r"/[\w./-]+|\d+\.\d+\.\d+\.\d+(:\d+)?", "<path>", line)
    return re.sub(r"-?\d+(\.\d+)?", "<n>", line).strip()


def lines_of(text):
    return [normal(line) for line in text.splitlines() if line.strip()]


def captured(name):
    return (SAMPLES / name).read_text()


ALL = sorted(SAMPLES.glob("*/*.log"))
assert len(ALL) > 70


def known_lines():
    return {line for path in ALL for line in lines_of(path.read_text())}


@pytest.fixture(scope="module")
def known():
    return known_lines()


# Lines of ours that no capture has, by what makes them differ; everything else must be known word for word.
OTHER = (
    # A card where the captures have a stand-in.
    r"Current process (is|finished) setting device npu:<n>",
    r"(Start transferring model|Model successfully transferred) to device npu:<n>",
    # What a configuration says of itself.
    r"\[config.py-<n>\] : The item \w+ value is",
    r"global rank id <n> get model config",
    r"return initialize success result",
    # The model's class and tree, in one line here.
    r"^\w+ForCausalLM\($|^\)$",
    r"Number of prefill requests",
)
CALLS = re.compile("|".join(OTHER))


def key(text):
    """The lines that tell cases apart: errors, ends, signals, what was asked for."""
    wanted = re.compile(
        r"\[ERROR\]|\[WARN\]|exception|terminate called|what\(\)|Daemon|Waiting for|All sub|\[fail\]"
        r"|\[success\]|should|not found|invalid|missing compulsory|but got|Failed|Check path|exited"
        r"|Finalize|gRPC|GRPC"
        r"|Execute command|tokenizer-|healthchecker|Healthchecker|Load Config|LogLevel|Successfully"
    )
    return [line for line in lines_of(text) if wanted.search(line)]


def in_order(wanted, lines):
    """The first of the wanted lines that does not come after those before it, None if all do."""
    at = 0
    for line in wanted:
        try:
            at = lines.index(line, at) + 1
        except ValueError:
            return line
    return None


@pytest.fixture
def make(tmp_path):
    """Makes nodes with one card, and ends them."""
    nodes = []

    def make(number, weights=None, model="plus", tokenizers=1):
        folder = tmp_path / f"node{len(nodes)}"
        node = EngineNode(folder, "3.0.0", weights or tiny(model), address(number), cards=1)
        node.add_overlay()
        node.configure(tokenizerProcessNumber=tokenizers)
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        if node.process is not None:
            node.close()


def check_forms(text):
    """Every line is of one of the four forms, or one that the captures print without a time."""
    plain = {
        normal(line)
        for path in ALL
        for line in path.read_text().splitlines()
        if not any(form.match(line) for form in FORMS)
    }
    for line in text.splitlines():
        if any(form.match(line) for form in FORMS) or not line.strip():
            continue
        assert normal(line) in plain or CALLS.search(normal(line)) or line.startswith("  "), line


def check_known(text, known):
    """No line of ours has words that no capture has."""
    strange = [line for line in lines_of(text) if line not in known and not CALLS.search(line)]
    strange = [
        line for line in strange if not line.startswith(("File ", "self.", "super", "initialize_result"))
    ]
    assert strange == []


# ---- starts that are good


def test_a_good_start_has_the_real_lines_in_the_real_order(make, known):
    node = make(120, tokenizers=2)
    node.start()
    node.wait_success(60)
    assert node.call("/v2/health/ready", port=node.port + 1)[0] == 500
    node.wait_text("Status changed from SERVICE_INIT to SERVICE_NORMAL")
    text = node.text
    check_forms(text)
    check_known(text, known)
    real = lines_of(captured("consoles/start-good.log"))
    # Ours, as far as the capture has them at all; those of two tokenizers and of several threads may cross.
    crossing = re.compile(
        r"tokenizer|Daemon start success|GC|profiling|exit signal|speculationGamma|maxLora|vocabSize|maxTopK"
        r"|\[system\]|config.py|model initialized"
    )
    ours = [line for line in lines_of(text) if line in real and not crossing.search(line)]
    assert len(ours) > 45
    assert in_order(ours, real) is None
    assert text.count("LogLevelDynamicHandler start") == 1
    assert text.count("LLM log default format:") == 4
    assert "Daemon start success!" in text.splitlines()


def test_two_nodes_have_the_real_lines_in_the_real_order(make, known):
    nodes = [make(121), make(122)]
    join_world(nodes, worldSize=1, tokenizerProcessNumber=1)
    for node in nodes:
        node.env["HCCL_CONNECT_TIMEOUT"] = "7200"
        node.start()
    crossing = re.compile(
        r"LLM log|exit signal|speculationGamma|maxLora|vocabSize|maxTopK|\[system\]|config.py|GC|profiling"
        r"|Daemon start|gRPC server|wait slave|model initialized|HealthChecker: (cent|Status|Sim)"
        r"|Start to parse|Finished pars"
        r"|Update world|Execut|Config|attempting|Successfully connected|Sent registration|Send registration"
        r"|Registration succeeded|tokenizer"
    )
    for number, node in enumerate(nodes, 1):
        node.wait_success(60)
        text = node.text
        check_forms(text)
        check_known(text, known)
        real = lines_of(captured(f"two-nodes/start-good.node{number}.log"))
        ours = [line for line in lines_of(text) if line in real and not crossing.search(line)]
        assert len(ours) > 20
        assert in_order(ours, real) is None


# ---- starts that are refused


def mode_666(node):
    node.config_path.chmod(0o666)


def without(name):
    def change(node):
        text = node.config_path.read_text()
        node.write_config(re.sub(rf'"{name}"\s*:\s*[^,]+,', "", text, count=1))

    return change


REFUSED = {
    "config-wrong-type": lambda node: node.configure(port="1025"),
    "config-missing-field": without("maxLinkNum"),
    "config-prefill-below-input": lambda node: node.configure(maxPrefillTokens=100),
    "config-mode-666": mode_666,
    "no-weights": lambda node: node.configure(modelWeightPath="/data/ling/ckpt/none"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_start_has_the_captures_lines(make, known, case):
    node = make(123)
    REFUSED[case](node)
    said = node.refused()
    check_forms(said)
    check_known(said, known)
    # The real console may have lost its last lines; ours has them all. What it has, ours has in its order.
    wanted = [line for line in key(captured(f"consoles/{case}.log")) if "LD_LIBRARY" not in line]
    crossing = re.compile("maxLora|speculationGamma|vocabSize|maxTopK")
    wanted = [line for line in dict.fromkeys(wanted) if not crossing.search(line)]
    assert len(wanted) >= 3
    assert in_order(wanted, lines_of(said)) is None


def test_a_node_whose_port_is_taken_has_the_captures_lines(make, known):
    node = make(124)
    with socket.create_server((node.address, node.port + 1)):
        said = node.refused()
    check_known(said, known)
    assert in_order(tail_of("consoles/port-in-time-wait.log", "healthchecker init"), lines_of(said)) is None


def tail_of(name, first):
    """The capture's lines from one on; without the end of the health checker's own child."""
    lines = lines_of(captured(name))
    start = next(n for n, line in enumerate(lines) if first in line)
    return [line for line in lines[start:] if "exited" not in line]


def test_an_address_of_no_interface_has_the_captures_lines(make, known):
    node = make(125)
    node.configure(managementIpAddress="10.1.2.3", tokenizerProcessNumber=1)
    said = node.refused()
    check_known(said, known)
    assert in_order(tail_of("consoles/foreign-address.log", "healthchecker init"), lines_of(said)) is None


def test_a_tokenizer_that_cannot_start_ends_the_console_after_its_first_line(make, known):
    node = make(126)
    node.write_site(faults=["tokenizer-cannot-start"])
    said = node.refused()
    check_known(said, known)
    real = lines_of(captured("consoles/tokenizer-cannot-start.log"))
    assert lines_of(said)[-1] == real[-1]
    assert (
        in_order(tail_of("consoles/tokenizer-cannot-start.log", "Create share memory"), lines_of(said))
        is None
    )


# ---- loads that fail in Python


def cut(folder):
    file = sorted(folder.glob("*.safetensors"))[1]
    os.truncate(file, file.stat().st_size // 2)


FAILED = {"weights-truncated": cut, "weights-folder-777": lambda folder: folder.chmod(0o777)}


@pytest.mark.parametrize("case", FAILED)
def test_a_load_that_fails_has_the_captures_lines(make, tmp_path, case):
    folder = copied("plus", tmp_path / "weights")
    FAILED[case](folder)
    said = make(127, folder).refused(status=134)
    check_forms(said)
    real = captured(f"consoles/{case}.log")
    last = next(line for line in real.splitlines() if "[status.py-" in line)
    kind = re.search(r"exception_type=(\w+)", last)[1]
    assert f"exception_type={kind}, exception_message=" in said
    wanted = [
        "Traceback (most recent call last):",
        *(line for line in key(real) if re.search("exit signal|exited|Daemon is|Successfully handled", line)),
    ]
    order = [line for line in wanted if "Daemon is" not in line]
    assert in_order(order, lines_of(said)) is None
    assert "Daemon is killing, please wait about 15 seconds..." in said.splitlines()
    assert "Failed to init" not in said


# ---- ends


def served(node):
    node.start()
    node.wait_success(60)
    wait_until(lambda: node.call("/v2/health/ready", port=node.port + 1)[0] == 200)


# Of requests that were under way, of the collector's own, and of what depends on who polls.
UNDER_WAY = re.compile(
    "Sequence finished|Removing multimodal|inferRequest|request_router.py|Http|leaked|warn"
    "|mindie server, method|Receive request|HandleLora|Stop endpoint|Health check thread stopped"
)


def after(text, first):
    """The kinds of lines from a line on."""
    lines = lines_of(text[text.index(first) :])[1:]
    return [line for line in lines if not UNDER_WAY.search(line)]


ENDS = {
    "stopped-after-client-mistakes": (lambda node: node.process.terminate(), "Received exit signal[15]"),
    "died-worker-killed": (
        lambda node: os.kill(node.workers[0], signal.SIGKILL),
        "was terminated by signal 9",
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_an_end_has_the_captures_lines(make, known, case):
    node = make(128, tokenizers=2)
    served(node)
    act, first = ENDS[case]
    act(node)
    assert node.wait_end() == 134
    check_forms(node.text)
    check_known(node.text, known)
    ours, real = after(node.text, first), after(captured(f"consoles/{case}.log"), first)
    assert set(real) - set(ours) == set()
    # C++ and plain lines are written by different threads; the plain ones are in order.
    plain = [line for line in real if not line.startswith("[")]
    assert in_order(plain, ours) is None


def test_a_text_is_made_safe_and_cut(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MINDIE_LOG_TO_STDOUT", "1")
    console = Console("3.0.0", tmp_path)
    console.server("ERROR", "a//b&c\nd\\e%0af", "x.cpp:1")
    console.server("INFO", "x" * 3000, "x.cpp:2")
    first, second, rest = capsys.readouterr().out.split("\n")
    assert first.endswith("[server] [ERROR] [x.cpp:1] a_b_c_d_e_f")
    assert second.endswith("] " + "x" * 2048)
    assert rest == ""
    with contextlib.suppress(IndexError):
        assert time.strptime(first[1:20], "%Y-%m-%d %H:%M:%S")


# ---- single requests


def blocks():
    """The capture of single requests: their titles with the lines that each left."""
    found = {}
    for part in captured("consoles/requests.log").split("## ")[1:]:
        title, _, lines = part.partition("\n")
        found[title.partition(":")[0]] = sorted(
            line for line in lines_of(lines) if not line.startswith("Asking to truncate")
        )
    return found


ME, SERVER = "192.0.2.50:60926", "192.0.2.11:1025"
ID = "endpoint_common_2"
LONG = (
    "This model's maximum input ids length cannot be greater than maxPositionEmbeddings 16384,"
    "the input ids length is 18018"
)


MESSAGES = [{"role": "user", "content": "Who are you?"}]
CHATS, ONE = "/v1/chat/completions", {"model": "bailing_moe", "messages": MESSAGES, "max_tokens": 4}
# By the title of a block of the capture: the path, and the body of what was asked there; None for a GET.
ASKED = {
    "chat, 4 tokens": (CHATS, ONE),
    "chat stream, 4 tokens": (CHATS, {**ONE, "stream": True}),
    "infer, 4 tokens": ("/infer", {"inputs": "My name is", "parameters": {"max_new_tokens": 4}}),
    "GET /v1/models": ("/v1/models", None),
    "GET /v2/health/ready": ("/v2/health/ready", None),
    "GET an unknown path": ("/nope", None),
    "chat, temperature -1": (CHATS, {**ONE, "temperature": -1}),
    "chat, unknown model": (CHATS, {**ONE, "model": "nope"}),
    "chat, not JSON": (CHATS, b"{nope"),
    "chat, messages missing": (CHATS, {"model": "bailing_moe"}),
    "infer, do_sample a string": ("/infer", {"inputs": "My name is", "parameters": {"do_sample": "x"}}),
    "chat, prompt too long": (CHATS, {**ONE, "messages": [{"role": "user", "content": "hello " * 20000}]}),
    "completions, token id out of the vocabulary": (
        "/v1/completions",
        {"model": "bailing_moe", "prompt": [10000000]},
    ),
}


def test_a_service_writes_of_each_request_what_the_real_one_wrote(make):
    node = make(129)
    node.configure(maxSeqLen=20000, maxInputTokenLen=20000, maxPrefillTokens=20000, tokenizerProcessNumber=1)
    served(node)
    node.wait_text("Simulate infer health task is not enabled")
    for title, (path, body) in ASKED.items():
        before = len(node.text)
        wanted = blocks()[title]
        port = node.port + 1 if "health" in path else node.port
        raw = body if isinstance(body, bytes) else None
        node.call(path, None if raw else body, port=port, raw=raw)
        assert sorted(lines_of(node.text[before:])) == wanted, title


def generated(log, *, stream):
    sequence = log.queued(ID)
    log.finished(ID, sequence, "length", stream=stream)


REQUESTS = {
    "chat, 4 tokens": ("/v1/chat/completions", lambda log: generated(log, stream=False)),
    "chat stream, 4 tokens": ("/v1/chat/completions", lambda log: generated(log, stream=True)),
    "infer, 4 tokens": ("/infer", lambda log: generated(log, stream=False)),
    "GET /v1/models": ("/v1/models", lambda log: None),
    "GET /v2/health/ready": ("/v2/health/ready", lambda log: None),
    "GET an unknown path": ("/nope", lambda log: None),
    "chat, temperature -1": (
        "/v1/chat/completions",
        lambda log: log.refused(
            ID, "Parameter temperature must be in (0.0,3.40282e+38], got -1.", request_log.PARAMETER
        ),
    ),
    "chat, unknown model": (
        "/v1/chat/completions",
        lambda log: log.refused(ID, "Model not found", step="chat model"),
    ),
    "chat, not JSON": (
        "/v1/chat/completions",
        lambda log: log.refused(ID, "Failed to parse request context to json", request_log.FORM),
    ),
    "chat, prompt too long": (
        "/v1/chat/completions",
        lambda log: log.not_queued(ID, LONG, "llm_manager_impl.cpp:1473"),
    ),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_a_request_leaves_the_lines_that_it_left_on_the_real_one(tmp_path, capsys, monkeypatch, case):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MINDIE_LOG_TO_STDOUT", "1")
    log = request_log.RequestLog(Console("3.0.0", tmp_path))
    path, serve = REQUESTS[case]
    method = "POST" if path in ("/infer", "/v1/chat/completions") else "GET"
    log.received(ME, method, path)
    serve(log)
    log.answered(SERVER, method, path, 200, 348)
    ours = sorted(lines_of(capsys.readouterr().out))
    assert ours == blocks()[case]
