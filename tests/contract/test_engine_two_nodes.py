"""Two emulated daemons of 3.0.0, one card each, do what two real ones did, row by row of what was observed.

Not as the real ones, whose HCCL was a stand-in that waits for ever: where cards do not meet, the documented
time-outs of HCCL end the wait.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.engine_node import EngineNode, address, join_world, rank_table, tiny, wait_until

# Slow enough to be met while it loads.
SLOW = {"time_scale": 0.06}
# Long enough for what would end to have ended.
WATCHED = 1.5


@pytest.fixture
def pair(tmp_path):
    """Makes two nodes that would serve, and ends them."""
    nodes = []

    def pair(site=None, **config):
        for number in (1, 2):
            node = EngineNode(
                tmp_path / f"node{number}", "3.0.0", tiny("plus"), address(80 + number), cards=1
            )
            node.add_overlay()
            if site:
                node.write_site(**site)
            nodes.append(node)
        join_world(nodes, **{"worldSize": 1, "tokenizerProcessNumber": 1, **config})
        for node in nodes:
            node.env["HCCL_CONNECT_TIMEOUT"] = "7200"
        return nodes

    yield pair
    for node in nodes:
        if node.process is not None:
            node.close()


@pytest.fixture
def serving(pair):
    """Two nodes that serve, the master's health good."""

    def serving(site=None):
        nodes = pair(site)
        start(*nodes)
        for node in nodes:
            node.wait_success(60)
        wait_until(lambda: health(nodes[0]) == (200, ""))
        return nodes

    return serving


def start(*nodes):
    for node in nodes:
        node.start()


def health(node):
    return node.call("/v2/health/ready", port=node.port + 1)[::2]


def waits(node):
    """It lives, does not come up, and says nothing more."""
    said = [node.text]

    def quiet():
        time.sleep(WATCHED)
        said.append(node.text)
        return said[-1] == said[-2]

    wait_until(quiet)
    assert node.process.poll() is None, node.text
    assert "Daemon start success!" not in node.text


def table_of(node, table):
    path = node.home / "rank_table.json"
    path.write_text(json.dumps(table))
    path.chmod(0o640)


def asked(node):
    """A chat, and that it gets no answer at all."""
    link = http.client.HTTPConnection(node.address, node.port, timeout=60)
    body = {"model": "bailing_moe", "messages": [{"role": "user", "content": "Who are you?"}]}
    link.request("POST", "/v1/chat/completions", json.dumps(body))
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        link.getresponse()


# ---- as rendered


def test_the_leader_of_a_session_ends_at_once(pair):
    node, _ = pair()
    node.start(session=True)
    assert node.wait_end() == 255
    last = node.text.splitlines()[-1]
    words = "[MIE04E01011C] [daemon] Failed to set process group. errno is 1"
    assert last.endswith(f"[server] [ERROR] [llm_daemon.cpp:391] {words}")
    assert node.text.splitlines()[-2] == "LogLevelDynamicHandler start"


@pytest.mark.parametrize("tp", [None, 1])
def test_without_the_number_of_all_cards_the_master_aborts(pair, tp):
    master, follower = pair(tp=tp)
    follower.env["HCCL_CONNECT_TIMEOUT"] = "7200"
    start(master, follower)
    assert master.wait_end() == 134
    wrong = "[executor.cpp:984] Invalid DP number per node: 0"
    lines = master.text.splitlines()
    at = next(n for n, line in enumerate(lines) if wrong in line)
    assert lines[at + 1 : at + 3] == [
        "terminate called after throwing an instance of 'std::out_of_range'",
        "  what():  unordered_map::at",
    ]
    assert "Received exit signal[6]" in lines[at + 3]
    assert "Execute command" not in master.text
    follower.wait_text(
        "Execute command: mindie_llm_backend --local_rank 0 --local_world_size 1 --npu_num_per_dp 1 "
    )
    assert wrong in follower.text
    assert "GRPCCommunicator" not in follower.text
    if tp:
        assert follower.wait_end() == 134
        assert "ValueError: World size must equal to attention's dp_size" in follower.text
    else:
        follower.wait_text("init tokenizer done")
        waits(follower)


