"""Starting, finding, breaking and ending a sandbox, from the outside."""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from lingctl.errors import SandboxError, UsageError
from lingctl.events import Event, Listener, ignore
from lingctl.sandbox.engine.words import failures
from lingctl.sandbox.faults import broken, find_fault, healed
from lingctl.sandbox.interpreter import PACKAGE
from lingctl.sandbox.layout import KEEPER, MAX_NODES, Layout
from lingctl.sandbox.state import ClusterState, load_cluster, load_node, load_pristine, update_node
from lingctl.sandbox.vllm import installation

Engine = Literal["mindie", "vllm"]
Model = Literal["lite", "plus"]
# Folder and catalogue name of the emulated models.
MODELS: dict[str, tuple[str, str]] = {
    "lite": ("Ling_lite", "Ling-lite"),
    "plus": ("Ling_plus", "Ling-plus"),
}
_TITLES: dict[Engine, str] = {"mindie": "MindIE", "vllm": "vLLM"}
# Far more than either takes, on a machine that is busy too.
_ACT_SECONDS = 60.0
_END_SECONDS = 60.0


@dataclass(frozen=True)
class Request:
    """What a sandbox is to be."""

    engine: Engine = "mindie"  # emulated, or the real vLLM
    version: str = "1.0.0"  # of the engine
    nodes: int = 2  # number of nodes
    devices: int = 8  # cards on each
    model: Model = "plus"  # which tiny checkpoint lies on the nodes
    time_scale: float = 0.02  # factor on every documented delay


def request_for(
    engine: Engine,
    nodes: int | None = None,
    devices: int | None = None,
    model: Model | None = None,
    mindie: str | None = None,
    time_scale: float = Request.time_scale,
) -> Request:
    """A request with what is usual for the engine where nothing is said.

    A real engine starts a process with a gigabyte for each card: one node with one card is usual.

    Raises:
        UsageError: a version of MindIE is named for another engine.
    """
    if engine == "mindie":
        return Request(engine, mindie or "1.0.0", nodes or 2, devices or 8, model or "plus", time_scale)
    if mindie is not None:
        raise UsageError("--mindie goes with --engine mindie", remedy=f"vLLM is {installation.VERSION} here")
    return Request(engine, installation.VERSION, nodes or 1, devices or 1, model or "lite", time_scale)


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
            remedy="run it on a Linux machine, or in a privileged Linux container",
            code="sandbox-linux-only",
        )
    _check(request)
    layout = Layout(directory.resolve())
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
    _start_keeper(layout, listener)
    return load_cluster(layout.state)


def down(directory: Path) -> bool:
    """End every process of the sandbox and remove its files; False where there was nothing.

    Raises:
        SandboxError: a process does not end.
    """
    layout = Layout(directory.resolve())
    found = _processes(layout)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _END_SECONDS
    while living := [pid for pid in {*found, *_processes(layout)} if _lives(pid)]:
        if time.monotonic() > deadline:
            raise SandboxError("a process does not end", where=f"process {living[0]}")
        time.sleep(0.01)
    there = [path for path in layout.contents if path.exists() or path.is_symlink()]
    if not _is_sandbox(layout):
        return bool(found)
    for path in there:
        _remove(path)
    with contextlib.suppress(OSError):
        layout.directory.rmdir()
    return True


def running(directory: Path) -> ClusterState:
    """The state of a sandbox that runs.

    Raises:
        SandboxError: none runs there.
    """
    layout = Layout(directory.resolve())
    if not _processes(layout) or not (layout.state / "cluster.json").exists():
        raise SandboxError(
            "no sandbox runs there",
            where=str(layout.directory),
            remedy=f"lingctl sandbox up --dir {directory}",
        )
    return load_cluster(layout.state)


