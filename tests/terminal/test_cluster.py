"""What an operator sees: a whole life of a service on a terminal, interrupted in every stage.

The tests stand in the order of that life and share one cluster: each takes up what the one before left.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.forked import LINGCTL
from tests.hub_server import Fault, Hub, serve
from tests.sandbox.live import Live
from tests.terminal.screen import CTRL_C, CTRL_D, Terminal, left_in_order, terminal

pytestmark = pytest.mark.sandbox
LARGE = (120, 40)
REPOSITORY = "someone/Tiny-Ling"
# A node that answers, on a machine that is busy with other things.
LONG = 240.0


@contextmanager
def typed(live: Live, *words: str | Path, **options: Any) -> Iterator[Terminal]:
    """A command of lingctl on a terminal."""
    environment = {"LINGCTL_NODES": str(live.hosts), **options.pop("environment", {})}
    with terminal(LINGCTL, *words, environment=environment, **options) as shown:
        yield shown


def is_free(live: Live) -> bool:
    """Whether nobody holds the cluster's lock: there is no file, not only a holder that is gone."""
    return live.on("node1", "ls /var/lib/lingctl/sandbox/lock").status != 0


def interrupted(live: Live, shown: Terminal, status: int = 130) -> None:
    """It ends as interrupted, in order, and leaves nothing behind that a person has to clear away."""
    assert shown.end(60) == status, str(shown)
    left_in_order(shown)
    assert is_free(live)


def asked(shown: Terminal, answer: str = "y\n") -> None:
    """Wait for the question, and answer it."""
    shown.until(r"Do this\? \[y/N\]", LONG)
    shown.press(answer)


@pytest.mark.parametrize("stage", ["… node1 connect|✓ node1 connect", "… node1 ask the node"])
def test_ctrl_c_while_it_looks(cluster: Live, stage: str):
    with typed(cluster, "deploy") as shown:
        shown.until(stage, LONG)
        shown.press(CTRL_C)
        interrupted(cluster, shown)
        assert shown.shows("error: interrupted")


@pytest.mark.parametrize(("keys", "status"), [(CTRL_C, 130), (CTRL_D, 1)])
def test_whoever_does_not_agree_has_changed_nothing(cluster: Live, keys: str, status: int):
    with typed(cluster, "deploy", size=LARGE) as shown:
        asked(shown, keys)
        interrupted(cluster, shown, status)
        assert shown.shows("^error: interrupted" if status == 130 else "^Nothing was changed")


# Each is begun by the run that the one before left half-done; the last one brings it to its end.
STAGES = ("write config.json", "run container", "ready")


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_in_each_stage_of_a_change_and_the_recovery(cluster: Live, stage: str):
    # Where nodes are quick, more than the stage of before was done when its run heard of the end.
    cluster.on("node1", "docker rm -f lingctl-sandbox")
    with typed(cluster, "deploy") as shown:
        asked(shown)
        shown.until(rf"[…✓] (node1 )?{stage}", LONG)
        shown.press(CTRL_C)
        interrupted(cluster, shown)


def test_the_next_deploy_tells_what_was_half_done_and_ends_it(cluster: Live):
    cluster.lingctl("stop", "--yes")
    with typed(cluster, "deploy", size=LARGE) as shown:
        asked(shown)
        shown.until("[…✓] node1 load the model", LONG)
        shown.press(CTRL_C + CTRL_C)  # at once: the second is not to be echoed behind the last word
        interrupted(cluster, shown)
    with typed(cluster, "deploy", "--yes") as shown:
        assert shown.end(LONG) == 0, str(shown)
        left_in_order(shown)
        assert shown.shows("earlier change half-done before, gone on with now")
        assert shown.shows("✓ ready first answer")
    assert is_free(cluster)
    assert cluster.lingctl("status").status == 0


def test_a_check_that_is_accepted_is_told_and_holds_nothing_up(cluster: Live, tmp_path: Path):
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text(cluster.hosts.read_text() + "serving: {npu_memory_fraction: 0.03}\n")
    with typed(
        cluster, "deploy", "--dry-run", "--accept", "capacity", environment={"LINGCTL_NODES": str(hosts)}
    ) as shown:
        assert shown.end(LONG) == 0, str(shown)
        left_in_order(shown)
        assert shown.shows("capacity failure, accepted")


