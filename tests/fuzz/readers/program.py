"""What lingctl's own programs and scripts on nodes answer: a node may be broken, or taken over."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from lingctl.ascend.facts import as_json
from lingctl.errors import LingctlError
from lingctl.events import Event
from lingctl.flows.network.npu_check import NpuAnswer, NpuOptions, _report
from lingctl.flows.overlay.answer import OverlayAnswer
from lingctl.flows.weights.fetched import ListeningPort, Listing, StoppedProgram, WholeFolder
from lingctl.node.fetch.answers import Fetched, Ready
from lingctl.node.fetch.background import StatusFile
from lingctl.node.fetch.listing import read_listing
from lingctl.node.fetch.request import parse
from lingctl.node.foreign_json import foreign_json
from lingctl.node.weights.manifest import MANIFEST, read_manifest
from lingctl.program.answers import read_answers, read_result
from lingctl.program.prepare import _before, _pythons
from lingctl.program.translate import program_error, telling
from lingctl.release.daemon import read_look, read_watch
from lingctl.release.journal import ChangeRun, begin_line, end_line, read_journal, step_line, unfinished
from lingctl.release.record import read_record, recorded
from lingctl.release.state import NodeState, read_state
from lingctl.release.weights_state import each_weights, weights_state
from lingctl.remote import lock
from lingctl.remote.command import command
from lingctl.remote.completed import Completed
from lingctl.remote.connection import Connection
from lingctl.remote.probe import Answer, Answers
from lingctl.remote.putting import check_put
from lingctl.remote.upload import WriteFile
from tests.fuzz.reader import Reader, Wrong
from tests.unit.release.conftest import cluster_of, releases_of

_KINDS: tuple[type[Any], ...] = (
    *(NpuAnswer, OverlayAnswer, Fetched, Listing, Ready, WholeFolder, ListeningPort, StoppedProgram, dict),
)


def _results(data: bytes, _folder: Path) -> object:
    """Lines of the node program: progress, notes, an error, or a result of any kind."""
    told: list[Event] = []
    answers = read_answers(data.decode("utf-8", "replace"))
    again = read_answers(data.decode("utf-8", "replace") + "\r\nnoise\n")
    if answers.last != again.last and not data.strip().endswith(b"}"):
        raise Wrong("words behind the result change it")
    from lingctl.program.answers import Answers as Said

    Said(telling(told.append, "node1"))(data + b"\n")
    if answers.trouble is not None:
        raise program_error(answers.trouble, "node1", "look")
    if answers.result is None:
        return [as_json(one) for one in told]
    results = [_read(kind, answers.result) for kind in _KINDS]
    state = weights_state(answers.result)
    npu = results[0]
    report = _report({"node1": npu}, NpuOptions()) if isinstance(npu, NpuAnswer) else None
    shown = [finding.as_json() for finding in report.findings] if report else []
    return [[as_json(one) for one in told], [as_json(one) for one in results], as_json(state), shown]


def _read(kind: type[Any], result: object) -> object:
    try:
        return read_result(kind, cast(dict[str, Any], result))
    except ValueError as error:
        return str(error)


def _result_seeds() -> list[bytes]:
    def lines(*events: dict[str, object]) -> bytes:
        return b"".join(json.dumps(event).encode() + b"\n" for event in events)

    card = {"card": 0, "rank": 0, "product": "good", "product_error": 1e-3, "reduced": "good", "seconds": 0.5}
    ill = {"card": 1, "rank": 1, "product": "failed", "error": "RuntimeError: NPU out of memory\nEI0006"}
    npu = {"device": "npu", "versions": {"torch": "2.1"}, "found": 1, "expected": 1, "cards": [card, ill]}
    shapes = {"query_key_value": [3072, 2048], "dense": [2048, 2048]}
    weights = {
        "form": "safetensors",
        "complete": True,
        "problem": "",
        "modes_wrong": [],
        "config": {"a": 1},
        "config_text": "{}",
        "generation_config": None,
        "has_backup": False,
        "shapes": shapes,
        "digest": "ab",
        "contradictions": [],
        "in_the_way": [],
    }
    progress = {"event": "progress", "task": "download", "done": 5, "total": 10, "rate": 2e6, "left": 3.5}
    done = {"event": "progress", "task": "sums", "done": 10, "total": 10}
    note = {"event": "note", "text": "it is slow"}
    words = ("what", "where", "evidence", "remedy", "code")
    error = {"event": "error", **dict.fromkeys(words, "disk-full"), "exit_status": 5}
    return [
        lines(progress, done, note, {"event": "result", **npu}),
        lines(progress, {"event": "result", **weights}),
        lines(note, error),
        lines({"event": "result", "free": 5, "size": 7, "path": "/x", "stopped": True, "port": 4}),
    ]


# ---- a node's state, release records, the journal


def _state(data: bytes, _folder: Path) -> object:
    """One answer of a node's state is replaced; then what is recorded and begun is read too."""
    name, _, rest = data.partition(b"\n")
    asked, text = name.decode("utf-8", "replace"), rest.decode("utf-8", "replace")
    answers = {**_STATE, asked: Answer(text, "", 0)} if asked in _STATE else _STATE
    weights = each_weights(answers["weights"], ("downloaded",))
    state = read_state("node1", Answers(answers, complete=True), ("/r/config.json",), weights)
    return [as_json(state.fingerprint), as_json(recorded({"node1": state})), as_json(state.unfinished)]


