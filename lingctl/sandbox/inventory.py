"""Names, addresses and keys of a sandbox's nodes, and the files that tell a user of them."""

from __future__ import annotations

from lingctl.sandbox.keys import make_key
from lingctl.sandbox.layout import (
    CARD_NETMASK,
    SSH_PORT,
    Layout,
    card_address,
    card_gateway,
    node_address,
)
from lingctl.sandbox.node.host_files import write_host_files
from lingctl.sandbox.request import MODELS, Request
from lingctl.sandbox.state import Card, ClusterState, NodeState, save_cluster

# Half a minute of two processors for a node with the real vLLM, many times that on a busy machine.
_START_SECONDS = {"mindie": 300, "vllm": 1200}
# Below the range that the kernel takes ports from by itself.
_BETWEEN_NODES = 21_000
_HOSTS = """\
# Written by `lingctl sandbox up`: an emulated cluster on this machine.
name: sandbox
model: {model}
{engine}
ssh:
  user: root
  port: {port}
  key: {key}
  known_hosts: {known_hosts}
  config: none
timeouts:
  start: {start}
nodes:
{nodes}"""


def write_inventory(layout: Layout, request: Request, block: int) -> ClusterState:
    """Decide on the nodes and write their state, files and keys, known_hosts and hosts.yaml.

    Args:
        layout: the sandbox's directory.
        request: what ``up`` was asked for.
        block: block of addresses.
    """
    nodes = [_node(block, number, request.devices) for number in range(1, request.nodes + 1)]
    state = ClusterState(request.engine, request.version, request.model, request.time_scale, nodes)
    save_cluster(state, layout.state)
    public = make_key(layout.key, "lingctl-sandbox")
    known = []
    for node in nodes:
        own = layout.node(node.name)
        write_host_files(own / "root", own / "usr-local", node, nodes)
        host = make_key(own / "keys/host", node.name)
        make_key(own / "keys/other", node.name)
        (own / "keys/authorized.pub").write_text(f"{public} lingctl-sandbox\n")
        known.append(f"[{node.address}]:{SSH_PORT} {host}\n")
    layout.known_hosts.write_text("".join(known))
    layout.hosts.write_text(_hosts(layout, request, nodes, block))
    return state


def _node(block: int, number: int, devices: int) -> NodeState:
    gateway = card_gateway(block)
    cards = []
    for card in range(devices):
        address = card_address(block, number, card)
        cards.append(Card(card, address, address, CARD_NETMASK, gateway, gateway))
    name = f"node{number}"
    return NodeState(name, node_address(block, number), name, cards)


def _hosts(layout: Layout, request: Request, nodes: list[NodeState], block: int) -> str:
    lines = ""
    for node in nodes:
        lines += f"  - address: {node.address}\n    name: {node.name}\n"
        if len(node.cards) != 8:
            lines += f"    devices: [{', '.join(str(card.id) for card in node.cards)}]\n"
    return _HOSTS.format(
        model=MODELS[request.model][1],
        engine=_engine(request, len(nodes), block),
        start=_START_SECONDS[request.engine],
        port=SSH_PORT,
        key=_quoted(str(layout.key)),
        known_hosts=_quoted(str(layout.known_hosts)),
        nodes=lines,
    )


def _engine(request: Request, nodes: int, block: int) -> str:
    name, version = request.engine, request.version
    if name == "mindie":
        return f'mindie: "{version}"'
    if nodes == 1:
        return f'engine: {{name: {name}, version: "{version}"}}'
    # The build for processors fails with layers shared out over nodes (PP); seen with 0.32.0. It opens the
    # port between the nodes on all of this machine's addresses, so that each sandbox needs its own.
    port = _BETWEEN_NODES + block
    return (
        f'engine: {{name: {name}, version: "{version}", parallel: tensor}}\n'
        f"serving: {{inter_node_port: {port}}}"
    )


def _quoted(text: str) -> str:
    """A YAML string, whatever is in it."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
