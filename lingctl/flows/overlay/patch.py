"""patch: the overlay in an atb_llm tree here, or in the container (or on the host) of every node."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from lingctl.errors import LingctlError, NodeError
from lingctl.findings import Finding, Verdict, worst
from lingctl.flows.overlay.verdicts import Answer, judge
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.runtime import Runtime
from lingctl.node.files import system_trouble
from lingctl.node.overlay.package import make_package
from lingctl.node.overlay.program import act
from lingctl.node.trouble import Trouble
from lingctl.program import pack as node_program
from lingctl.program.answers import program_error, read_answers
from lingctl.release.layout import layout_of
from lingctl.release.overlay import package_document
from lingctl.remote.command import Command, command
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.local import LOCAL_NODE
from lingctl.remote.runtime import runtime_script
from lingctl.remote.upload import WriteFile

_LOOK = """
sha256sum "$1" "$2" 2>/dev/null | cut -d" " -f1
"$runtime" inspect --format "container {{.State.Status}}" "$3" 2>/dev/null || echo "container absent"
"""
# Digests, an import in a process of its own, a copy of a few files.
_TIMEOUT = 600.0


@dataclass(frozen=True, slots=True)
class PatchOptions:
    """What was asked for.

    Attributes:
        root: the atb_llm package; looked for where it is None.
        pristine: atb_llm of a pristine image, for restore.
        host: on a node itself rather than in its container.
        record: also give the digests of the stock files.
        dry_run: only tell what a restore would change.
        force: go on although something is not as it should be; a copy is kept.
        allow_running: although MindIE runs from the tree.
    """

    root: str | None = None
    pristine: str | None = None
    host: bool = False
    record: bool = False
    dry_run: bool = False
    force: bool = False
    allow_running: bool = False


@dataclass(frozen=True, slots=True)
class PatchReport:
    """The answers of all places, in order; a place that could not be asked has its error."""

    answers: Mapping[str, Answer | LingctlError]
    findings: tuple[Finding, ...] = field(default=())

    @property
    def exit_status(self) -> int:
        """0 in place everywhere; 3 not; the error's own where no place could be asked."""
        errors = [answer for answer in self.answers.values() if isinstance(answer, LingctlError)]
        if errors and len(errors) == len(self.answers):
            return errors[0].exit_status
        return 3 if worst(self.findings) >= Verdict.WARNING else 0

    @property
    def changes(self) -> list[tuple[str, Mapping[str, str]]]:
        """What differs from the overlay as shipped, by place."""
        return [
            (node, change)
            for node, answer in self.answers.items()
            if not isinstance(answer, LingctlError)
            for change in answer.get("changes", ())
        ]

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "places": [_place(node, answer) for node, answer in self.answers.items()],
            "findings": [finding.as_json() for finding in self.findings],
        }


def patch_here(action: str, options: PatchOptions) -> PatchReport:
    """Do the action on this machine.

    Raises:
        UsageError: it was asked for something that cannot be.
        LockedError: another process is changing the tree.
        NodeError: it cannot be done.
    """
    wanted = argparse.Namespace(
        root=options.root,
        pristine=options.pristine,
        record=options.record,
        dry_run=options.dry_run,
        force=options.force,
        allow_running=options.allow_running,
    )
    try:
        answer = act(action, wanted, make_package(json.loads(package_document())))
    except OSError as error:
        raise program_error(system_trouble(error).as_event()) from error
    except Trouble as trouble:
        raise program_error(trouble.as_event()) from trouble
    return PatchReport({LOCAL_NODE: answer}, judge(action, {LOCAL_NODE: answer}))


def patch_nodes(group: Group, cluster: Cluster, action: str, options: PatchOptions) -> PatchReport:
    """Do the action on every node, side by side; what succeeded is kept when others fail."""

    def work(connection: Connection) -> Answer:
        run = _prepared(connection, cluster, host=options.host)
        words = _words(action, cluster, options)
        done = connection.run(run(*words).titled(f"overlay {action}"), timeout=_TIMEOUT)
        return _answer(done.stdout, done.last_words(), connection.node)

    outcomes = group.map(work)
    answers = {node.name: outcomes[node.name] for node in cluster.nodes}
    return PatchReport(answers, judge(action, answers))


class _Place:
    """Builds calls of the node program in a container or on the node."""

    def __init__(self, program: str, runtime: Runtime, container: str) -> None:
        self._words = (runtime.program, "exec", container) if container else ()
        self._program = program

    def __call__(self, *words: str | int) -> Command:
        # The program and the overlay are read from a folder that the container has at the same path.
        return command(*self._words, "python3", self._program, *words)


def _prepared(connection: Connection, cluster: Cluster, *, host: bool) -> _Place:
    layout, package = layout_of(cluster), package_document()
    path, name = _package_path(cluster), cluster.container_name
    looked = connection.run(
        runtime_script(cluster.runtime, _LOOK, layout.program, path, name, title="look for the container"),
        timeout=60,
    ).stdout.split()
    if node_program.digest() not in looked:
        connection.put(WriteFile(layout.program, node_program.build(), 0o640))
    if hashlib.sha256(package).hexdigest() not in looked:
        connection.put(WriteFile(path, package, 0o640))
    if host:
        return _Place(layout.program, cluster.runtime, "")
    status = looked[-1] if looked else "unknown"
    if status != "running":
        raise NodeError(
            f"container {name} is {status}, so there is no atb_llm to look at",
            where=connection.node,
            remedy="lingctl deploy starts it with the overlay mounted; a tree on the node itself: --host",
            code="overlay-no-container",
        )
    return _Place(layout.program, cluster.runtime, name)


def _package_path(cluster: Cluster) -> str:
    return str(PurePosixPath(layout_of(cluster).program).with_name("overlay.json"))


def _words(action: str, cluster: Cluster, options: PatchOptions) -> list[str]:
    words = ["overlay", action, "--package", _package_path(cluster)]
    if options.root:
        words += ["--root", options.root]
    if options.pristine:
        words += ["--from", options.pristine]
    flags = {
        "--record": options.record,
        "--dry-run": options.dry_run,
        "--force": options.force,
        "--allow-running": options.allow_running,
    }
    return words + [flag for flag, wanted in flags.items() if wanted]


def _answer(stdout: str, last_words: str, node: str) -> Answer:
    told = read_answers(stdout)
    if told.result is not None:
        return told.result
    if told.trouble is not None:
        raise program_error(told.trouble, node)
    raise NodeError(
        "the node program gave no answer",
        where=node,
        evidence=last_words,
        remedy="Python 3.9 or newer must be there as python3",
        code="no-python",
    )


def _place(node: str, answer: Answer | LingctlError) -> dict[str, object]:
    if isinstance(answer, LingctlError):
        error = {"what": answer.what, "code": answer.code, "remedy": answer.remedy}
        return {"node": node, "reached": False, "error": error}
    rest = {key: value for key, value in answer.items() if key not in ("event", "after")}
    return {"node": node, "reached": True, **answer["after"], **rest}
