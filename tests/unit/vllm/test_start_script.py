"""start.sh of one of several nodes, run here with a program in vLLM's place: it finds its interface."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lingctl.release.wanted import script_files
from tests.unit.vllm.samples import vllm_cluster


def run_start(folder: Path, address: str) -> tuple[int, str]:
    """How start.sh of the second node ends, and what the console holds then."""
    program = folder / "bin" / "vllm"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text('#!/bin/sh\necho "$HCCL_SOCKET_IFNAME $GLOO_SOCKET_IFNAME $TP_SOCKET_IFNAME: $*"\n')
    program.chmod(0o755)
    nodes = [
        {"address": "127.0.0.9", "name": "node1"},
        {"address": "10.0.0.2", "name": "node2", "service_address": address},
    ]
    cluster = vllm_cluster(
        engine={"name": "vllm", "version": "0.32.0", "parallel": "tensor"},
        node_list=nodes,
        paths={"state": str(folder)},
    )
    for file in script_files(cluster, cluster.nodes[1], "/root/models/Ling_lite"):
        Path(file.path).parent.mkdir(parents=True, exist_ok=True)
        Path(file.path).write_bytes(file.content)
    layout = cluster.layout
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", layout.start], env=environment, check=False, timeout=60)
    assert Path(layout.exit_status).read_text() == f"{done.returncode}\n"
    return done.returncode, Path(layout.console).read_text()


def test_the_three_variables_name_the_interface_that_has_the_address(tmp_path):
    for address in ("127.0.0.1", "127.0.34.2"):
        status, console = run_start(tmp_path, address)
        assert status == 0
        assert console.startswith("lo lo lo: serve /home/HwHiAiUser/Ascend/Ling_lite")
        assert "--node-rank 1 --master-addr 127.0.0.9" in console


def test_an_address_that_no_interface_has_ends_the_start_with_words(tmp_path):
    status, console = run_start(tmp_path, "192.0.2.250")
    assert status == 1
    assert console == (
        "lingctl: no network interface of this node has the address 192.0.2.250: "
        "correct its service_address\n"
    )