def break_node(directory: Path, name: str, fault: str) -> None:
    """Set a fault on a node; returns when the node has acted on it.

    Raises:
        UsageError: no such node, fault or detail.
        SandboxError: no sandbox runs there, or the node does not act.
    """
    state, layout = running(directory), Layout(directory.resolve())
    _known_node(state, name)
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
    state, layout = running(directory), Layout(directory.resolve())
    if name is not None:
        _known_node(state, name)
    healed_faults: list[tuple[str, str]] = []
    for node in state.nodes if name is None else [state.node(name)]:
        names = [fault.partition("=")[0]] if fault else list(node.faults)
        for each in names:
            pristine = load_pristine(node.name, layout.state)
            if each in node.faults:
                healed_faults.append((node.name, each))
            update_node(node.name, partial(healed, name=each, pristine=pristine), layout.state)
        _await_agent(layout, node.name)
    return healed_faults


def _check(request: Request) -> None:
    if not 1 <= request.nodes <= MAX_NODES:
        raise UsageError(f"{request.nodes} nodes cannot be", remedy=f"--nodes 1 to {MAX_NODES}")
    if not 1 <= request.devices <= 16:
        raise UsageError(f"{request.devices} cards a node cannot be", remedy="--devices 1 to 16")
    if request.model not in MODELS:
        raise UsageError(f"there is no tiny {request.model!r}", remedy="--model lite or --model plus")
    if not 0 < request.time_scale <= 1:
        raise UsageError(
            f"time scale {request.time_scale:g} cannot be", remedy="--time-scale above 0 and at most 1"
        )


def _prepare(layout: Layout, request: Request, listener: Listener) -> None:
    directory = layout.directory
    if directory.exists() and not _is_sandbox(layout) and any(directory.iterdir()):
        raise SandboxError(
            "the folder holds other files",
            where=str(directory),
            remedy="name a folder that is empty or not there yet: --dir DIR",
        )
    for path in layout.contents:
        _remove(path)
    layout.state.mkdir(parents=True)
    # The nodes see this package read-only: what is not compiled now is compiled at every start of a tool.
    for part in ("", "tools", "docker"):
        compileall.compile_dir(PACKAGE / "sandbox" / part, maxlevels=0, quiet=2)
    folder, catalogue_name = MODELS[request.model]
    document = {**request.__dict__, "catalogue_name": catalogue_name}
    (layout.state / "request.json").write_text(json.dumps(document))
    listener(Event("image", "started"))
    from lingctl.sandbox.docker.images import make_image

    make_image(layout.images, request.engine, request.version)
    listener(Event("image", "done", text=f"{_TITLES[request.engine]} {request.version}"))
    listener(Event("checkpoint", "started"))
    # Matrices this small only make numpy's threads wait for each other; it reads this when it is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from lingctl.sandbox.engine.tiny_models.kept import kept_checkpoint

    ranks = request.nodes * request.devices
    kept_checkpoint(layout.checkpoint / MODELS["lite"][0], "lite", "bin", ranks=ranks)
    if request.model == "plus":
        kept_checkpoint(layout.checkpoint / folder, "plus", "safetensors", ranks=ranks)
    (layout.checkpoint / "on-nodes").write_text(folder)
    listener(Event("checkpoint", "done", text=catalogue_name))


def _start_keeper(layout: Layout, listener: Listener) -> None:
    for number in range(1, json.loads((layout.state / "request.json").read_text())["nodes"] + 1):
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


def _is_sandbox(layout: Layout) -> bool:
    return (layout.state / "request.json").exists()


def _processes(layout: Layout) -> list[int]:
    """All processes of the sandbox that we can see: the keeper and what it forked share a command line."""
    return list(_found(f"\0{KEEPER}\0{layout.directory}\0".encode()))


def _found(mark: bytes) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes().endswith(mark):
                yield int(path.parent.name)


def _lives(pid: int) -> bool:
    """Whether a process is there still; a node's first one ends only after all others on the node."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def _remove(path: Path) -> None:
    """Remove a file or a tree, whose folders are not all writable."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        for folder, _, _ in os.walk(path):
            if not os.access(folder, os.W_OK | os.X_OK):
                Path(folder).chmod(0o700)
        shutil.rmtree(path)


def _known_node(state: ClusterState, name: str) -> None:
    names = [node.name for node in state.nodes]
    if name not in names:
        raise UsageError(f"there is no node {name!r}", remedy=f"nodes: {', '.join(names)}")


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
