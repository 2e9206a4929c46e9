"""``lingctl check-network``: is every card of every node fit, and can they reach each other?"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from lingctl.cli.common import JsonOption, NodesOption, optional_cluster


class Mesh(StrEnum):
    """Which cards ping each other."""

    OFF = "off"
    ROTATION = "rotation"
    FULL = "full"


def check_network(
    nodes: NodesOption = None,
    mesh: Annotated[
        Mesh,
        typer.Option(
            help="Card-to-card pings: own index and a rotation on every node pair, all pairs, or none."
        ),
    ] = Mesh.ROTATION,
    mesh_seconds: Annotated[float, typer.Option(help="Time limit of the pings, in seconds.")] = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Check cards, links, addresses, hosts and the ways between them. Changes nothing.

    Without a hosts.yaml this machine alone is checked. Exit status 3 when something is found, 4 when no node
    can be reached.
    """
    from lingctl.findings import Verdict
    from lingctl.flows.check_network import CheckOptions, check_network, check_scope, scope_of_machine
    from lingctl.output.network import print_network, print_network_json
    from lingctl.output.progress import progress
    from lingctl.remote.group import Group, connect
    from lingctl.remote.local import LocalConnection

    cluster = optional_cluster(nodes)
    options = CheckOptions(mesh.value, mesh_seconds)
    with progress() as listener:
        if cluster is None:
            local = LocalConnection()
            report = check_scope(Group({local.node: local}), scope_of_machine(local), options, listener)
        else:
            with connect(cluster, listener) as group:
                report = check_network(group, cluster, options, listener)
    if as_json:
        print_network_json(report)
    else:
        print_network(report)
    if len(report.unreachable) == len(report.scope.nodes):
        raise typer.Exit(4)
    if report.verdict >= Verdict.WARNING:
        raise typer.Exit(3)
