"""The answer proof against the real vLLM: right, it is proved; told wrongly, it is caught."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from lingctl.events import ignore
from lingctl.findings import Verdict
from lingctl.flows.serve.proof_texts import ProofOptions
from lingctl.flows.serve.prove import prove_endpoint
from lingctl.sandbox.engine.tiny_models.checkpoint import make_checkpoint
from lingctl.serving.endpoint import Endpoint
from tests.engine_node import wait_until

NAME = "bailing_moe"


@contextlib.contextmanager
def served(python: Path, folder: Path, weights: Path, *words: str):
    """A service of these weights, and its endpoint."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_HOST_IP": "127.0.0.1",
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_CACHE_ROOT": str(folder / "cache"),
        "HF_HOME": str(folder / "hf"),
    }
    command = [python, "-m", "vllm.entrypoints.cli.main", "serve", weights, "--host", "127.0.0.1"]
    command += ["--port", str(port), "--trust-remote-code", "--enforce-eager", "--served-model-name", NAME]
    command += ["--max-model-len", "1024", "--max-num-seqs", "4", "--kv-cache-memory-bytes", "64M", *words]
    log = folder / "vllm.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, env=environment, stdout=said, stderr=said, start_new_session=True, cwd=folder
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: answers(url, process, log), 900, lambda: log.read_text()[-3000:])
            yield Endpoint(url, "", NAME)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def answers(url: str, process: subprocess.Popen, log: Path) -> bool:
    assert process.poll() is None, log.read_text()[-3000:]
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def made(folder: Path, model: str) -> Path:
    """Weights of a tiny model."""
    make_checkpoint(folder, model, "safetensors")
    return folder


def told(**keys: object) -> tuple[str, str]:
    return "--hf-overrides", json.dumps(keys)


@pytest.mark.parametrize("model", ["lite", "plus"])
def test_a_right_vllm_is_proved(vllm, tmp_path, model):
    weights = made(tmp_path / "weights", model)
    with served(vllm / "bin/python", tmp_path, weights, *told(head_dim=64)) as endpoint:
        reports = [prove_endpoint(endpoint, weights, ProofOptions(kind=kind), ignore) for kind in KINDS]
    for report in reports:
        verdicts = {finding.check: finding.verdict for finding in report.findings}
        assert report.exit_status == 0, report.findings
        assert verdicts == dict.fromkeys(ALL, Verdict.PASS)


KINDS = ("chat", "base")
ALL = (
    "prompt-tokens",
    "greedy",
    "answers",
    "likelihoods",
    "control-experts-exchanged",
    "control-heads-dealt-wrongly",
    "control-router-likelihoods",
    "control-head-normalisation",
)
# vLLM starts with each of these and says nothing.
WRONG = {
    "heads of another width": ("plus", {"head_dim": 32}),
    "head not normalised": ("lite", {"head_dim": 64, "norm_head": False}),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_vllm_that_was_told_wrongly_is_caught(vllm, tmp_path, mistake):
    model, keys = WRONG[mistake]
    weights = made(tmp_path / "weights", model)
    with served(vllm / "bin/python", tmp_path, weights, *told(**keys)) as endpoint:
        report = prove_endpoint(endpoint, weights, ProofOptions(), ignore)
    assert report.exit_status == 1, report.findings