def test_a_world_size_that_is_not_the_nodes_own_is_refused(pair):
    for node in pair(worldSize=2):
        assert "The size of npuDeviceIds (subset) does not equal to worldSize" in node.refused()


def test_only_one_name_of_the_variable_is_read(pair):
    for node in pair():
        node.env["RANKTABLEFILE"] = node.env["MIES_RANKTABLEFILE"] = node.env.pop("RANK_TABLE_FILE")
        assert "Ranktable file path is invalid." in node.refused()


# ---- a good start


def test_two_nodes_serve_and_only_the_master_opens_ports(serving):
    master, follower = serving()
    assert master.chat("Who are you?")[1]["choices"][0]["message"]["content"].startswith("I am Ling")
    for port in (follower.port, follower.port + 1, follower.port + 2, follower.port + 3):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((follower.address, port))
    socket.create_connection((master.address, master.port + 3)).close()
    for node in (master, follower):
        assert node.text.index("Registration succeeded" if node is follower else "All 1 slaves connected") < (
            node.text.index("Execute command")
        )
        assert f"--npu_num_per_dp 2 --npu_device_id 0 --parent_pid {node.process.pid}" in node.text
        assert "--global_world_size 2" in node.text
    assert "[Executor::MasterHandleSlaveInitResponse]: Updated KV cache overview from slave:" in master.text
    assert "need not init TokenizerProcessPool and HttpWrapper" in follower.text


def test_a_list_in_another_order_and_another_model_name_serve(pair):
    master, follower = pair()
    table = rank_table([master, follower])
    table["server_list"].reverse()
    table_of(follower, table)
    edit_config(follower, modelName="other")
    start(master, follower)
    for node in (master, follower):
        node.wait_success(60)
    assert master.chat("Who are you?")[0] == 200


def edit_config(node, **changes):
    config = json.loads(node.config_path.read_text())
    deploy = config["BackendConfig"]["ModelDeployConfig"]
    for name, value in changes.items():
        holder = next(h for h in (deploy, deploy["ModelConfig"][0], config["BackendConfig"]) if name in h)
        holder[name] = value
    node.write_config(json.dumps(config))


def test_a_follower_may_have_addresses_of_no_interface(pair):
    master, follower = pair()
    config = json.loads(follower.config_path.read_text())
    config["ServerConfig"].update(ipAddress="10.1.2.3", managementIpAddress="10.1.2.3")
    follower.write_config(json.dumps(config))
    start(master, follower)
    follower.wait_success(60)
    master.wait_success(60)


# ---- before they have met


def test_a_master_waits_for_its_follower_without_limit(pair):
    master, _ = pair()
    start(master)
    master.wait_text("gRPC server started on port")
    waits(master)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((master.address, master.port))
    assert master.stop() == 134
    assert master.text.splitlines()[-1] == "All subprocesses exited gracefully."


def test_a_follower_tries_120_times_and_aborts(pair):
    _, follower = pair()
    start(follower)
    assert follower.wait_end(90) == 134
    attempt = "attempting connection to server at IP"
    assert follower.text.count(attempt) == 120
    # Also where nothing listens.
    assert follower.text.count("Successfully connected to master and obtained slaveStream") == 120
    again = "Send registration message to master failed. Retrying in 1 second..."
    assert follower.text.count(f"[WARN] [grpc_communicator.cpp:283] {again}") == 120
    ends = [
        "[ERROR] [grpc_communicator.cpp:293] Failed to establish connection to master after maximum retries",
        "[ERROR] [executor.cpp:114] Failed to initialize Executor with GRPC.",
        "terminate called after throwing an instance of 'std::runtime_error'",
        "  what():  ExecutorInstanceInit failed for rank 0",
        "Received exit signal[6]",
    ]
    assert in_order(follower.text, ends)


def in_order(text, words):
    at = -1
    for word in words:
        at = text.find(word, at + 1)
        if at < 0:
            return False
    return True


