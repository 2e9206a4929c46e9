"""The NodeState: what is on a node now, as far as a deploy has to know. Questions and reading; pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lingctl.ascend.host import is_absent
from lingctl.assets import shell
from lingctl.errors import NodeError
from lingctl.node.foreign_json import foreign_json
from lingctl.release.daemon import look_command, need_known, read_look
from lingctl.release.journal import Unfinished, journal_command, read_journal, unfinished
from lingctl.release.site import Site
from lingctl.release.weights_state import NOT_LOOKED, WeightsState, WeightsUnknown, first_line
from lingctl.remote.command import script
from lingctl.remote.probe import Answer, Answers, Question
from lingctl.remote.runtime import call, image_command, version_command

# Keys are never fetched: their state is their digest.
_HIDDEN_FILE = shell("ask/secret_file")
_FILE = shell("ask/file")
_ANSWERS = ("runtime", "image", "container", "daemon", "overlay-names", "releases", "journal")
_MAY_BE_UNKNOWN = ("weights",)
_LIST = shell("ask/names")
_JOURNAL_LINES = 200
# What stat says of a file, before its content.
_MODE_AND_OWNER = re.compile(r"([0-7]{1,6}) ([0-9]{1,10})")


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it is: its permission bits, owner and content."""

    mode: int
    owner: int
    content: bytes


@dataclass(frozen=True, slots=True)
class ContainerState:
    """A container as its runtime describes it."""

    status: str  # ``running``, ``exited``, ``created`` ...
    spec: str  # our label with the digest of the specification it was made from; empty if not ours
    image: str


@dataclass(frozen=True, slots=True)
class NodeState:
    """What a deploy has to know of one node."""

    node: str  # its name
    # the files of a release that are there, by path
    files: Mapping[str, FileState] = field(default_factory=dict)
    image_present: bool = False
    # why the container runtime answers nothing; then nothing is known of image, container and daemon
    runtime_problem: str = ""
    container: ContainerState | None = None
    daemon_pid: int | None = None
    started: str = ""  # digest of the release that the daemon was started with; empty after a stop
    downloaded: WeightsState | WeightsUnknown = NOT_LOOKED
    converted: WeightsState | WeightsUnknown = NOT_LOOKED
    folded: WeightsState | WeightsUnknown = NOT_LOOKED
    overlay_names: tuple[str, ...] = ()  # everything in the overlay's folder
    releases: tuple[str, ...] = ()  # names of the recorded releases' files; see ``release.record``
    unfinished: Unfinished | None = None  # the last change of this node, if it did not end well

    @property
    def container_runs(self) -> bool:
        """Whether its container runs, so that processes may be in it."""
        return self.container is not None and self.container.status == "running"

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


def state_questions(site: Site, image: str, paths: Iterable[str], secret: str) -> list[Question]:
    """What to ask a node; of what is in the folder ``secret`` only the digest."""
    questions = [
        Question(f"file:{path}", script(_HIDDEN_FILE if path.startswith(f"{secret}/") else _FILE, path), 20)
        for path in paths
    ]
    runtime, layout = site.runtime, site.layout
    return [
        *questions,
        Question("runtime", version_command(runtime), 20),
        Question("image", image_command(runtime, image), 20),
        Question("container", call(runtime, "inspect", site.container), 20),
        Question("daemon", look_command(site), 20),
        Question("overlay-names", script(_LIST, layout.overlay), 10),
        Question("releases", script(_LIST, layout.releases), 10),
        Question("journal", journal_command(layout.audit, _JOURNAL_LINES), 10),
    ]


