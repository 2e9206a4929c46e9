"""The cluster's state as the emulated hardware sees it: one JSON file per node, shared with all nodes.

Standard library only: the emulated tools read it in a few milliseconds, the engine reads it while serving.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

STATE = Path("/.sandbox/state")
NODE_NAME = Path("/.sandbox/node")


@dataclass(frozen=True)
class Card:
    """One emulated NPU card."""

    id: int  # physical id
    address: str | None  # live device address, None where none was set
    configured: str | None  # the address in /etc/hccn.conf
    netmask: str
    gateway: str
    netdetect: str
    link: str = "UP"  # ``UP`` or ``DOWN``
    tls: int = 0  # the TLS switch, 0 or 1
    mtu: int = 1500
    present: bool = True  # false once the card has dropped off the bus
    hang: bool = False  # its hccn_tool calls block
    available: bool = True  # whether npu-smi has an NPU ID for it
    health: str = "OK"
    hbm_mb: int = 65536
    flaps: int = 0  # how often its link went down and up within the last hour
    loss: int = 0  # percent of its packets that get lost
    certificate: bool = True  # whether a TLS certificate is there
    lldp: bool = True  # whether it hears its neighbour
    errors: int = 0  # packets sent again so far
    miscomputes: bool = False  # whether its products and sums are wrong

    @property
    def bus(self) -> str:
        """Its place on the PCI bus."""
        slots = ("C1", "01", "C2", "02", "81", "41", "82", "42")
        return f"0000:{slots[self.id % 8]}:0{self.id // 8}.0"


@dataclass(frozen=True)
class NodeState:
    """One emulated node."""

    name: str
    address: str  # where its SSH server and services are reached
    hostname: str
    cards: list[Card]
    driver: str = "24.1.0"
    faults: dict[str, str] = field(default_factory=dict)  # what is broken, by name, with an optional detail
    applied: list[str] = field(default_factory=list)  # the faults that the node has acted on


@dataclass(frozen=True)
class ClusterState:
    """The whole emulated cluster."""

    engine: str  # ``mindie``, emulated, or ``vllm``, the real one
    engine_version: str
    model: str
    time_scale: float  # factor on every documented delay and time limit; 1.0 is real time
    nodes: list[NodeState]

    def node(self, name: str) -> NodeState:
        """The node of that name.

        Raises:
            KeyError: there is none.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)


def load_cluster(root: Path | str = STATE) -> ClusterState:
    """The state as it is now."""
    root = Path(root)
    cluster = json.loads((root / "cluster.json").read_text())
    return ClusterState(**{**cluster, "nodes": [load_node(name, root) for name in cluster["nodes"]]})


def load_node(name: str, root: Path | str = STATE) -> NodeState:
    """One node's state as it is now."""
    return _node(json.loads((Path(root) / f"{name}.json").read_text()))


def load_pristine(name: str, root: Path | str = STATE) -> NodeState:
    """One node's state as it was when the node was built."""
    return _node(json.loads((Path(root) / f"{name}.pristine.json").read_text()))


def this_node(root: Path | str = STATE) -> NodeState:
    """The state of the node that this process runs on."""
    return load_node(NODE_NAME.read_text().strip(), root)


def save_cluster(state: ClusterState, root: Path) -> None:
    """Write everything anew."""
    root.mkdir(parents=True, exist_ok=True)
    for node in state.nodes:
        _write(root / f"{node.name}.json", asdict(node))
        _write(root / f"{node.name}.pristine.json", asdict(node))
    _write(root / "cluster.json", {**asdict(state), "nodes": [node.name for node in state.nodes]})


def update_node(name: str, change: Callable[[NodeState], NodeState], root: Path | str = STATE) -> NodeState:
    """Replace a node's state by ``change`` of it; nobody sees half of it, and no other change is lost."""
    root = Path(root)
    with locked(root / f"{name}.lock"):
        changed = change(load_node(name, root))
        _write(root / f"{name}.json", asdict(changed))
    return changed


def update_card(node: NodeState, card: int, **values: object) -> NodeState:
    """The node with some values of one card replaced.

    Raises:
        KeyError: it has no such card.
    """
    if card not in {existing.id for existing in node.cards}:
        raise KeyError(card)
    cards = [replace(c, **values) if c.id == card else c for c in node.cards]  # type: ignore[arg-type]  # fields by name
    return replace(node, cards=cards)


def _node(document: dict[str, object]) -> NodeState:
    cards = document.pop("cards")
    assert isinstance(cards, list)
    return NodeState(cards=[Card(**card) for card in cards], **document)  # type: ignore[arg-type]  # fields by name


def _write(path: Path, document: dict[str, object]) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(document, indent=1))
    part.replace(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Whoever else wants the same lock waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
