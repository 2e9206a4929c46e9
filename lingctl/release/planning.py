"""NodeStates and Releases to a Plan: what differs, why, and what is done about it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from lingctl.engine.container import folder_command, run_command
from lingctl.plan import Plan, Run, Stage, Step, plan_of
from lingctl.release.daemon import START_SECONDS, start_command, stop_command, stop_seconds
from lingctl.release.evidence.redaction import redacted
from lingctl.release.site import Site
from lingctl.release.state import NodeState
from lingctl.release.wanted import Release
from lingctl.remote.command import command
from lingctl.remote.runtime import call
from lingctl.remote.upload import WriteFile


def deploy_steps(site: Site, states: Mapping[str, NodeState], releases: Mapping[str, Release]) -> Plan:
    """The steps after the weights are in place: files, overlay, container, daemon."""
    overlays = {node: list(_overlay_steps(site, states[node], releases[node])) for node in site.nodes}
    why = _why_started(site, states, releases, overlays)
    steps: list[Step] = []
    for node in site.nodes:
        state, release = states[node], releases[node]
        steps += _stop_steps(site, state, why)
        steps += overlays[node]
        steps += [file_step(Stage.FILES, state, file) for file in release.files]
        steps += _leftovers(site, state, release)
        steps += [_container_step(site, state, release), _daemon_step(site, state, release, why)]
    return plan_of(steps)


def _why_started(
    site: Site,
    states: Mapping[str, NodeState],
    releases: Mapping[str, Release],
    overlays: Mapping[str, Iterable[Step]],
) -> str:
    """Why the daemons have to be started; empty where they run as they should. They start together or not
    at all."""
    for node in site.nodes:
        state, release = states[node], releases[node]
        if state.daemon_pid is None:
            return f"no daemon runs on {node}"
        if state.started != release.digest:
            return f"{node} runs with another configuration"
        if state.container is None or state.container.spec != release.container.digest:
            return f"the container on {node} is replaced"
        if any(step.state == "change" for step in overlays[node]):
            return f"the overlay on {node} changes"
    return ""


def _stop_steps(site: Site, state: NodeState, why: str) -> Iterator[Step]:
    if not (why and state.container_runs):
        return
    stop = Run(stop_command(site, state.node), stop_seconds(site))
    if state.daemon_pid is not None:
        yield Step(Stage.STOP, state.node, "stop the daemon", "change", why, (stop,), interrupts=True)
    elif state.started:
        reason = "the daemon ended; its workers may hold the cards"
        yield Step(Stage.STOP, state.node, "clear what the daemon left", "change", reason, (stop,))


def _overlay_steps(site: Site, state: NodeState, release: Release) -> Iterator[Step]:
    """One step for all files of the overlay, and what is there and is not wanted: Python would load it."""
    files = [file_step(Stage.OVERLAY, state, file) for file in release.overlay]
    wanted = {"__pycache__", *(file.name for file in release.overlay)}
    odd = [name for name in state.overlay_names if name not in wanted]
    remove = [
        Run(command("rm", "-rf", f"{site.layout.overlay}/{name}", title=f"remove {name}")) for name in odd
    ]
    step = partial(Step, Stage.OVERLAY, state.node)
    title, changed = "place the bailing_moe overlay", [file for file in files if file.state == "change"]
    count = len(changed) + len(odd)
    if files and not count:
        yield step(title, "in place", f"all {len(files)} files as shipped")
    elif files:
        actions = (*(action for file in changed for action in file.actions), *remove)
        there = [file for file in changed if file.reason != "missing"]
        reason = f"{count} of {len(files) + len(odd)} files {'differ' if there or odd else 'are missing'}"
        yield step(title, "change", reason, actions, "\n".join(file.difference for file in there))
    elif odd:
        title, reason = "remove the bailing_moe overlay", "the engine has the model's code itself"
        yield step(title, "change", reason, tuple(remove))


def _leftovers(site: Site, state: NodeState, release: Release) -> Iterator[Step]:
    """Steps that remove files of an earlier release, of another engine or of more nodes."""
    wanted = {file.path for file in release.files}
    for path in state.files:
        if path.startswith(f"{site.layout.release}/") and path not in wanted:
            name = path.rsplit("/", 1)[-1]
            remove = Run(command("rm", "-f", path, title=f"remove {name}"))
            reason = "an earlier release had it, this one does not"
            yield Step(Stage.FILES, state.node, f"remove {name}", "change", reason, (remove,))


def file_step(stage: Stage, state: NodeState, file: WriteFile) -> Step:
    """The step that makes a file on a node what it should be."""
    existing, step = state.files.get(file.path), partial(Step, stage, state.node, f"write {file.name}")
    if existing is None:
        reason = "missing"
    elif existing.content != file.content:
        reason = "content differs"
    elif existing.mode != file.mode:
        reason = f"mode is {existing.mode:04o}, wanted {file.mode:04o}"
    else:
        return step("in place", "as wanted")
    return step("change", reason, (file,), difference(file, existing.content if existing else None))


def difference(file: WriteFile, existing: bytes | None) -> str:
    """Unified diff from what is there to what is wanted, without the values of secrets: it is shown."""
    before = (existing or b"").decode("utf-8", "replace").splitlines()
    after = file.content.decode("utf-8", "replace").splitlines()
    old = file.path if existing is not None else "(missing)"
    return redacted("\n".join(difflib.unified_diff(before, after, old, file.path, lineterm="", n=2)))


def _container_step(site: Site, state: NodeState, release: Release) -> Step:
    name, existing, step = site.container, state.container, partial(Step, Stage.CONTAINER, state.node)
    title = f"run container {name}"
    folder = Run(folder_command(site.layout.run), 20)
    run = Run(run_command(site.runtime, release.container), 300)
    if existing is None:
        return step(title, "change", "there is none", (folder, run))
    if existing.spec != release.container.digest:
        remove = Run(call(site.runtime, "rm", "-f", name, title=f"remove container {name}"), 120)
        reason = "its image, devices or mounts differ"
        return step(title, "change", reason, (folder, remove, run), interrupts=True)
    if existing.status != "running":
        start = Run(call(site.runtime, "start", name), 120)
        return step(f"start container {name}", "change", f"it is {existing.status}", (start,))
    return step(title, "in place", "runs as wanted")


def _daemon_step(site: Site, state: NodeState, release: Release, why: str) -> Step:
    step = partial(Step, Stage.DAEMON, state.node, "start the daemon")
    if not why:
        return step("in place", "runs with this configuration")
    return step("change", why, (Run(start_command(site, release.digest), START_SECONDS),), interrupts=True)