def test_a_master_whose_port_is_taken_says_so_and_waits(pair):
    master, follower = pair()
    port = master.port + 3
    with socket.create_server((master.address, port)):
        start(master)
        master.wait_text(f"[ERROR] [grpc_communicator.cpp:195] Failed to start gRPC server on port {port}")
        waits(master)
        start(follower)
        follower.wait_text("Send registration message to master failed. Retrying")
        assert master.stop() == 134


def test_two_masters_on_one_port_both_listen(pair):
    master, other = pair()
    other.env["MIES_CONTAINER_IP"] = master.address
    start(master, other)
    for node in (master, other):
        node.wait_text("gRPC server started on port")
        waits(node)


def test_tables_with_other_ranks_make_two_masters(pair):
    first, second = pair()
    table_of(second, rank_table([second, first]))
    start(first, second)
    for node in (first, second):
        node.wait_text("GRPCCommunicator: Start to init as Master")
        node.wait_text("gRPC server started on port")
        waits(node)


# ---- tables and configurations that differ

COUNTS = {
    "3": (
        "Parameter server_count is 3, which is not equal to server_list length in ranktable file, which is 2"
    ),
    "1": "Parameter server_count must be in range [2, 60], but got 1",
    2: "Ranktable file is invalid. Please check json format! ",
}


@pytest.mark.parametrize("count", COUNTS)
def test_a_server_count_that_is_wrong_is_refused(pair, count):
    nodes = pair()
    table = rank_table(nodes)
    if count == "1":
        del table["server_list"][0]
    table_of(nodes[1], {**table, "server_count": count})
    assert COUNTS[count] in nodes[1].refused().splitlines()


def test_an_address_that_the_table_does_not_have_is_refused(pair):
    follower = pair()[1]
    follower.env["MIES_CONTAINER_IP"] = "127.0.0.9"
    assert "npuDeviceID does not allow repetitive element" in follower.refused().splitlines()


def test_a_follower_that_is_set_up_as_a_single_node_dies_of_the_table(pair):
    master, follower = pair()
    edit_config(follower, multiNodesInferEnabled=False)
    start(master)
    master.wait_text("gRPC server started on port")
    said = follower.refused(status=134)
    assert "ValueError: World size should be multiple of the number of nodes." in said
    waits(master)


def test_warm_ups_of_different_sizes_end_the_master_and_not_the_follower(pair):
    master, follower = pair()
    edit_config(follower, maxSeqLen=2000)
    start(master, follower)
    assert master.wait_end(60) == 134
    waits(follower)


# ---- a node is lost while loading


def test_a_follower_whose_worker_is_killed_while_it_loads_ends_without_a_word(pair):
    master, follower = pair(SLOW)
    start(master, follower)
    follower.wait_text("Execute command")
    wait_until(lambda: follower.workers != [])
    said = follower.text
    os.kill(follower.workers[0], signal.SIGKILL)
    assert follower.wait_end() == 134
    new = [line for line in follower.text.removeprefix(said).splitlines() if not line.startswith("[")]
    assert new[-2:] == [
        "Daemon is killing, please wait about 15 seconds...",
        "All subprocesses exited gracefully.",
    ]
    assert "was terminated by signal" not in follower.text
    master.wait_text("init tokenizer done")
    waits(master)
    assert master.stop() == 134


def test_a_follower_that_is_killed_while_it_loads_leaves_its_worker_and_a_waiting_master(pair):
    master, follower = pair(SLOW)
    start(master, follower)
    follower.wait_text("Execute command")
    wait_until(lambda: follower.workers != [])
    follower.process.kill()
    assert follower.wait_end() == 137
    assert len(follower.workers) == 1
    master.wait_text("init tokenizer done")
    waits(master)


