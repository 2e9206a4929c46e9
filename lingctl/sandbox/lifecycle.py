"""Starting, finding, breaking and ending a sandbox, from the outside."""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from lingctl.errors import SandboxError, UsageError
from lingctl.events import Event, Listener, ignore
from lingctl.sandbox.engine.words import failures
from lingctl.sandbox.faults import broken, find_fault, healed
from lingctl.sandbox.image_tree import remove_tree
from lingctl.sandbox.interpreter import PACKAGE
from lingctl.sandbox.layout import KEEPER, Layout
from lingctl.sandbox.request import MODELS, Request, check
from lingctl.sandbox.state import (
    ClusterState,
    NodeState,
    load_cluster,
    load_node,
    load_pristine,
    update_node,
)
from lingctl.sandbox.vllm import installation

# Far more than either takes, on a machine that is busy too.
_ACT_SECONDS = 60.0
_END_SECONDS = 60.0


def up(directory: Path, request: Request, listener: Listener = ignore) -> ClusterState:
    """Build a sandbox and leave it running.

    Raises:
        UsageError: the request cannot be.
        SandboxError: one runs there already, or this machine cannot run one.
    """
    if sys.platform != "linux":
        raise SandboxError(
            "the sandbox runs on Linux alone: its nodes are namespaces of the kernel",
            evidence=f"this is {sys.platform}",
            code="sandbox-linux-only",
        )
    check(request)
    layout = _layout_in(directory)
    if _processes(layout):
        raise SandboxError(
            "a sandbox runs there already",
            where=str(layout.directory),
            remedy=f"lingctl sandbox status --dir {directory}; lingctl sandbox down --dir {directory}",
        )
    vllm = installation.installed() if request.engine == "vllm" else None
    _prepare(layout, request, listener)
    if vllm:
        layout.vllm.symlink_to(vllm)
    _start_keeper(layout, request.nodes, listener)
    return load_cluster(layout.state)


def down(directory: Path) -> bool:
    """End every process of the sandbox and remove its files; False where there was nothing.

    Raises:
        SandboxError: a process does not end.
    """
    layout = _layout_in(directory)
    found = _processes(layout)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _END_SECONDS
    while living := [pid for pid in {*found, *_processes(layout)} if _lives(pid)]:
        if time.monotonic() > deadline:
            raise SandboxError("a process does not end", where=f"process {living[0]}")
        time.sleep(0.01)
    if not layout.request.exists():
        return bool(found)
    for path in layout.contents:
        remove_tree(path)
    with contextlib.suppress(OSError):
        layout.directory.rmdir()
    return True


def running(directory: Path) -> ClusterState:
    """The state of a sandbox that runs.

    Raises:
        SandboxError: none runs there.
    """
    layout = _layout_in(directory)
    if not _processes(layout) or not (layout.state / "cluster.json").exists():
        raise SandboxError(
            "no sandbox runs there",
            where=str(layout.directory),
            remedy=f"lingctl sandbox up --dir {directory}",
        )
    return load_cluster(layout.state)


def _layout_in(directory: Path) -> Layout:
    """Of a sandbox's directory; links that lead in a circle hold none, and are no defect."""
    return Layout(Path(os.path.realpath(directory)))


def break_node(directory: Path, name: str, fault: str) -> None:
    """Set a fault on a node; returns when the node has acted on it.

    Raises:
        UsageError: no such node, fault or detail.
        SandboxError: no sandbox runs there, or the node does not act.
    """
    state, layout = running(directory), _layout_in(directory)
    _known(state, name)
    if state.engine != "mindie" and find_fault(fault.partition("=")[0]).of_mindie:
        raise UsageError(
            "that is a fault of the emulated MindIE, and the engine here is a real one",
            where=fault,
            remedy="kill its processes, or spoil its files, as on a real node: docs/how-to/sandbox.md",
        )
    fault = _with_file(name, fault, layout)
    update_node(name, lambda node: broken(node, fault), layout.state)
    _await_agent(layout, name)


def _with_file(node: str, fault: str, layout: Layout) -> str:
    """The fault, where its detail is a file to be printed: that is put where the node's daemon sees it."""
    kind, _, detail = fault.partition("=")
    if kind != failures.FAULT or not detail or detail in failures.NAMED:
        return fault
    try:
        content = Path(detail).read_bytes()
    except OSError as error:
        raise UsageError(
            f"{detail} is neither a failure's name nor a file that can be read: {error.strerror}",
            where=fault,
            remedy=f"names: {', '.join(failures.NAMED)}",
        ) from error
    failures.file_of(node, layout.state).write_bytes(content)
    return f"{kind}={failures.FILE}"


