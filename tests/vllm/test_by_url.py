"""`vllm serve` as somebody else runs it: a base model without a chat template, a short window, an API key."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lingctl.sandbox.engine.tiny_models.checkpoint import make_checkpoint
from lingctl.sandbox.vllm import installation
from tests import forked

KEY = "s3cret"
WINDOW = 256
# What there is of a cluster that lingctl deployed, and not of a service at some URL.
OF_CLUSTERS = ("lingctl logs", "lingctl status", "lingctl patch", "hosts.yaml", "serving.", "the primary")


@pytest.fixture(scope="module")
def url(vllm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    make_checkpoint(folder / "model", "lite", "safetensors")
    settings = folder / "model" / "tokenizer_config.json"
    told = json.loads(settings.read_text())
    settings.write_text(json.dumps({name: value for name, value in told.items() if name != "chat_template"}))
    for template in (folder / "model").glob("chat_template*"):
        template.unlink()
    for told_before in installation.cached(vllm):  # what it finds out of a model, in some seconds
        (folder / "cache" / "modelinfos").mkdir(parents=True, exist_ok=True)
        shutil.copy(told_before, folder / "cache" / "modelinfos")
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    words = [vllm / "bin" / "vllm", "serve", folder / "model", "--host", "127.0.0.1", "--port", port]
    words += ["--served-model-name", "tiny", "--trust-remote-code", "--dtype", "bfloat16", "--enforce-eager"]
    words += ["--max-model-len", WINDOW, "--max-num-seqs", 8, "--kv-cache-memory-bytes", "64M"]
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_HOST_IP": "127.0.0.1",
        "GLOO_SOCKET_IFNAME": "lo",
        "OMP_NUM_THREADS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_CACHE_ROOT": str(folder / "cache"),
        "VLLM_API_KEY": KEY,
    }
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen([str(w) for w in words], stdout=log, stderr=log, env=environment) as server,
    ):
        try:
            while "Application startup complete" not in (folder / "log").read_text():
                assert server.poll() is None, (folder / "log").read_text()[-3000:]
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def asked(*words: object, folder: Path, stdin: str = "", key: str = KEY):
    """The command outside any folder with a hosts.yaml; status and all that it said."""
    environment = {**os.environ, "LINGCTL_API_KEY": key}
    done = forked.run(*map(str, words), cwd=folder, stdin=stdin, env=environment, timeout=300)
    said = done.stdout + done.stderr
    assert not [part for part in OF_CLUSTERS if part in said], said
    return done.returncode, done.stdout, said


def test_without_its_key_the_key_is_asked_for(url, tmp_path):
    status, _, said = asked("smoke-test", "--url", url, folder=tmp_path, key="")
    assert status == 1 and "LINGCTL_API_KEY" in said
    status, _, said = asked("ask", "--url", url, "--model", "tiny", "Hi", folder=tmp_path, key="")
    assert status == 1 and "LINGCTL_API_KEY" in said


def test_every_rung_passes_and_it_is_found_out_that_it_is_a_base_model(url, tmp_path):
    status, out, said = asked("smoke-test", "--url", url, "--json", folder=tmp_path)
    report = json.loads(out)
    assert (status, report["kind"], report["model"]) == (0, "base", "tiny"), said
    assert {finding["verdict"] for finding in report["findings"]} == {"pass"}, said


def test_bench_finds_that_out_too(url, tmp_path):
    sizes = ("--requests", 12, "--concurrency", 4, "--input-len", 100, "--output-len", 8, "--json")
    status, out, said = asked("bench", "--url", url, *sizes, folder=tmp_path)
    assert status == 0, said
    found = json.loads(out)["metrics"]
    assert (found["completed"], found["errors"], found["counted"]) == (12, {}, True)
    assert found["output_tokens"] == 12 * 8
    assert found["input_tokens"] / 12 == pytest.approx(100, rel=0.1)


def test_ask_and_chat_continue_a_text(url, tmp_path):
    status, out, said = asked("ask", "--url", url, "My name is Olivier and I", folder=tmp_path)
    assert status == 0 and out.strip(), said
    status, out, said = asked("chat", "--url", url, folder=tmp_path, stdin="My name is Olivier and I\n")
    assert status == 0 and out.strip(), said


def test_what_does_not_fit_and_what_is_not_served_are_told(url, tmp_path):
    status, _, said = asked("ask", "--url", url, "--kind", "base", "-", folder=tmp_path, stdin="word " * 2000)
    assert status == 1 and "does not fit" in said, said
    status, _, said = asked("ask", "--url", url, "--kind", "base", "--model", "other", "Hi", folder=tmp_path)
    assert status == 1 and "--model" in said, said
    status, _, said = asked("smoke-test", "--url", url, "--model", "other", folder=tmp_path)
    assert status == 1 and "'other' is not listed" in said, said
