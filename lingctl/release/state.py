"""The NodeState: what is on a node now, as far as a deploy has to know. Questions and reading; pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lingctl.errors import NodeError
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.tls import certificates_folder
from lingctl.program.answers import read_answers
from lingctl.release.daemon import look_command, read_look
from lingctl.release.journal import Unfinished, journal_command, read_journal, unfinished
from lingctl.release.layout import Layout
from lingctl.remote.command import script
from lingctl.remote.probe import Answer, Answers, Question
from lingctl.remote.runtime import call, image_command, version_command

# Keys are never fetched: their state is their digest.
_HIDDEN_FILE = (
    'test -e "$1" || { echo absent; exit 0; }; stat -c "%a %u" "$1" && sha256sum <"$1" | cut -c1-64'
)
_FILE = 'test -e "$1" || { echo absent; exit 0; }; stat -c "%a %u" "$1" && cat "$1"'
_ANSWERS = ("runtime", "image", "container", "daemon", "overlay-names", "releases", "journal")
_MAY_BE_UNKNOWN = ("downloaded", "converted")
_LIST = 'cd "$1" 2>/dev/null && ls -1 || true'
_JOURNAL_LINES = 200


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it is: its permission bits, owner and content."""

    mode: int
    owner: int
    content: bytes


@dataclass(frozen=True, slots=True)
class ContainerState:
    """A container as its runtime describes it.

    Attributes:
        status: ``running``, ``exited``, ``created``...
        spec: our label with the digest of the specification it was made from; empty if not ours.
    """

    status: str
    spec: str
    image: str


@dataclass(frozen=True, slots=True)
class WeightsState:
    """A weights folder as the node program describes it (``weights inspect``)."""

    form: str
    complete: bool
    problem: str = ""
    modes_wrong: tuple[str, ...] = ()
    config: Mapping[str, Any] | None = None
    config_text: str = ""
    has_backup: bool = False
    qkv_rows: int | None = None
    dense_columns: int | None = None
    digest: str = ""
    contradictions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeState:
    """What a deploy has to know of one node.

    Attributes:
        node: its name.
        files: the files of a release that are there, by path.
        overlay_names: everything in the overlay's folder.
        started: digest of the release that the daemon was started with; empty after a stop.
        releases: names of the recorded releases' files; see ``release.record``.
        unfinished: the last change of this node, if it did not end well.
    """

    node: str
    files: Mapping[str, FileState] = field(default_factory=dict)
    image_present: bool = False
    runtime_problem: str = ""
    container: ContainerState | None = None
    daemon_pid: int | None = None
    started: str = ""
    downloaded: WeightsState | None = None
    converted: WeightsState | None = None
    overlay_names: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    unfinished: Unfinished | None = None

    @property
    def fingerprint(self) -> dict[str, str]:
        """What a plan rests on, by what an operator would call it; weights are not looked at twice."""
        container = self.container
        return {
            **{path: f"{file.mode:o} {hash_of(file.content)}" for path, file in self.files.items()},
            "the overlay's folder": " ".join(self.overlay_names),
            "the container": f"{container.status} {container.spec}" if container else "absent",
            "the daemon": f"{self.daemon_pid} {self.started}",
            "the image": str(self.image_present),
            "the container runtime": self.runtime_problem,
        }


def hash_of(content: bytes) -> str:
    """Sixteen digits that tell one content from another."""
    return hashlib.sha256(content).hexdigest()[:16]


def drift(before: NodeState, now: NodeState) -> list[str]:
    """What changed on a node between two looks at it."""
    old, new = before.fingerprint, now.fingerprint
    return [what for what in {**old, **new} if old.get(what) != new.get(what)]


def state_questions(cluster: Cluster, layout: Layout, image: str, paths: Iterable[str]) -> list[Question]:
    """What to ask a node.

    Args:
        cluster: for the container's name.
        layout: where our files are.
        image: the container image that is wanted.
        paths: files to read.
    """
    secret = f"{certificates_folder(cluster)}/"
    questions = [
        Question(f"file:{path}", script(_HIDDEN_FILE if path.startswith(secret) else _FILE, path), 20)
        for path in paths
    ]
    name, runtime = cluster.container_name, cluster.runtime
    return [
        *questions,
        Question("runtime", version_command(runtime), 20),
        Question("image", image_command(runtime, image), 20),
        Question("container", call(runtime, "inspect", name), 20),
        Question("daemon", look_command(cluster), 20),
        Question("overlay-names", script(_LIST, layout.overlay), 10),
        Question("releases", script(_LIST, layout.releases), 10),
        Question("journal", journal_command(layout.audit, _JOURNAL_LINES), 10),
    ]


