"""Whatever a node answers to whatever it is asked, a verb ends with an error that names it."""

from __future__ import annotations

import base64
import gc
import io
import math
import os
import resource
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest

from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import Node
from lingctl.output.screen.terminal import MOST_OF_AN_ANSWER
from lingctl.remote import group
from lingctl.remote.command import Command
from lingctl.remote.completed import Completed, OutputListener
from lingctl.remote.upload import WriteFile
from tests.field import Ran, judge
from tests.forked import import_lingctl

DEEP = "[" * 20_000
MARK = "\x1e"
ANSWERS: dict[str, str] = {
    "nothing": "",
    "escapes": "\x1b]0;t\x07\x9b31m\u202e\x85 \x1b[2J\n",
    "a deep list": DEEP + "\n",
    "a lock and half a character": 'held 5 tok\n{"who":"\\ud800","command":7,"since":[],"pid":"x"}',
    "a lock of a number without an end": f"held {'9' * 5000} tok\n{{}}",
    "lines of JSON that are none of ours": '{"event":"result"}\n{"event":5}\n[1]\nnull\n{"event":"begin"}\n',
    "a result of other types": '{"event":"result","folder":{},"files":"x","port":[],"stopped":5}\n',
    "an error of other types": '{"event":"error","what":{"a":1},"where":[],"code":7,"exit_status":"x"}\n',
    "numbers without an end": ("9" * 5000 + " ") * 20 + "\n",
    "numbers that are none": "-1 nan 1e999 ٣ ² 0x10 1_000\n" * 20,
    "a very long line": "x" * 150_000,
    "no text": "\ufffd\x00\ufffd" * 1000,
    "a Python that is none": "python x y z w v u\npython 3 99999999999 1 python3 /usr/bin/python3 x\nimage\n",
}


def _framed(command: str, said: str) -> str:
    """The answers of a probe, each of them ``said``; what is no probe gets it as it is."""
    if "lingctl-end" not in command:
        return said
    words = shlex.split(command)
    text = base64.b64encode(said.encode("utf-8", "replace")).decode()
    ids = [word for word, following in pairwise(words) if _is_limit(following)]
    frames = "".join(f"{MARK}{one} 0\n{text}\n{MARK}\n{text}\n" for one in ids)
    return f"{frames}{MARK}lingctl-end\n"


def _is_limit(word: str) -> bool:
    return word.replace(".", "", 1).isdigit()


class Hostile:
    """A connection to a node that answers everything in one way."""

    def __init__(self, node: str, said: str, status: int) -> None:
        self.node = node
        self._said, self._status = said, status

    def run(
        self, command: Command, *, timeout: float = 60.0, on_output: OutputListener | None = None
    ) -> Completed:
        said = _framed(command.text, self._said)
        if on_output:
            on_output(said.encode("utf-8", "replace"))
        return Completed(command, self._status, said, self._said)

    def put(self, *files: WriteFile, placed: Callable[[WriteFile], None] = lambda _: None) -> None:
        for file in files:
            placed(file)

    def get(self, path: str) -> bytes:
        return self._said.encode("utf-8", "replace")

    def forward(self, host: str, port: int) -> AbstractContextManager[tuple[str, int]]:
        return nullcontext(("127.0.0.1", 9))

    def close(self) -> None:
        pass


VERBS = {
    "status": ("status",),
    "status --json": ("status", "--json"),
    "logs": ("logs",),
    "logs --since": ("logs", "--since", "5m"),
    "audit": ("audit",),
    "audit --json": ("audit", "--json"),
    "lock status": ("lock", "status"),
    "lock status --json": ("lock", "status", "--json"),
    "lock break": ("lock", "release", "--yes"),
    "releases": ("releases",),
    "check-network": ("check-network", "--mesh", "off"),
    "check-network --json": ("check-network", "--mesh", "off", "--json"),
    "collect": ("collect", "--to", "BUNDLE"),
    "npu-check": ("npu-check",),
    "prove": ("prove",),
    "render": ("render", "--live"),
    "deploy": ("deploy", "--yes"),
    "restart": ("restart", "--yes"),
    "stop": ("stop", "--yes"),
    "rollback": ("rollback", "--yes"),
    "download": ("download", "Ling-lite"),
    "download --stop": ("download", "Ling-lite", "--stop"),
    "patch": ("patch", "--check"),
    "batch --offline": ("batch", "in.jsonl", "-o", "out.jsonl", "--offline"),
}
_TWO_NODES = "nodes: [{address: 127.0.0.1, name: n1}, {address: 127.0.0.2, name: n2}]\n"
# What a verb needs that the usual cluster is not.
CLUSTERS = {"batch --offline": 'engine: {name: vllm, version: "0.32.0"}\nnodes: [{address: 127.0.0.1}]\n'}
_REQUEST = (
    '{"custom_id": "a", "method": "POST", "url": "/v1/completions", "body": {"prompt": "Who are you?"}}\n'
)


@pytest.fixture(scope="module", autouse=True)
def _all_is_loaded() -> None:
    """Before the command line is forked: each fork would do it again."""
    import_lingctl()
    # Of what is there now a fork need not look for garbage: it would copy all of it.
    gc.collect()
    gc.freeze()


def _typed(*words: str) -> Ran:
    """Run the command line in a fork of this process, with the connections that a test has put into it."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as said:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if not child:
            _become(words, said.fileno())
        _, status = os.waitpid(child, 0)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    # Its memory is that of this process too, and so not known.
    return Ran(os.waitstatus_to_exitcode(status), text, time.monotonic() - begun, peak_mb=math.nan)


def _become(words: Sequence[str], output: int) -> NoReturn:
    from lingctl.cli.app import main

    status = 70
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
        for name in [name for name in os.environ if name.startswith("LINGCTL_")]:
            del os.environ[name]
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdin = io.StringIO()
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        sys.argv = ["lingctl", *words]
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        os._exit(status)


def _most_printed(verb: str) -> int:
    """In characters: of logs, a line of each node, cut where lines of answers are."""
    if verb == "logs":
        return 2 * MOST_OF_AN_ANSWER + 1_000
    return 4_000_000 if "--json" in verb else 100_000


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("verb", VERBS)
def test_no_answer_makes_a_verb_fall_over(
    verb: str, answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text(
        "name: demo\nmodel: Ling-lite\ntimeouts: {start: 2, stop: 2, command: 2}\n"
        + CLUSTERS.get(verb, _TWO_NODES)
    )
    (tmp_path / "in.jsonl").write_text(_REQUEST)
    monkeypatch.chdir(tmp_path)
    words = [str(tmp_path / "b.tar.gz") if word == "BUNDLE" else word for word in VERBS[verb]]
    for status in (0, 1) if answer in ("nothing", "escapes") else (0,):

        def reach(cluster: Cluster, node: Node, status: int = status) -> Hostile:
            return Hostile(node.name, ANSWERS[answer], status)

        monkeypatch.setattr(group, "connect_node", reach)
        ran = _typed(*words, "--nodes", str(hosts))
        assert not judge({"seconds": 300, "output": _most_printed(verb)}, ran)
