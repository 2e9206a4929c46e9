"""Health, ports, open streams and exit statuses of the emulated 3.0.0 over its life, as the real one had.

The judge is ``life.json`` of the captures: for each of its scenarios the order of what each path said.
Seconds are of another machine and not compared.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import threading
from pathlib import Path

import pytest

from tests.engine_node import EngineNode, address, tiny, wait_until

LIFE = json.loads((Path(__file__).parents[2] / "../shared/samples/mindie-3.0.0/life.json").read_text())
PATHS = ("/v2/health/live", "/v2/health/ready", "/v1/models")
CHAT = {
    "model": "bailing_moe",
    "messages": [{"role": "user", "content": "Who are you?"}],
    "max_tokens": 500,
    "ignore_eos": True,
    "temperature": 0,
}


@pytest.fixture
def make(tmp_path):
    """Makes nodes with one card, and ends them."""
    nodes = []

    def make(number=0, **site):
        node = EngineNode(
            tmp_path / f"node{len(nodes)}", "3.0.0", tiny("lite"), address(100 + number), cards=1
        )
        node.add_overlay()
        node.configure(tokenizerProcessNumber=2)
        if site:
            node.write_site(**site)
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        if node.process is not None:
            node.close()


class Watch:
    """Polls the paths of a node from threads, and keeps what changes; asks once more when it is ended.

    A node can be gone between two polls, and would otherwise never have been heard to be.
    """

    def __init__(self, node):
        self.node, self.heard, self._end = node, {path: [] for path in PATHS}, threading.Event()
        self._threads = [threading.Thread(target=self._poll, args=(path,), daemon=True) for path in PATHS]
        for thread in self._threads:
            thread.start()

    def _poll(self, path):
        ended = False
        while not ended:
            ended = self._end.is_set()
            said = self._ask(path)
            if self.heard[path][-1:] != [said]:
                self.heard[path].append(said)
            self._end.wait(0.02)

    def _ask(self, path):
        port = self.node.port + (path != "/v1/models")
        link = http.client.HTTPConnection(self.node.address, port, timeout=20)
        try:
            link.request("GET", path)
            answer = link.getresponse()
            body = answer.read()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            return "closed"
        except ConnectionRefusedError:
            return "refused"
        finally:
            link.close()
        return (answer.status, body if path != "/v1/models" else b"")

    def end(self):
        self._end.set()
        for thread in self._threads:
            thread.join()
        return self.heard


def captured(scenario):
    """The sequence of each path in a scenario of the captures, in the words of Watch."""
    events = LIFE[scenario]
    events = events["events"] if isinstance(events, dict) else events
    heard = {path: [] for path in PATHS}
    for event in events:
        path = event["who"].removeprefix("GET ")
        if path in heard:
            said = _said(event["what"], path)
            if heard[path][-1:] != [said]:
                heard[path].append(said)
    return heard


def _said(what, path):
    if what == "connection refused":
        return "refused"
    if what in ("connection reset", "no answer, closed"):
        return "closed"
    status, body = re.match(r"(\d+) .*body='(.*)'", what).groups()
    # The body's blanks are the business of another test.
    return (int(status), body.encode() if path != "/v1/models" else b"")


def spaceless(heard):
    """Without the blanks of JSON; closed and refused are one: what a poller meets first is luck."""
    found = {}
    for path, sequence in heard.items():
        told = []
        for said in sequence:
            one = (said[0], said[1].replace(b'": "', b'":"')) if isinstance(said, tuple) else "gone"
            if told[-1:] != [one]:
                told.append(one)
        found[path] = told
    return found


def exit_of(scenario):
    return LIFE[scenario]["exit"]


def serve(node):
    node.start()
    node.wait_success(60)
    wait_until(lambda: node.call("/v2/health/ready", port=node.port + 1)[0] == 200)


class Open:
    """A request that is open while something happens: its status line and what came of its body."""

    def __init__(self, node, path, body):
        self.status, self.data, self.how = None, b"", ""
        self._link = socket.create_connection((node.address, node.port))
        text = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(text)}\r\n\r\n"
        self._link.sendall(head.encode() + text)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        with contextlib.suppress(OSError):
            while True:
                data = self._link.recv(65536)
                if not data:
                    break
                self.data += data

    def started(self):
        return self.data.count(b"data:") > 2

    def ended(self):
        self._thread.join(60)
        self._link.close()
        return self.data


def test_a_start_is_refused_then_abnormal_then_good(make):
    scenario = "start: t from the console's `Daemon start success!`"
    node = make()
    watch = Watch(node)
    node.start()
    node.wait_success(60)
    wait_until(lambda: watch.heard["/v2/health/ready"][-1:] == [(200, b"")])
    assert spaceless(watch.end()) == spaceless(captured(scenario))
    assert "[http_handler.cpp:835] [MIE04E020614] [endpoint] Service is abnormal" in node.text


def test_generations_work_while_health_is_still_abnormal(make):
    node = make()
    node.start()
    node.wait_success(60)
    assert node.call("/v2/health/live", port=node.port + 1)[0] == 500
    assert node.chat("Who are you?")[0] == 200


def test_a_stop_with_streams_open(make):
    scenario = "SIGTERM to the daemon, streams open: t from the signal"
    node = make()
    serve(node)
    stream = Open(node, "/v1/chat/completions", {**CHAT, "stream": True})
    plain = Open(node, "/v1/chat/completions", CHAT)
    wait_until(stream.started)
    watch = Watch(node)
    wait_until(lambda: all(watch.heard[path] for path in PATHS))
    node.process.send_signal(signal.SIGTERM)
    wait_until(lambda: watch.heard["/v2/health/live"][-1] == (503, b""))
    status, _, text = node.call("/v1/chat/completions", CHAT)
    assert (status, json.loads(text)) == (
        500,
        {
            "error": "Failed to enqueue inferRequest. Engine has been stopped. Cannot add request.",
            "error_type": "Incomplete Generation",
        },
    )
    assert node.wait_end() == exit_of(scenario)
    heard = spaceless(watch.end())
    wanted = spaceless(captured(scenario))
    assert [heard[path][1:] for path in PATHS[:2]] == [wanted[path] for path in PATHS[:2]]
    # 200 to the last.
    assert heard["/v1/models"] == [(200, b""), *wanted["/v1/models"]]
    data = stream.ended()
    assert data.startswith(b"HTTP/1.1 200")
    assert not data.endswith(b"0\r\n\r\n")
    assert data.endswith(b"\n\n\r\n")
    assert plain.ended() == b""


def test_health_is_gone_before_the_models_are(make):
    node = make()
    serve(node)
    said = []
    node.process.send_signal(signal.SIGTERM)
    while node.process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            said.append(("models", node.call("/v1/models")[0]))
        try:
            socket.create_connection((node.address, node.port + 1)).close()
            said.append(("health", "open"))
        except ConnectionRefusedError:
            said.append(("health", "refused"))
    at = said.index(("health", "refused"))
    assert ("models", 200) in said[at:]


def test_a_stop_with_nothing_open(make):
    scenario = "SIGTERM, nothing open"
    node = make()
    serve(node)
    assert node.stop() == exit_of(scenario)
    assert list((node.dev / "shm").iterdir()) == []


def test_a_killed_worker_with_streams_open(make):
    scenario = "kill -9 of the worker, streams open: t from the signal"
    node = make()
    serve(node)
    stream = Open(node, "/v1/completions", {**text_request(), "stream": True})
    plain = Open(node, "/v1/chat/completions", CHAT)
    wait_until(stream.started)
    watch = Watch(node)
    wait_until(lambda: all(watch.heard[path] for path in PATHS))
    os.kill(node.workers[0], signal.SIGKILL)
    wait_until(lambda: watch.heard["/v2/health/ready"][-1] == (503, b""))
    late = Open(node, "/v1/chat/completions", CHAT)
    assert node.wait_end() == exit_of(scenario)
    heard, wanted = spaceless(watch.end()), spaceless(captured(scenario))
    for path in PATHS:
        assert heard[path][1:] == wanted[path]
    data = stream.ended()
    assert not data.endswith(b"0\r\n\r\n")
    assert data.endswith(b"\n\n\r\n")
    assert plain.ended() == late.ended() == b""


def text_request():
    return {"model": "bailing_moe", "prompt": "The river", "max_tokens": 500, "ignore_eos": True}


def test_every_captured_exit_status_is_the_emulators(make):
    """The whole list of the captures, each brought about here or in a test that is named for it."""
    elsewhere = {
        "requested stop (SIGTERM)",
        "worker killed while serving",
        # The request's words and its crash belong to the requests.
        "request with stop [1]",
    }
    cases = {
        "worker's Python failed while loading (truncated file, modes, exception in warm-up)": too_long,
        "config.json refused": lambda node: node.configure(maxPrefillTokens=1),
        "no model folder": lambda node: node.configure(modelWeightPath="/nowhere"),
        "address of no interface": lambda node: node.configure(managementIpAddress="10.1.2.3"),
        "port taken or in TIME_WAIT": take_port,
        "tokenizer process could not start": lambda node: node.write_site(faults=["tokenizer-cannot-start"]),
    }
    assert elsewhere | set(cases) == set(LIFE["exit statuses seen"])
    for case, bring_about in cases.items():
        node = make(len(case) % 7)
        held = bring_about(node)
        node.start()
        assert node.wait_end() == LIFE["exit statuses seen"][case], (case, node.text)
        if isinstance(held, socket.socket):
            held.close()


def too_long(node):
    node.configure(maxSeqLen=400000, maxInputTokenLen=200000, maxPrefillTokens=200000, maxIterTimes=200000)


def take_port(node):
    return socket.create_server((node.address, node.port))


# ---- ports


def test_a_restart_within_the_minute_of_a_connection_that_the_server_closed_fails(make):
    node = make(9, time_scale=0.05)
    node.start()
    node.wait_success(60)
    # HTTP/1.0: the server closes first, and keeps the port in TIME_WAIT.
    with socket.create_connection((node.address, node.port)) as link:
        link.sendall(b"GET /v1/models HTTP/1.0\r\n\r\n")
        while link.recv(4096):
            pass
    node.process.kill()
    node.process.wait()
    node.close()
    # It loads fast, and then meets a minute of full length.
    node.start()
    node.wait_text("Execute command")
    node.write_site(time_scale=1.0)
    assert node.wait_end() == 137
    assert "Socket bind failed, bind_result is -1. Address already in use" in node.text
    assert "Management or Business or Metrics Http server listen port is occupied" in node.text
    # The same minute, shorter, is over.
    node.write_site(time_scale=0.005)
    node.start()
    node.wait_success(60)


def test_a_listener_of_another_address_of_the_node_is_in_the_way(make):
    node = make(10)
    with socket.create_server(("127.0.0.1", node.port)):
        assert "Address already in use" in node.refused()
    node.write_site(faults=["console-cut-short"])
    with socket.create_server(("127.0.0.1", node.port)):
        said = node.refused()
    assert "Address already in use" not in said
    assert said.splitlines()[-1].endswith("HealthChecker: Healthchecker instance created.")


# ---- shared memory

NAMES = {
    "execute_request": 256 << 20,
    "execute_response": 32 << 20,
    "execute_error_response": 1024,
    "transfer_request": 256 << 20,
    "transfer_response": 32 << 20,
    "shared_sync_link_request": 32 << 20,
    "shared_sync_link_response": 32 << 20,
    "recover_command_request": 8 << 20,
    "recover_command_response": 8 << 20,
}
ONE = 656 * (1 << 20) + 1024


def test_the_segments_of_one_card_have_the_real_names_and_sizes(make):
    node = make(11)
    serve(node)
    pid = node.process.pid
    found = {path.name: path.stat().st_size for path in (node.dev / "shm").iterdir()}
    segments = {name: size for name, size in found.items() if not name.startswith("sem.")}
    assert segments == {f"{pid}_0_{name}": size for name, size in NAMES.items()}
    semaphores = {name for name in found if name.startswith("sem.")}
    assert semaphores == {f"sem.{pid}_0_{name}_{end}_0" for name in NAMES for end in ("produce", "consume")}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (node.dev / "shm").iterdir())


def test_what_is_left_behind_takes_the_room_of_the_next_start(make):
    node = make(12)
    node.write_site(shared_memory=1 << 30)
    with socket.create_server((node.address, node.port)):
        node.refused()
        left = list((node.dev / "shm").iterdir())
        assert len(left) == 27
        said = node.refused()
    free = (1 << 30) - sum(path.stat().st_size for path in left)
    sizes = f"available size {free} and pending allocation size {ONE}"
    assert f"Shared memory available is not enough on the filesystem with  {sizes}" in said
    assert f"The least required size is {ONE}" in said
    assert "Failed to init endpoint!" in said
    for path in left:
        path.unlink()
    serve(node)


def test_a_failed_load_leaves_nothing(make):
    node = make(13)
    too_long(node)
    node.refused(status=134)
    assert list((node.dev / "shm").iterdir()) == []


@pytest.mark.parametrize(("length", "fits"), [(45, True), (46, False)])
def test_the_tokenizers_need_their_share(make, length, fits):
    """1 GiB less one card's segments, 656 MiB and 1 KiB, leaves a little less than eight times 46 MiB."""
    node = make(14)
    node.write_site(shared_memory=1 << 30)
    node.configure(tokenizerProcessNumber=8)
    config = json.loads(node.config_path.read_text())
    config["ServerConfig"]["maxRequestLength"] = length
    node.write_config(json.dumps(config))
    if fits:
        node.start()
        node.wait_success(60)
        return
    said = node.refused()
    assert "Shared memory available is not enough on the filesystem." in said
    assert "Failed to create tokenizer share memory, token index is 7, status value is -1" in said
    assert "Init process tokenizer pool failed." in said


def test_processes_are_as_ps_shows_them(make):
    node = make(15)
    serve(node)
    (worker,) = node.workers
    text = Path(f"/proc/{worker}/cmdline").read_bytes().decode().rstrip("\0")
    pid = node.process.pid
    assert text == (
        "mindie_llm_backend --local_rank 0 --local_world_size 1 --npu_num_per_dp 1 --npu_device_id 0"
        f" --parent_pid {pid} --shm_name_prefix /{pid}_0"
    )
    assert len(node.tokenizers) == 2
    assert os.getpgid(worker) == pid
