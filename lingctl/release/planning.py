"""NodeStates and Releases to a Plan: what differs, why, and what is done about it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lingctl.engine.container import folder_command, run_command
from lingctl.engine.files import WantedFile
from lingctl.plan import Action, Plan, Run, Stage, Step, plan_of
from lingctl.release.daemon import START_SECONDS, start_command, stop_command, stop_seconds
from lingctl.release.evidence.redaction import redacted
from lingctl.release.site import Site
from lingctl.release.state import NodeState
from lingctl.release.wanted import Release
from lingctl.remote.command import command
from lingctl.remote.runtime import call
from lingctl.remote.upload import WriteFile


@dataclass(frozen=True, slots=True)
class DaemonNeed:
    """Whether the daemons have to be started, and why. Several nodes start together or not at all."""

    start: bool
    reason: str


def deploy_steps(site: Site, states: Mapping[str, NodeState], releases: Mapping[str, Release]) -> Plan:
    """The steps after the weights are in place: files, overlay, container, daemon."""
    need = _daemon_need(site, states, releases)
    steps: list[Step] = []
    for node in site.nodes:
        state, release = states[node], releases[node]
        steps += _stop_steps(site, state, need)
        steps += _overlay_parts(site, state, release)
        steps += [file_step(Stage.FILES, state, file) for file in release.files]
        steps += _leftovers(site, state, release)
        steps.append(_container_step(site, state, release))
        steps.append(_daemon_step(site, state, release, need))
    return plan_of(_gathered(steps))


def _daemon_need(site: Site, states: Mapping[str, NodeState], releases: Mapping[str, Release]) -> DaemonNeed:
    for node in site.nodes:
        state, release = states[node], releases[node]
        if state.daemon_pid is None:
            return DaemonNeed(True, f"no daemon runs on {node}")
        if state.started != release.digest:
            return DaemonNeed(True, f"{node} runs with another configuration")
        if state.container is None or state.container.spec != release.container.digest:
            return DaemonNeed(True, f"the container on {node} is replaced")
        if any(part.state == "change" for part in _overlay_parts(site, state, release)):
            return DaemonNeed(True, f"the overlay on {node} changes")
    return DaemonNeed(False, "runs with this configuration")


def _stop_steps(site: Site, state: NodeState, need: DaemonNeed) -> Iterator[Step]:
    runs = state.container is not None and state.container.status == "running"
    if not (need.start and runs):
        return
    stop = Run(stop_command(site, state.node), stop_seconds(site))
    if state.daemon_pid is not None:
        yield Step(Stage.STOP, state.node, "stop the daemon", "change", need.reason, (stop,), interrupts=True)
    elif state.started:
        reason = "the daemon ended; its workers may hold the cards"
        yield Step(Stage.STOP, state.node, "clear what the daemon left", "change", reason, (stop,))


def _overlay_parts(site: Site, state: NodeState, release: Release) -> Iterator[Step]:
    """Steps for each wanted file, and for each that is there and is not wanted: Python would load it."""
    for file in release.overlay:
        yield file_step(Stage.OVERLAY, state, file)
    wanted = {file.path.rsplit("/", 1)[-1] for file in release.overlay}
    folder = site.layout.overlay
    for name in state.overlay_names:
        if name not in wanted and name != "__pycache__":
            remove = Run(command("rm", "-rf", f"{folder}/{name}", title=f"remove {name}"))
            yield Step(Stage.OVERLAY, state.node, f"remove {name}", "change", "not wanted", (remove,))


def _leftovers(site: Site, state: NodeState, release: Release) -> Iterator[Step]:
    """Steps that remove files of an earlier release, of another engine or of more nodes."""
    wanted = {file.path for file in release.files}
    for path in state.files:
        if path.startswith(f"{site.layout.release}/") and path not in wanted:
            name = path.rsplit("/", 1)[-1]
            remove = Run(command("rm", "-f", path, title=f"remove {name}"))
            reason = "an earlier release had it, this one does not"
            yield Step(Stage.FILES, state.node, f"remove {name}", "change", reason, (remove,))


def file_step(stage: Stage, state: NodeState, file: WantedFile) -> Step:
    """The step that makes a file on a node what it should be."""
    name = file.path.rsplit("/", 1)[-1]
    if _same(state, file):
        return Step(stage, state.node, f"write {name}", "in place", "as wanted")
    existing = state.files.get(file.path)
    if existing is None:
        reason = "missing"
    elif existing.content != file.content:
        reason = "content differs"
    else:
        reason = f"mode is {existing.mode:04o}, wanted {file.mode:04o}"
    action = WriteFile(file.path, file.content, file.mode)
    return Step(
        stage,
        state.node,
        f"write {name}",
        "change",
        reason,
        (action,),
        difference(file, existing.content if existing else None),
    )


def difference(file: WantedFile, existing: bytes | None) -> str:
    """Unified diff from what is there to what is wanted, without the values of secrets: it is shown."""
    before = (existing or b"").decode("utf-8", "replace").splitlines()
    after = file.content.decode("utf-8", "replace").splitlines()
    old = file.path if existing is not None else "(missing)"
    return redacted("\n".join(difflib.unified_diff(before, after, old, file.path, lineterm="", n=2)))


def _same(state: NodeState, file: WantedFile) -> bool:
    existing = state.files.get(file.path)
    return existing is not None and (existing.content, existing.mode) == (file.content, file.mode)


def _container_step(site: Site, state: NodeState, release: Release) -> Step:
    name, existing = site.container, state.container
    title = f"run container {name}"
    folder = Run(folder_command(site.layout.run), 20)
    run = Run(run_command(site.runtime, release.container), 300)
    if existing is None:
        return Step(Stage.CONTAINER, state.node, title, "change", "there is none", (folder, run))
    if existing.spec != release.container.digest:
        remove = Run(call(site.runtime, "rm", "-f", name, title=f"remove container {name}"), 120)
        return Step(
            Stage.CONTAINER,
            state.node,
            title,
            "change",
            "its image, devices or mounts differ",
            (folder, remove, run),
            interrupts=True,
        )
    if existing.status != "running":
        start = Run(call(site.runtime, "start", name), 120)
        return Step(
            Stage.CONTAINER,
            state.node,
            f"start container {name}",
            "change",
            f"it is {existing.status}",
            (start,),
        )
    return Step(Stage.CONTAINER, state.node, title, "in place", "runs as wanted")


def _daemon_step(site: Site, state: NodeState, release: Release, need: DaemonNeed) -> Step:
    title = "start the daemon"
    if not need.start:
        return Step(Stage.DAEMON, state.node, title, "in place", need.reason)
    start = Run(start_command(site, release.digest), START_SECONDS)
    return Step(Stage.DAEMON, state.node, title, "change", need.reason, (start,), interrupts=True)


def _gathered(steps: list[Step]) -> list[Step]:
    """Steps of the overlay's files as one step a node: they come and go together."""
    gathered: list[Step] = []
    for node in dict.fromkeys(step.node for step in steps):
        own = [step for step in steps if step.node == node]
        overlay = [step for step in own if step.stage is Stage.OVERLAY]
        gathered += [step for step in own if step.stage is not Stage.OVERLAY]
        if overlay:
            gathered.append(_overlay_step(node, overlay))
    return gathered


def _overlay_step(node: str, parts: list[Step]) -> Step:
    changed = [part for part in parts if part.state == "change"]
    actions: tuple[Action, ...]
    gone = not any(part.title.startswith("write") for part in parts)
    title = "remove the bailing_moe overlay" if gone else "place the bailing_moe overlay"
    if gone:
        reason = "the engine has the model's code itself"
        actions = tuple(action for part in parts for action in part.actions)
        return Step(Stage.OVERLAY, node, title, "change", reason, actions)
    if not changed:
        return Step(Stage.OVERLAY, node, title, "in place", f"all {len(parts)} files as shipped")
    actions = tuple(action for part in changed for action in part.actions)
    missing = sum(part.reason == "missing" for part in changed)
    word = "are missing" if missing == len(changed) else "differ"
    reason = f"{len(changed)} of {len(parts)} files {word}"
    differences = "\n".join(part.difference for part in changed if part.reason != "missing")
    return Step(Stage.OVERLAY, node, title, "change", reason, actions, differences)