_STATE = {
    "runtime": Answer("20.10.21\n", "", 0),
    "image": Answer("sha256:11\n", "", 0),
    "container": Answer(
        json.dumps(
            [{"State": {"Status": "running"}, "Config": {"Labels": {"lingctl.spec": "a"}, "Image": "i"}}]
        ),
        "",
        0,
    ),
    "daemon": Answer("alive 77\nabcd\n", "", 0),
    "overlay-names": Answer("a.py\n", "", 0),
    "releases": Answer("20261125-081500-abcd.0123.json\n20261125-081500-abcd.proved\n", "", 0),
    "journal": Answer("", "", 0),
    "file:/r/config.json": Answer("640 0\n{}\n", "", 0),
    "weights": Answer('{"event": "folder", "number": 0, "answer": {"event": "result"}}\n', "", 0),
}


def _state_seeds() -> list[bytes]:
    told = [f"{name}\n{answer.stdout}".encode() for name, answer in _STATE.items()]
    return [*told, b"journal\n" + _journal_text().encode()]


def _journal_text() -> str:
    run = ChangeRun("r1", "lingctl deploy", "root@ops")
    lines = [begin_line(run, "2026-11-25 08:15:00 UTC", ["a step", "b step"])]
    lines += [step_line(run, "now", "a step", "done"), step_line(run, "now", "b step", "failed", "no room")]
    return "\n".join([*lines, end_line(run, "now", "failed", "no room"), lines[0]]) + "\n"


def _journal(data: bytes, _folder: Path) -> object:
    entries = read_journal(data.decode("utf-8", "replace"))
    left = unfinished(entries)
    return [entries, as_json(left), left.description if left else ""]


def _record(data: bytes, _folder: Path) -> object:
    release = read_record("node1", data.decode("utf-8", "replace"))
    states = {"node1": NodeState("node1", started=release.digest)}
    return [as_json(asdict(release)), as_json(recorded(states))]


def _record_seeds() -> list[bytes]:
    from lingctl.release.record import Recording, record_text

    cluster = cluster_of("node1")
    release = releases_of(cluster, {"a": 1})["node1"]
    text = record_text(cluster, release, Recording("20261125-081500-abcd", "now", "root", {"node1": "s"}))
    head, body = (json.loads(line) for line in text.splitlines())
    for part in ("files", "overlay"):
        body[part] = [{**file, "text": file["text"][:40]} for file in body[part][:2]]
    return [
        f"{json.dumps(head)}\n{json.dumps(body)}\n".encode(),
        json.dumps({"id": "a", "digest": "d", "weights": "w"}).encode() + b"\n{}\n",
    ]


# ---- short answers of scripts


class _Node:
    """Says one thing to all that is asked."""

    node = "node1"

    def __init__(self, said: str) -> None:
        self._said = said

    def run(self, asked: object, **_more: object) -> Completed:
        return Completed(command("x"), 0, self._said, "")


def _scripts(data: bytes, _folder: Path) -> object:
    """Locks, daemons, writes and Pythons."""
    text = data.decode("utf-8", "replace")
    pythons = _pythons(text)
    status, status_of_end, console = read_watch(text)
    written = Completed(command("x"), 0, text, text)
    return [
        _told(lambda: _holder(text)),
        as_json(read_look(text)),
        [as_json(status), status_of_end, console[:100]],
        _told(
            lambda: check_put(
                written,
                (WriteFile("/a", b"", 0o640), WriteFile("/b", b"", 0o640)),
                lambda _file: None,
                "node1",
            )
        ),
        as_json(pythons),
        _told(lambda: _before("node1", None, text, pythons, ())),
    ]