def read_state(
    node: str,
    answers: Answers,
    paths: Iterable[str],
    weights: Mapping[str, WeightsState | WeightsUnknown] = MappingProxyType({}),
) -> NodeState:
    """What the answers say.

    Args:
        weights: what the folders that may hold weights are known to hold, by their name in a NodeState.

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
            code="probe-incomplete",
        )
    runtime, daemon = answers["runtime"], read_look(answers["daemon"].stdout)
    up = runtime.exit_status == 0
    if up:
        _need_answers(node, answers)
        need_known(daemon, node)
    return NodeState(
        node=node,
        files={path: state for path in paths if (state := _file(node, path, answers[f"file:{path}"]))},
        image_present=up and _image_present(node, answers["image"]),
        runtime_problem="" if up else first_line(runtime),
        container=_container(node, answers["container"]),
        daemon_pid=daemon.pid,
        started=daemon.started,
        downloaded=weights.get("downloaded", NOT_LOOKED),
        converted=weights.get("converted", NOT_LOOKED),
        folded=weights.get("folded", NOT_LOOKED),
        overlay_names=_names(node, answers, "overlay-names"),
        releases=_names(node, answers, "releases"),
        unfinished=unfinished(read_journal(_need(node, answers, "journal"))),
    )


def _names(node: str, answers: Answers, name: str) -> tuple[str, ...]:
    """A listing, one name a line: names may hold blanks."""
    return tuple(line for line in _need(node, answers, name).splitlines() if line not in ("", "absent"))


def _need_answers(node: str, answers: Answers) -> None:
    silent = [name for name, answer in answers.items() if answer.timed_out and name not in _MAY_BE_UNKNOWN]
    if silent:
        raise NodeError(
            "did not answer in time", where=node, evidence=", ".join(silent), code="probe-timeout"
        )
    container = answers["container"]
    if container.exit_status != 0 and not is_absent(container.stderr):
        raise container_unreadable(node, first_line(container))


def container_unreadable(node: str, said: str) -> NodeError:
    """The error of a container that is not known to be there or not; ``said`` by its runtime."""
    return NodeError(
        "the container runtime does not tell whether the container is there",
        where=node,
        evidence=said,
        code="container-unreadable",
    )


def _image_present(node: str, answer: Answer) -> bool:
    if answer.exit_status != 0 and not is_absent(answer.stderr):
        raise NodeError(
            "the container runtime does not tell whether the image is there",
            where=node,
            evidence=first_line(answer),
            code="image-unreadable",
        )
    return answer.exit_status == 0


def _need(node: str, answers: Answers, name: str) -> str:
    """What a listing of ours says; one that failed is not empty."""
    answer = answers[name]
    if answer.exit_status != 0:
        what = {"overlay-names": "the overlay's folder", "releases": "the recorded releases"}
        raise NodeError(
            f"{what.get(name, 'the audit log')} cannot be read",
            where=node,
            evidence=first_line(answer),
            code="state-unreadable",
        )
    return answer.stdout


def _file(node: str, path: str, answer: Answer) -> FileState | None:
    head, _, content = answer.stdout.partition("\n")
    if head == "absent":
        return None
    found = _MODE_AND_OWNER.fullmatch(head)
    if answer.exit_status != 0 or found is None:
        raise NodeError(
            f"{path} is there and cannot be read",
            where=node,
            evidence=first_line(answer),
            remedy=f"ls -ld {path} on the node; dmesg, if its disk fails",
            code="file-unreadable",
        )
    return FileState(int(found[1], 8), int(found[2]), content.encode())


def _container(node: str, answer: Answer) -> ContainerState | None:
    if answer.exit_status != 0:
        return None
    try:
        described = foreign_json(answer.stdout)[0]
        labels = described["Config"].get("Labels") or {}
        words = (
            described["State"]["Status"],
            labels.get("lingctl.spec", ""),
            described["Config"].get("Image", ""),
        )
        if not all(isinstance(word, str) for word in words):
            raise ValueError("a word of it is none")
        return ContainerState(*words)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise NodeError(
            "inspect answers what we cannot read",
            where=node,
            evidence=answer.stdout[:300],
            code="container-unreadable",
        ) from error
