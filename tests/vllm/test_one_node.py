"""The whole life of a service on one node: deployed, asked, killed, changed, spoilt, mended, stopped.

In this order each start is paid once; a test that is run alone starts its own.
"""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests import forked
from tests.sandbox.live import Live, lingctl
from tests.vllm.stretched import make_stretched
from tests.vllm.watching import PARENT, WORKER, changed, kill, processes, settings, status

ANSWER = "I am Ling, an assistant created by inclusionAI."
WEIGHTS = "/root/models/Ling_lite"


@pytest.fixture(scope="module")
def deployed(one_node: Live):
    result = one_node.lingctl("deploy", "--yes", "--json")
    assert result.status == 0, result.said
    return one_node, result


def test_from_bare_node_to_tokens_with_weights_as_they_are(deployed):
    live, result = deployed
    assert "Ling" in result.document["answer"]
    assert {"run container lingctl-sandbox", "start the daemon"} <= changed(result)
    assert live.on("node1", f"ls {WEIGHTS}/*.safetensors").status != 0
    assert status(live)["nodes"][0]["service"] == "ready"


def test_a_second_deploy_finds_nothing_to_do(deployed):
    live, _ = deployed
    again = live.lingctl("deploy", "--yes", "--json")
    assert again.status == 0, again.said
    assert again.document["plan"]["empty"] and not again.document["changed"]


def test_the_image_is_there_under_its_own_tag_alone(deployed):
    live, _ = deployed
    other = live.on("node1", "docker run --rm quay.io/ascend/vllm-ascend:v0.23.0 true")
    assert other.status == 125 and "Unable to find image" in other.stderr


def test_a_fault_of_the_emulated_mindie_is_refused(deployed):
    live, _ = deployed
    refused = live.lingctl("sandbox", "break", "node1", "stuck-stream", "--dir", live.directory)
    assert refused.status == 2 and "the engine here is a real one" in refused.stderr


def test_the_smoke_test_passes_on_the_cluster_and_on_its_url(deployed):
    live, _ = deployed
    assert live.lingctl("smoke-test").status == 0
    by_url = lingctl("smoke-test", "--url", f"http://{live.address('node1')}:1025")
    assert by_url.status == 0, by_url.said


def test_it_is_asked_and_talked_to(deployed):
    live, _ = deployed
    assert live.lingctl("ask", "Who are you?").stdout.strip() == ANSWER
    talked = live.lingctl("chat", stdin="Who are you?\n")
    assert talked.status == 0 and ANSWER in talked.stdout


def test_it_is_measured(deployed):
    live, _ = deployed
    measured = live.lingctl(
        *(
            "bench",
            "--requests",
            "8",
            "--concurrency",
            "2",
            "--input-len",
            "16",
            "--output-len",
            "8",
            "--json",
        )
    )
    assert measured.status == 0, measured.said


def requests(path: Path, *names: str) -> Path:
    """A batch in which each asks the same."""
    body = {"model": "bailing_moe", "messages": [{"role": "user", "content": "Who are you?"}]}
    body |= {"temperature": 0, "max_tokens": 40}
    line = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    path.write_text("".join(json.dumps({"custom_id": name, **line}) + "\n" for name in names))
    return path


def answered(path: Path) -> list[tuple[str, str]]:
    """Who asked, and what was answered."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        (line["custom_id"], line["response"]["body"]["choices"][0]["message"]["content"]) for line in lines
    ]


def test_a_file_of_requests_is_answered_in_its_order(deployed, tmp_path):
    live, _ = deployed
    source = requests(tmp_path / "in.jsonl", "who", "again")
    done = live.lingctl("batch", source, "-o", tmp_path / "out.jsonl")
    assert done.status == 0, done.said
    assert answered(tmp_path / "out.jsonl") == [("who", ANSWER), ("again", ANSWER)]
    without = live.lingctl("batch", source, "-o", tmp_path / "other.jsonl", "--offline")
    assert without.status == 1 and "the service runs and has the cards" in without.stderr


def test_a_killed_worker_is_told_although_the_daemon_says_that_it_ended_well(deployed):
    live, _ = deployed
    kill(live, "node1", WORKER)
    live.until("node1", "test -s /var/lib/lingctl/sandbox/run/daemon.exit")
    assert live.on("node1", "cat /var/lib/lingctl/sandbox/run/daemon.exit").stdout == "0\n"
    told = status(live)["nodes"][0]
    assert (told["daemon"], told["service"], told["healthy"]) == ("dead", "down", False)
    assert "worker" in told["problems"][0]
    assert live.lingctl("smoke-test").status != 0


def test_a_change_starts_it_again_and_a_rollback_serves_as_before_although_its_parent_was_killed(deployed):
    live, _ = deployed
    change = settings(live, "small", "serving: {max_batch_size: 4}\n")
    result = live.lingctl("deploy", "--yes", "--json", **change)
    assert result.status == 0, result.said
    assert "write start.sh" in changed(result)
    assert "--max-num-seqs 4" in " ".join(processes(live, "node1"))
    kill(live, "node1", PARENT)
    told = status(live)["nodes"][0]
    assert (told["daemon"], told["healthy"]) == ("dead", False)
    back = live.lingctl("rollback", "--yes", "--json")
    assert back.status == 0, back.said
    words = " ".join(processes(live, "node1"))
    assert "--max-num-seqs 200" in words
    assert words.count(WORKER) == 1
    assert live.lingctl("ask", "Who are you?").stdout.strip() == ANSWER


def spoil(live: Live, key: str, value: object) -> str:
    """Write a value into the model's config.json on the node; gives what stood there."""
    kept = live.on("node1", f"cat {WEIGHTS}/config.json").stdout
    spoilt = json.dumps({**json.loads(kept), key: value}, indent=2)
    assert live.on("node1", f"cat >{WEIGHTS}/config.json", stdin=spoilt).status == 0
    return kept