@pytest.fixture(scope="module")
def served(cluster: Live) -> Live:
    """The cluster as the tests above leave it, also where one of these runs alone."""
    assert cluster.lingctl("deploy", "--yes").status == 0
    return cluster


def test_logs_are_followed_until_ctrl_c(served: Live):
    with typed(served, "logs", "-f") as shown:
        shown.until("node1 | Daemon start success!", LONG)
        shown.resize(*LARGE)
        shown.press(CTRL_C)
        assert shown.end(60) == 130
        left_in_order(shown)
        assert not shown.shows("^error|Traceback")


def test_a_watched_status_is_drawn_in_place_until_ctrl_c(served: Live):
    with typed(served, "status", "--watch", "0.2", size=LARGE) as shown:
        shown.until("^node1 +running +running .* ready", LONG)
        first = next(line for line in shown.screen.display if "every 0.2 s" in line)
        shown.when(lambda: first not in shown.screen.whole, "a second look", LONG)
        shown.press(CTRL_C)
        assert shown.end(60) == 130
        left_in_order(shown)
        assert len([line for line in shown.screen.whole if "every 0.2 s" in line]) == 1
        assert not shown.shows("^error|Traceback")


def test_a_watched_status_in_a_pipe_is_one_look_after_the_other_and_ends_with_its_reader(served: Live):
    script = f"set -o pipefail; {LINGCTL} status --watch 0.1 --json | head -n 2 | cut -c 1-40"
    with terminal("bash", "-c", script, environment={"LINGCTL_NODES": str(served.hosts)}) as shown:
        assert shown.end(60) == 0
        assert len([line for line in shown.screen.whole if line.startswith('{"document": "status"')]) == 2


def test_logs_end_with_who_reads_them(served: Live):
    script = f"set -o pipefail; {LINGCTL} logs -f | head -n 1"
    with terminal("bash", "-c", script, environment={"LINGCTL_NODES": str(served.hosts)}) as shown:
        assert shown.end(60) == 0
        assert shown.shows("^node1 | ")


def test_bench_to_its_end_and_interrupted(served: Live):
    few = ("bench", "--requests", "4", "--concurrency", "2", "--input-len", "8", "--output-len", "4")
    with typed(served, *few) as shown:
        assert shown.end(LONG) == 0, str(shown)
        left_in_order(shown)
        assert shown.shows("✓ bench 4 requests, 0 failed")
    with typed(
        served, "bench", "--requests", "5000", "--input-len", "8", "--output-len", "64", size=LARGE
    ) as shown:
        shown.until("… *bench", LONG)
        shown.resize(80, 24)
        shown.press(CTRL_C)
        interrupted(served, shown)


def test_a_download_is_followed_interrupted_and_taken_up(cluster: Live, tmp_path: Path):
    files = {"model.safetensors": random.Random(5).randbytes(3_000_000), "config.json": b"{}"}
    with serve(Hub(files={REPOSITORY: files})) as hub:
        hub.faults = [Fault("slow", "model.safetensors", rate=100_000)]
        options = {"environment": {"MODELSCOPE_ENDPOINT": hub.url, "MODELSCOPE_HOME": str(tmp_path)}}
        words = ("download", REPOSITORY, "--nodes", cluster.hosts)
        with typed(cluster, *words, **options) as shown:
            shown.until("… node1 download .*% of", LONG)
            shown.press(CTRL_C)
            interrupted(cluster, shown)
            assert shown.shows("going on in the background")
        with typed(cluster, *words, **options) as shown:
            shown.until("a download is running there already: following it", LONG)
            hub.faults = []
            shown.until("… node1 download .*% of", LONG)
            shown.hang_up()
            assert shown.end(60) == 129
        assert is_free(cluster)
        stopped = cluster.lingctl(*words, "--stop", **options)
        assert stopped.status == 0, stopped.said
    cluster.on("node1", "rm -rf /root/models/Tiny_Ling")


@pytest.mark.parametrize("way", ["SIGTERM", "hang-up"])
def test_a_change_ends_with_its_terminal_and_by_sigterm(cluster: Live, way: str):
    with typed(cluster, "restart", "--yes") as shown:
        shown.until("[…✓] node1 load the model", LONG)
        if way == "hang-up":
            shown.hang_up()
        else:
            shown.process.terminate()
        assert shown.end(60) == (129 if way == "hang-up" else 143), str(shown)
    assert is_free(cluster)
