"""What the verbs share: options that are spelt the same everywhere, and how hosts.yaml is found.

Verbs import flows and output inside their functions, so that ``lingctl --help`` stays quick.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lingctl.paths import is_there

if TYPE_CHECKING:
    from lingctl.inventory.cluster import Cluster

DEFAULT_HOSTS = Path("hosts.yaml")

NodesOption = Annotated[
    Path | None,
    typer.Option(
        "--nodes",
        envvar="LINGCTL_NODES",
        help="The cluster's hosts.yaml (./hosts.yaml is used if it is there).",
    ),
]
NodeOption = Annotated[
    list[str] | None,
    typer.Option("--node", metavar="NAME", help="Only this node; may be given several times."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME[:VERSION]",
        help="What serves the model: mindie, vllm, vllm:0.23.0; default: hosts.yaml's.",
    ),
]


def _known_check(names: list[str] | None) -> list[str] | None:
    """Refuse a name that no check has: it would be accepted and mean nothing."""
    from lingctl.codes.catalogue import check_names
    from lingctl.errors import UsageError
    from lingctl.nearest import did_you_mean

    for name in names or ():
        if name not in check_names():
            raise UsageError(
                f"no check of deploy is named {name!r}",
                where="--accept",
                remedy=did_you_mean(name, check_names())
                or "write the name as the failure printed it, behind check- in its code",
                code="unknown-check",
            )
    return names


AcceptOption = Annotated[
    list[str] | None,
    typer.Option(
        "--accept",
        metavar="CHECK",
        callback=_known_check,
        help="Go on although this check fails; repeat for more.",
    ),
]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", envvar="LINGCTL_YES", help="Do not ask before changing nodes.")
]

LockWaitOption = Annotated[
    float,
    typer.Option(
        "--lock-wait", min=0, metavar="SECONDS", help="Wait so long for somebody else's change to end."
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Stop after the plan, and show the files' differences.")
]
SmokeOption = Annotated[bool, typer.Option("--smoke-test/--no-smoke-test", help="Prove it at the end.")]


def hosts_file(nodes: Path | None) -> Path | None:
    """The hosts.yaml to use: the one named, else the one here, else none."""
    if nodes is not None:
        return nodes
    # A link that leads nowhere is a mistake, and not none.
    return DEFAULT_HOSTS if DEFAULT_HOSTS.is_symlink() or is_there(DEFAULT_HOSTS) else None


def optional_cluster(nodes: Path | None) -> Cluster | None:
    """The cluster of ``hosts_file``, or None where this machine alone is meant."""
    found = hosts_file(nodes)
    if found is None:
        return None
    from lingctl.inventory.load import load_cluster

    return load_cluster(found)


def required_cluster(nodes: Path | None) -> Cluster:
    """The cluster of ``hosts_file``. Raises ConfigurationError: there is none, or it is wrong."""
    from lingctl.inventory.load import load_cluster

    return load_cluster(hosts_file(nodes) or DEFAULT_HOSTS)


def chosen_nodes(cluster: Cluster, names: list[str] | None) -> tuple[str, ...]:
    """The nodes that --node names, in the order of hosts.yaml; none where it was not given.

    Raises:
        UsageError: there is no such node; tells those that there are.
    """
    from lingctl.errors import UsageError
    from lingctl.nearest import did_you_mean

    for name in names or ():
        if name not in cluster.node_names:
            near = did_you_mean(name, cluster.node_names)
            raise UsageError(
                f"no node is named {name!r}",
                where="--node",
                remedy="; ".join(part for part in (near, f"nodes: {', '.join(cluster.node_names)}") if part),
                code="unknown-node",
            )
    return tuple(name for name in cluster.node_names if name in (names or ()))


def nothing_changed() -> typer.Exit:
    """The end of a command that was not agreed to."""
    from lingctl.output.screen.terminal import say

    say("Nothing was changed.")
    return typer.Exit(1)


def load_ahead(module: str) -> None:
    """Load what is needed later while this thread waits for the nodes; who needs it sooner waits for it."""

    def load() -> None:
        # What cannot be loaded is told where it is needed.
        with contextlib.suppress(Exception):
            importlib.import_module(module)

    threading.Thread(target=load, name="lingctl-load", daemon=True).start()