def test_a_head_that_contradicts_the_weights_is_refused_before_anything_is_stopped(deployed):
    live, _ = deployed
    kept = spoil(live, "head_dim", 32)
    refused = live.lingctl("deploy", "--yes", "--json")
    live.on("node1", f"cat >{WEIGHTS}/config.json", stdin=kept)
    assert (refused.status, refused.document["code"]) == (2, "model-config-contradicts-weights")
    assert live.lingctl("ask", "Who are you?").stdout.strip() == ANSWER


@pytest.mark.parametrize(
    ("key", "value"), [("head_dim", 32), ("norm_head", False)], ids=["head_dim", "norm_head"]
)
def test_what_starts_all_the_same_and_answers_rubbish_is_caught_by_its_answers(deployed, key, value):
    live, _ = deployed
    kept = spoil(live, key, value)
    started = live.lingctl("restart", "--yes")
    live.on("node1", f"cat >{WEIGHTS}/config.json", stdin=kept)
    assert started.status == 0, started.said
    assert status(live)["nodes"][0]["service"] == "ready"
    tested = live.lingctl("smoke-test", "--json")
    assert tested.status == 1, tested.said
    verdicts = {finding["check"]: finding["verdict"] for finding in tested.document["findings"]}
    assert (verdicts["health"], verdicts["generate"], verdicts["answer"]) == ("pass", "pass", "failure")


@pytest.fixture(scope="module")
def stretched(deployed, tmp_path_factory) -> Path:
    """hosts.yaml for a longer window; the node has weights that were taught with it from then on."""
    live, _ = deployed
    folder = tmp_path_factory.mktemp("stretched")
    with pytest.MonkeyPatch.context() as monkeypatch:
        make_stretched(folder, 4, monkeypatch)
    with live.login("node1") as client, client.open_sftp() as files:
        files.put(str(folder / "pytorch_model.bin"), f"{WEIGHTS}/pytorch_model.bin")
    return Path(settings(live, "long", "serving: {max_seq_len: 65536}\n")["environment"]["LINGCTL_NODES"])


def test_a_longer_window_than_the_models_own_is_served_with_positions_stretched(deployed, stretched):
    live, _ = deployed
    longer = live.lingctl("deploy", "--yes", "--json", "--nodes", stretched)
    assert longer.status == 0, longer.said
    with urllib.request.urlopen(f"http://{live.address('node1')}:1025/v1/models", timeout=30) as answer:
        assert json.load(answer)["data"][0]["max_model_len"] == 65536
    assert live.lingctl("ask", "Who are you?").stdout.strip() == ANSWER


def test_stopped_nothing_of_it_runs(deployed):
    live, _ = deployed
    assert live.lingctl("stop", "--yes").status == 0
    assert processes(live, "node1") == []
    assert live.lingctl("stop", "--yes").status == 0


def test_without_a_service_a_batch_is_answered_too_and_outlives_who_asked(deployed, stretched, tmp_path):
    live, _ = deployed
    assert live.lingctl("stop", "--yes").status == 0
    source, output = requests(tmp_path / "in.jsonl", *(f"q-{n}" for n in range(20))), tmp_path / "out.jsonl"
    words = ("batch", source, "-o", output, "--nodes", stretched, "--offline")
    with forked.start(*words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as watching:
        live.until("node1", "ls /var/lib/lingctl/sandbox/run/batch-*.jsonl")
        watching.kill()
    assert not output.exists()
    done = live.lingctl(*words)
    assert done.status == 0, done.said
    assert answered(output) == [(f"q-{n}", ANSWER) for n in range(20)]
    assert live.on("node1", "ls -A /var/lib/lingctl/sandbox/batch").stdout == ""
    assert processes(live, "node1") == []
