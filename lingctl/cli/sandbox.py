"""``lingctl sandbox``: an emulated Ascend cluster on this machine."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from lingctl.cli.common import JsonOption
from lingctl.paths import real

app = typer.Typer(
    help="An emulated Ascend cluster on this machine: real SSH, emulated tools, docker and MindIE.",
    no_args_is_help=True,
)
DirOption = Annotated[Path, typer.Option("--dir", envvar="LINGCTL_SANDBOX", help="The sandbox's folder.")]
SandboxEngine = Literal["mindie", "vllm"]
DEFAULT_DIR = Path(".lingctl-sandbox")


@app.command("up")
def up_(
    engine: Annotated[
        SandboxEngine,
        typer.Option(help="mindie is emulated; vllm is the real one, on this machine's processor."),
    ] = "mindie",
    nodes: Annotated[
        int | None, typer.Option(min=1, help="Number of nodes.", show_default="2; with vllm 1")
    ] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, max=16, help="Cards on each node.", show_default="8; with vllm 1")
    ] = None,
    model: Annotated[
        Literal["lite", "plus"] | None,
        typer.Option(
            help="lite lies there as .bin, plus as safetensors.", show_default="plus; with vllm lite"
        ),
    ] = None,
    mindie: Annotated[
        str | None, typer.Option(help="MindIE version of the image: 1.0.0 or 3.0.0.", show_default="1.0.0")
    ] = None,
    directory: DirOption = DEFAULT_DIR,
    time_scale: Annotated[
        float, typer.Option(help="Factor on every documented delay; 1 is real time.")
    ] = 0.02,
) -> None:
    """Start a sandbox and leave it running; DIR/hosts.yaml is ready to use."""
    from lingctl.output.progress import progress
    from lingctl.output.screen.terminal import answer, say
    from lingctl.sandbox.lifecycle import up
    from lingctl.sandbox.request import request_for

    request = request_for(engine, nodes, devices, model, mindie, time_scale)
    with progress() as listener:
        state = up(directory, request, listener)
    cards = sum(len(node.cards) for node in state.nodes)
    hosts = directory / "hosts.yaml"
    size = f"{len(state.nodes)} node{'s' * (len(state.nodes) > 1)} with {cards} card{'s' * (cards > 1)}"
    say(f"{size}. Try: lingctl check-network --nodes {hosts}")
    answer(str(hosts))


@app.command("install-vllm")
def install_vllm() -> None:
    """Install the real vLLM for `up --engine vllm`, into a virtual environment of its own: 2.4 GB, minutes.

    It goes into ~/.cache/lingctl, or where LINGCTL_VLLM says; it is made once, and needs Python 3.11.
    """
    from lingctl.output.progress import progress
    from lingctl.output.screen.terminal import answer
    from lingctl.sandbox.vllm.installation import install

    with progress() as listener:
        folder = install(listener)
    answer(str(folder))


@app.command()
def down(directory: DirOption = DEFAULT_DIR) -> None:
    """End a sandbox: no process, mount or file of it stays."""
    from lingctl.output.screen.terminal import say
    from lingctl.sandbox import lifecycle

    say("down" if lifecycle.down(directory) else f"nothing to end in {directory}")


@app.command()
def status(directory: DirOption = DEFAULT_DIR, as_json: JsonOption = False) -> None:
    """Show the nodes of a sandbox and what is broken on them."""
    from dataclasses import asdict

    from lingctl.output.documents import print_json
    from lingctl.output.tables import print_table
    from lingctl.sandbox.lifecycle import running

    state = running(directory)
    if as_json:
        print_json("sandbox", {"directory": str(real(directory)), **asdict(state)})
        return
    rows = [
        (
            node.name,
            node.address,
            len(node.cards),
            ", ".join(f"{name}={detail}" if detail else name for name, detail in node.faults.items()) or "-",
        )
        for node in state.nodes
    ]
    print_table(("node", "address", "cards", "faults"), rows, numbers=("cards",))


@app.command("break")
def break_(
    node: Annotated[str, typer.Argument(help="Name of the node, e.g. node1.")],
    fault: Annotated[str, typer.Argument(help="FAULT or FAULT=DETAIL; `lingctl sandbox faults` lists them.")],
    directory: DirOption = DEFAULT_DIR,
) -> None:
    """Set a fault on a node; returns when the node has acted on it."""
    from lingctl.output.screen.terminal import say
    from lingctl.sandbox.lifecycle import break_node

    break_node(directory, node, fault)
    where = "" if directory == DEFAULT_DIR else f" --dir {shlex.quote(str(directory))}"
    say(f"{node}: {fault} set; it goes with: lingctl sandbox heal {node}{where}")


@app.command()
def heal(
    node: Annotated[str | None, typer.Argument(help="Name of the node; all nodes without it.")] = None,
    fault: Annotated[str | None, typer.Argument(help="The fault; all of the node without it.")] = None,
    directory: DirOption = DEFAULT_DIR,
) -> None:
    """Take faults away."""
    from lingctl.output.screen.terminal import say
    from lingctl.sandbox import lifecycle

    healed = lifecycle.heal(directory, node, fault)
    for name, what in healed:
        say(f"{name}: {what} healed")
    if not healed:
        say("nothing was broken")


@app.command()
def faults(as_json: JsonOption = False) -> None:
    """List the faults that can be set."""
    from lingctl.output.documents import print_json
    from lingctl.output.tables import print_table
    from lingctl.sandbox.faults import FAULTS

    if as_json:
        listed = [{"name": fault.name, "does": fault.does, "detail": fault.detail} for fault in FAULTS]
        print_json("sandbox-faults", {"faults": listed})
        return
    print_table(
        ("fault", "what is wrong then", "detail (default)"),
        [(fault.name, fault.does, fault.detail or "-") for fault in FAULTS],
        texts=("what is wrong then", "detail (default)"),
    )