def _holder(text: str) -> object:
    holder = lock.show(cast(Connection, _Node(text)), "/var/lib/lingctl/x")
    return None if holder is None else [as_json(holder), holder.is_gone, holder.description]


def _told(what: Callable[[], object]) -> object:
    try:
        return as_json(what())
    except LingctlError as error:
        return [str(error), error.evidence, error.remedy]


def _script_seeds() -> list[bytes]:
    record = lock._record(lock.me("deploy"))
    return [
        f"held 5 abcdef0123456789\n{record}".encode(),
        b"free\n",
        b"alive 77\nabcd\n0\nconsole\n",
        b"unknown no runtime\n\n134\nlast words\n",
        b"file 1\nwhy No space left on device\nspace /dev/sda1 9 5 4 50% /var\ninodes a 9 9 0 100% /\n",
        b"in place\nin place\n",
        b"python 3 11 1 python3 /usr/bin/python3\nimage\n",
    ]


# ---- what lies on a node, read by the program there


def _folder_files(data: bytes, folder: Path) -> object:
    """Requests, listings, manifests and the last event of a download, as files that anybody may change."""
    path = folder / "file"
    path.write_bytes(data)
    (folder / MANIFEST).write_bytes(data)
    (folder / "converted.json").write_bytes(data)
    status = StatusFile(cast(Any, SimpleNamespace(inside=lambda _name: str(path))))
    told = [as_json(status.read()), as_json(read_manifest(str(folder)))]
    try:
        content = foreign_json(data)
    except ValueError:
        return told
    files = _trouble(lambda: read_listing(content, "hub"))
    request = _trouble(lambda: parse(content, "request.json"))
    return [*told, files, request]


def _trouble(what: Callable[[], object]) -> object:
    from lingctl.node.trouble import Trouble

    try:
        return as_json(what())
    except Trouble as trouble:
        error = program_error(trouble.as_event(), "node1")
        return [error.what, error.where, error.evidence]


def _folder_seeds() -> list[bytes]:
    files = [
        {"path": "a/b.safetensors", "size": 5, "sha256": "a" * 64},
        {"path": "c", "size": 0, "git": "b" * 40},
    ]
    summed = {"a": {"sha256": "a" * 64, "size": 5, "state": "1 2"}}
    request = {
        "source": "modelscope",
        "repo": "a/b",
        "revision": "main",
        "token": "",
        "proxy": "",
        "files": files,
    }
    return [
        json.dumps(files).encode(),
        json.dumps({"version": 1, "digest": "d", "companions_digest": "e", "files": summed}).encode(),
        json.dumps(request).encode(),
        json.dumps({"event": "progress", "done": 1, "total": 2}).encode(),
    ]


def _events_made(chance: random.Random) -> bytes:
    """Progress with odd numbers, which honest programs never count."""
    odd = (0, -1, 10**400, 1e300, float("inf"), float("nan"), True, None, "5", 2.5, [], 2**63)
    events = [
        {
            "event": "progress",
            "task": "t",
            **{name: chance.choice(odd) for name in ("done", "total", "rate", "left")},
        }
        for _ in range(3)
    ]
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


_EVENT_WORDS = (
    b'{"event":"result"}\n',
    b'{"event":"error"}\n',
    b'{"event":"progress"}\n',
    b'"exit_status":5,',
)
READERS = (
    Reader("results", _result_seeds, _results, _EVENT_WORDS, _events_made),
    Reader(
        "state", _state_seeds, _state, (b"absent", b"640 0\n", b"alive ", b"dead", b".json\n", b".proved\n")
    ),
    Reader(
        "journal",
        lambda: [_journal_text().encode()],
        _journal,
        (b'{"event":"end","run":"r1","result":"done"}\n',),
    ),
    Reader("records", _record_seeds, _record, (b'"container":', b'"files":[]', b'"mode":')),
    Reader(
        "scripts",
        _script_seeds,
        _scripts,
        (b"held ", b"free", b"why ", b"file ", b"space ", b"alive ", b"python "),
    ),
    Reader("noted", _folder_seeds, _folder_files, (b'"sha256":', b'"size":', b'"../x"', b'"path":')),
)