def heal(directory: Path, name: str | None = None, fault: str | None = None) -> list[tuple[str, str]]:
    """Take faults away: all, those of a node, or one of a node; gives what was healed.

    Raises:
        UsageError: no such node or fault.
        SandboxError: no sandbox runs there, or a node does not act.
    """
    state, layout = running(directory), _layout_in(directory)
    healed_faults: list[tuple[str, str]] = []
    for node in state.nodes if name is None else [_known(state, name)]:
        pristine = load_pristine(node.name, layout.state)
        for each in [fault.partition("=")[0]] if fault else node.faults:
            if each in node.faults:
                healed_faults.append((node.name, each))
            update_node(node.name, partial(healed, name=each, pristine=pristine), layout.state)
        _await_agent(layout, node.name)
    return healed_faults


def _prepare(layout: Layout, request: Request, listener: Listener) -> None:
    directory = layout.directory
    if directory.exists() and not layout.request.exists() and any(directory.iterdir()):
        raise SandboxError(
            "the folder holds other files",
            where=str(directory),
            remedy="name a folder that is empty or not there yet: --dir DIR",
        )
    for path in layout.contents:
        remove_tree(path)
    layout.state.mkdir(parents=True)
    # The nodes see this package read-only: what is not compiled now is compiled at every start of a tool.
    for part in ("", "tools", "docker"):
        compileall.compile_dir(PACKAGE / "sandbox" / part, maxlevels=0, quiet=2)
    layout.request.write_text(json.dumps(asdict(request)))
    listener(Event("image", "started"))
    from lingctl.sandbox.docker.images import make_image

    make_image(layout.images, request.engine, request.version)
    listener(Event("image", "done", text=request.title))
    listener(Event("checkpoint", "started"))
    # Matrices this small only make numpy's threads wait for each other; it reads this when it is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from lingctl.sandbox.engine.tiny_models.kept import kept_checkpoint

    ranks = request.nodes * request.devices
    folders = {model: layout.checkpoint / folder for model, (folder, _) in MODELS.items()}
    kept_checkpoint(folders["lite"], "lite", "bin", ranks=ranks)
    if request.model == "plus":
        kept_checkpoint(folders["plus"], "plus", "safetensors", ranks=ranks)
    (layout.checkpoint / "on-nodes").write_text(folders[request.model].name)
    listener(Event("checkpoint", "done", text=MODELS[request.model][1]))


def _start_keeper(layout: Layout, nodes: int, listener: Listener) -> None:
    for number in range(1, nodes + 1):
        listener(Event("boot", "started", f"node{number}"))
    with (layout.state / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", KEEPER, str(layout.directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    assert keeper.stdout is not None
    with keeper.stdout:
        for line in keeper.stdout:
            said: dict[str, Any] = json.loads(line)
            if "node" in said:
                listener(Event("boot", "done", said["node"]))
            elif "error" in said:
                down(layout.directory)
                raise SandboxError(said["error"], evidence=said["evidence"], remedy=said["remedy"])
            elif "ready" in said:
                # The process that we started has forked the keeper and is gone.
                keeper.wait()
                return
    evidence = (layout.state / "keeper.log").read_text()[-2000:]
    down(layout.directory)
    raise SandboxError("the sandbox ended while it was starting", evidence=evidence)


def _processes(layout: Layout) -> list[int]:
    """All processes of the sandbox that we can see: the keeper and what it forked share a command line."""
    mark, found = f"\0{KEEPER}\0{layout.directory}\0".encode(), []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().endswith(mark):
                found.append(int(path.parent.name))
    return found


def _lives(pid: int) -> bool:
    """Whether a process is there still; a node's first one ends only after all others on the node."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def _known(state: ClusterState, name: str) -> NodeState:
    try:
        return state.node(name)
    except KeyError:
        names = ", ".join(node.name for node in state.nodes)
        raise UsageError(f"there is no node {name!r}", remedy=f"nodes: {names}") from None


def _await_agent(layout: Layout, name: str) -> None:
    deadline = time.monotonic() + _ACT_SECONDS
    while True:
        node = load_node(name, layout.state)
        if node.applied == sorted(node.faults):
            return
        if time.monotonic() > deadline:
            log = layout.node(name) / "log"
            raise SandboxError("the node does not act", where=name, evidence=f"see {log}")
        time.sleep(0.01)
