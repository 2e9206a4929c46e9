"""Where a sandbox keeps what, and which addresses it uses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# The module that keeps a sandbox alive; with the directory behind it, it marks a sandbox's processes.
KEEPER = "lingctl.sandbox.keeper"
SSH_PORT = 2222
MAX_NODES = 250
# Disks of their own on every node, so that they can be full for real: name, place, size.
DISKS = {"models": (Path("/root/models"), "2g"), "state": (Path("/var/lib/lingctl"), "64m")}
# 127.0.<block>.<node> are nodes, 127.<100 + block>.<node>.<10 + card> their cards.
BLOCKS = range(1, 150)
CARD_NETMASK = "255.255.0.0"


@dataclass(frozen=True)
class Layout:
    """Paths below a sandbox's directory, which is absolute."""

    directory: Path

    @property
    def hosts(self) -> Path:
        """The inventory to give to ``lingctl --nodes``."""
        return self.directory / "hosts.yaml"

    @property
    def known_hosts(self) -> Path:
        """Host keys of all nodes."""
        return self.directory / "known_hosts"

    @property
    def key(self) -> Path:
        """Private key that logs in as root on all nodes."""
        return self.directory / "key"

    @property
    def state(self) -> Path:
        """State files, shared with all nodes."""
        return self.directory / "state"

    @property
    def request(self) -> Path:
        """What was asked for; where it is, there is a sandbox."""
        return self.state / "request.json"

    @property
    def images(self) -> Path:
        """Container images, shared with all nodes."""
        return self.directory / "images"

    @property
    def checkpoint(self) -> Path:
        """Folder of tiny checkpoints, by the models' folder names."""
        return self.directory / "checkpoint"

    @property
    def vllm(self) -> Path:
        """Link to the virtual environment of the real vLLM, where that is the engine."""
        return self.directory / "vllm"

    def node(self, name: str) -> Path:
        """Folder of one node."""
        return self.directory / "nodes" / name

    @property
    def contents(self) -> list[Path]:
        """Everything that a sandbox puts into its directory."""
        own = [self.hosts, self.known_hosts, self.key, self.key.with_suffix(".pub")]
        return [*own, self.vllm, self.state, self.images, self.checkpoint, self.directory / "nodes"]


def node_address(block: int, number: int) -> str:
    """Address of node ``number``, counted from 1."""
    return f"127.0.{block}.{number}"


def claim_address(block: int) -> str:
    """The address whose port marks a block as taken for as long as its sandbox runs."""
    return f"127.0.{block}.254"


def card_address(block: int, number: int, card: int) -> str:
    """Device address of one card."""
    return f"127.{100 + block}.{number}.{10 + card}"


def card_gateway(block: int) -> str:
    """Gateway of the cards' network; nothing listens there."""
    return f"127.{100 + block}.255.254"