def test_a_follower_goes_on_without_the_master_that_was_killed_while_loading(pair):
    master, follower = pair(SLOW)
    start(master, follower)
    # Their cards have met.
    master.wait_text("init tokenizer done")
    follower.wait_text("init tokenizer done")
    time.sleep(0.5)
    master.process.kill()
    assert master.wait_end() == 137
    assert len(master.workers) == 1
    follower.wait_success(60)
    lost = [
        "[grpc_communicator.cpp:346] SafeWriteMsgToStream: failed to write message to stream",
        "[grpc_communicator.cpp:394] SendResponse: failed to write response to slave stream.",
        "[communicator.cpp:307] Slave Node: failed to send response to remote master node.",
        "Daemon start success!",
    ]
    assert in_order(follower.text, lost)


# ---- a node is lost while serving


def kill_worker(node):
    os.kill(node.workers[0], signal.SIGKILL)


LOSSES = {
    "daemon-killed": (lambda node: node.process.kill(), 137),
    "worker-killed": (kill_worker, 134),
    "stopped": (lambda node: node.process.terminate(), 134),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_follower_does_not_show_until_the_first_generation_ends_the_master(serving, loss):
    master, follower = serving()
    lose, status = LOSSES[loss]
    said = master.text
    lose(follower)
    assert follower.wait_end() == status
    assert health(master) == (200, "")
    assert master.call("/v1/models")[0] == 200
    # The polls leave their own lines, as on the real one; nothing of the loss.
    new = master.text.removeprefix(said)
    assert "WARN" not in new and "ERROR" not in new, new
    asked(master)
    assert master.wait_end() == 134
    assert in_order(
        master.text.removeprefix(said),
        [
            "[llm_daemon.cpp:192] [MIE04W01011A] [daemon] Received exit signal[11]",
            "Finalize engine mindieservice_llm_engine",
            "Daemon is killing, please wait about 15 seconds...",
            "All subprocesses exited gracefully.",
        ],
    )
    with pytest.raises(OSError, match="refused"):
        master.call("/v1/models")


def test_a_follower_outlives_its_killed_master_and_says_nothing(serving):
    master, follower = serving()
    said = follower.text
    master.process.kill()
    assert master.wait_end() == 137
    assert len(master.workers) == 1
    assert len(master.tokenizers) == 1
    assert any((master.dev / "shm").iterdir())
    time.sleep(WATCHED)
    assert follower.process.poll() is None
    assert follower.text == said
    assert follower.stop() == 134


@pytest.mark.parametrize("end", [kill_worker, lambda node: node.process.terminate()])
def test_a_follower_outlives_a_master_that_ends_and_hears_of_it(serving, end):
    master, follower = serving()
    end(master)
    assert master.wait_end() == 134
    follower.wait_text("gRPC Slave Worker Thread: stream closed by server")
    assert in_order(
        follower.text,
        [
            "[request_router.py-126] : [python thread: infer] model finalized.",
            "[grpc_communicator.cpp:329] gRPC Slave Worker Thread: stream closed by server",
        ],
    )
    time.sleep(WATCHED)
    assert follower.process.poll() is None


def test_a_stopped_follower_leaves_its_worker_in_its_group(serving):
    _, follower = serving()
    worker = follower.workers
    assert follower.stop() == 134
    assert follower.workers == worker
    assert (
        int(Path(f"/proc/{worker[0]}/stat").read_text().rpartition(")")[2].split()[1]) != follower.process.pid
    )
    assert in_order(
        follower.text,
        [
            "Received exit signal[15]",
            "Multi Nodes inference slave instance need not finalize.",
            "[communicator.cpp:445] Slave nodes cannot call SendAsyncRequest themselves.",
            "[executor.cpp:505] Failed to send finialize message.",
            "Shut down LLMRuntime failed!. errmsg:Finalize executor failed.",
            "terminate called without an active exception",
            "Received exit signal[6]",
            "Daemon is killing, please wait about 15 seconds...",
            "[stop mindie server] [success]",
        ],
    )
    assert "All subprocesses exited gracefully." not in follower.text


def test_in_the_rarer_case_a_stopped_follower_takes_its_worker_along(serving):
    _, follower = serving({"faults": ["follower-takes-its-worker"]})
    assert follower.stop() == 134
    assert follower.workers == []
    assert follower.text.splitlines()[-1] == "All subprocesses exited gracefully."
