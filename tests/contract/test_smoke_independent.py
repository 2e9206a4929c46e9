"""smoke-test and bench against an OpenAI-compatible server that has nothing to do with this project."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import forked
from tests.serving_server import Serving, make_certificate, serve

MOCKLLM = Path(sys.executable).parent / "mockllm"
RESPONSES = """
responses:
  "what is this?": "It is a server that knows a few sentences."
defaults:
  unknown_response: "I do not know what to say to that, but I am here to help you."
settings:
  lag_enabled: false
"""


def lingctl(*arguments, folder, **environment):
    """Run the command outside any folder with a hosts.yaml; gives exit status, standard output, error."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("LINGCTL_")}
    done = forked.run(*arguments, cwd=folder, env={**env, **environment}, timeout=120)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    if not MOCKLLM.exists():
        pytest.skip("mockllm is not installed (requirements-test.txt)")
    responses = tmp_path_factory.mktemp("mockllm") / "responses.yml"
    responses.write_text(RESPONSES)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [MOCKLLM, "start", "-r", responses, "-h", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def test_smoke_test(url, tmp_path):
    status, out, _ = lingctl("smoke-test", "--url", url, "--model", "any", "--json", folder=tmp_path)
    report = json.loads(out)
    verdicts = {finding["check"]: finding["verdict"] for finding in report["findings"]}
    # It answers a request without messages by 500, a fault of its own that is rightly found.
    assert verdicts == {
        **dict.fromkeys(("port", "tls", "generate", "answer", "finish", "tokens", "repeat"), "pass"),
        **dict.fromkeys(("stream", "first-token"), "pass"),
        **dict.fromkeys(("health", "models"), "note"),
        "bad-request": "failure",
    }
    assert status == 1
    assert report["answer"]


def test_bench(url, tmp_path):
    status, out, _ = lingctl(
        *("bench", "--url", url, "--model", "any", "--requests", 20, "--concurrency", 4, "--json"),
        folder=tmp_path,
    )
    report = json.loads(out)
    assert status == 0, out
    metrics = report["metrics"]
    assert (metrics["requests"], metrics["completed"], metrics["errors"]) == (20, 20, {})
    assert metrics["ttft"]["p50"] <= metrics["end_to_end"]["p50"]


def test_words_for_people_and_exit_statuses(tmp_path):
    with serve(Serving(key="s3cret")) as url:
        status, out, err = lingctl("smoke-test", "--url", url, folder=tmp_path, LINGCTL_API_KEY="s3cret")
        assert status == 0, out
        assert "I am Ling" in out
        assert "s3cret" not in out + err
        status, out, _ = lingctl("smoke-test", "--url", url, folder=tmp_path)
        assert status == 1
        assert "LINGCTL_API_KEY" in out
    with serve(Serving("not-repeatable")) as url:
        assert lingctl("smoke-test", "--url", url, folder=tmp_path)[0] == 3
    assert lingctl("smoke-test", "--url", "http://127.0.0.1:1", folder=tmp_path)[0] == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--url", "ftp://x"), "is not an http or https URL"),
        (("--url", "http://u:p@x"), "LINGCTL_API_KEY"),
        (("--url", "http://127.0.0.1:1", "--nodes", "hosts.yaml"), "exclude each other"),
        (("--url", "https://127.0.0.1:1", "--ca", "missing.pem"), "no such file: missing.pem"),
        (("--url", "https://127.0.0.1:1", "--key", "KEY"), "--key needs --cert"),
    ],
)
def test_bad_options_are_refused_in_words(tmp_path, arguments, words):
    key = make_certificate(tmp_path / "key.pem")
    for verb in ("smoke-test", "bench"):
        given = [str(key) if argument == "KEY" else argument for argument in arguments]
        status, _, err = lingctl(verb, *given, folder=tmp_path)
        assert status == 2
        assert words in err
        assert "Traceback" not in err