def read_state(node: str, answers: Answers, paths: Iterable[str]) -> NodeState:
    """What the answers say.

    Raises:
        NodeError: the probe did not run to its end, or an answer is missing or makes no sense: what is
            unknown must not be taken for absent.
    """
    paths = list(paths)
    missing = [name for name in (*_ANSWERS, *(f"file:{path}" for path in paths)) if name not in answers]
    if missing or not answers.complete:
        raise NodeError(
            "the probe did not run to its end",
            where=node,
            evidence=f"no answer: {', '.join(missing[:5])}" if missing else "",
            remedy="run the same command again; if it stays so, log in by hand: the shell must run POSIX sh, "
            "mktemp, timeout and base64",
            code="probe-incomplete",
        )
    runtime = answers["runtime"]
    if runtime.exit_status == 0:
        _need_answers(node, answers)
    daemon = read_look(answers["daemon"].stdout)
    return NodeState(
        node=node,
        files={path: state for path in paths if (state := _file(node, path, answers[f"file:{path}"]))},
        image_present=answers["image"].exit_status == 0,
        runtime_problem="" if runtime.exit_status == 0 else _first_line(runtime),
        container=_container(node, answers["container"]),
        daemon_pid=daemon.pid,
        started=daemon.started,
        downloaded=_weights(answers, "downloaded"),
        converted=_weights(answers, "converted"),
        overlay_names=tuple(answers["overlay-names"].stdout.split()),
        releases=tuple(answers["releases"].stdout.split()),
        unfinished=unfinished(read_journal(answers["journal"].stdout)),
    )


def _need_answers(node: str, answers: Answers) -> None:
    silent = [name for name, answer in answers.items() if answer.timed_out and name not in _MAY_BE_UNKNOWN]
    if silent:
        raise NodeError(
            "did not answer in time",
            where=node,
            evidence=", ".join(silent),
            remedy="see what keeps the machine busy: uptime; ps aux --sort=-pcpu | head",
            code="probe-timeout",
        )
    container = answers["container"]
    if container.exit_status != 0 and "no such" not in container.stderr.lower():
        raise NodeError(
            "the container runtime does not tell whether the container is there",
            where=node,
            evidence=_first_line(container),
            remedy="inspect the container on the node (docker inspect NAME, podman inspect NAME)",
            code="container-unreadable",
        )


def _file(node: str, path: str, answer: Answer) -> FileState | None:
    head, _, content = answer.stdout.partition("\n")
    if head == "absent":
        return None
    if answer.exit_status != 0:
        raise NodeError(
            f"{path} is there and cannot be read",
            where=node,
            evidence=_first_line(answer),
            remedy=f"ls -ld {path} on the node; dmesg, if its disk fails",
            code="file-unreadable",
        )
    mode, owner = head.split()
    return FileState(int(mode, 8), int(owner), content.encode())


def _container(node: str, answer: Answer) -> ContainerState | None:
    if answer.exit_status != 0:
        return None
    try:
        described = json.loads(answer.stdout)[0]
        labels = described["Config"].get("Labels") or {}
        return ContainerState(
            described["State"]["Status"], labels.get("lingctl.spec", ""), described["Config"].get("Image", "")
        )
    except (ValueError, LookupError, TypeError) as error:
        raise NodeError(
            "inspect answers what we cannot read",
            where=node,
            evidence=answer.stdout[:300],
            code="container-unreadable",
        ) from error


def _weights(answers: Answers, name: str) -> WeightsState | None:
    answer = answers.get(name)
    if answer is None:
        return None
    told = read_answers(answer.stdout)
    if told.result is None:
        problem = told.last.get("what") or _first_line(answer)
        return WeightsState("unknown", False, str(problem))
    return weights_state(told.result)


def weights_state(result: Mapping[str, Any]) -> WeightsState:
    """A WeightsState from the node program's result document."""
    config = result.get("config")
    shapes = result.get("shapes") or {}
    qkv, dense = shapes.get("query_key_value"), shapes.get("dense")
    return WeightsState(
        form=str(result.get("form", "unknown")),
        complete=bool(result.get("complete", False)),
        problem=str(result.get("problem") or ""),
        modes_wrong=tuple(result.get("modes_wrong") or ()),
        config=config if isinstance(config, dict) else None,
        config_text=str(result.get("config_text") or ""),
        has_backup=bool(result.get("has_backup", False)),
        qkv_rows=int(qkv[0]) if qkv else None,
        dense_columns=int(dense[1]) if dense else None,
        digest=str(result.get("digest") or ""),
        contradictions=tuple(map(str, result.get("contradictions") or ())),
    )


def _first_line(answer: Answer) -> str:
    if answer.timed_out:
        return "no answer in time"
    said = (answer.stderr.strip() or answer.stdout.strip()).splitlines()
    return said[0] if said else f"exit status {answer.exit_status}"
