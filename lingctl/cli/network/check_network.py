"""``lingctl check-network``: is every card of every node fit, and can they reach each other?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lingctl.cli.common import (
    JsonOption,
    LockWaitOption,
    NodeOption,
    NodesOption,
    YesOption,
    chosen_nodes,
    load_ahead,
    nothing_changed,
    optional_cluster,
    required_cluster,
)
from lingctl.errors import UsageError

if TYPE_CHECKING:
    from lingctl.flows.network.check import NetworkReport


Mesh = Literal["off", "rotation", "full"]


def check_network(
    nodes: NodesOption = None,
    node: NodeOption = None,
    mesh: Annotated[
        Mesh,
        typer.Option(
            help="Pings between cards: own index and a rotating one on every node pair, all, or none."
        ),
    ] = "rotation",
    mesh_seconds: Annotated[float, typer.Option(min=0, help="Time limit of the pings, in seconds.")] = 120.0,
    save: Annotated[
        Path | None, typer.Option(help="Keep the raw answers in this folder.", file_okay=False)
    ] = None,
    saved: Annotated[
        Path | None,
        typer.Option("--from", help="Judge answers that --save kept; ask no node.", file_okay=False),
    ] = None,
    fix_tls: Annotated[
        int | None,
        typer.Option(
            min=0, max=1, help="Set the TLS switch of every card to 0 or 1, after showing the plan."
        ),
    ] = None,
    fail_on: Annotated[
        Literal["warning", "unknown", "failure"],
        typer.Option(help="Verdict from which on the exit status is 3."),
    ] = "warning",
    html: Annotated[
        Path | None,
        typer.Option(
            help="Also write a page: findings, mesh, every node and card; FILE.html.", metavar="FILE"
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --html: replace a file that check-network did not write.")
    ] = False,
    yes: YesOption = False,
    lock_wait: LockWaitOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Check cards, links, addresses, hosts and the ways between them. Changes nothing without --fix-tls.

    Without a hosts.yaml this machine alone is checked. Exit status 3 when something is found, 4 when no node
    can be reached. What --node leaves out is unknown, and so is what lies between it and others.
    """
    if node and (saved or fix_tls is not None):
        raise UsageError("--node goes with neither --from nor --fix-tls: these are about all nodes")
    if fix_tls is not None:
        if save or saved or html:
            raise UsageError("--fix-tls changes nodes: it goes with none of --save, --from and --html")
        _fix_tls(nodes, fix_tls, yes=yes, lock_wait=lock_wait, as_json=as_json)
        return
    if html:
        from lingctl.flows.run.page_file import check_page

        check_page(html, "--html", over="" if force else "check-network")
    report = _judge_saved(saved) if saved else _ask(nodes, node, mesh, mesh_seconds)
    from lingctl.findings import Verdict
    from lingctl.output.screen.terminal import say
    from lingctl.output.verbs.network import print_network, print_network_json

    if save:
        from lingctl.flows.network.saved import save_answers

        save_answers(report, save)
        say(f"The raw answers are in {save}; judge them again with: lingctl check-network --from {save}")
    if as_json:
        print_network_json(report)
    else:
        print_network(report)
    if html:
        _write_page(html, report, nodes, saved)
        say(f"Wrote {html}: findings, pings, and the facts of every node and card.")
    if len(report.unreachable) == len(report.asked):
        raise typer.Exit(4)
    if report.verdict >= Verdict[fail_on.upper()]:
        raise typer.Exit(3)


def _write_page(path: Path, report: NetworkReport, nodes: Path | None, saved: Path | None) -> None:
    import shlex
    import sys
    from datetime import UTC, datetime

    from lingctl import __version__
    from lingctl.flows.run.page_file import write_page
    from lingctl.output.pages.network import PageHead, network_page
    from lingctl.output.verbs.network import network_rows

    cluster = None if saved else optional_cluster(nodes)
    what = f"answers in {saved}" if saved else cluster.name if cluster else "this machine"
    command = shlex.join(["lingctl", *sys.argv[1:]])
    of = PageHead(what, command, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}", __version__)
    write_page(path, "--html", network_page(report, of, *network_rows(report)))


def _judge_saved(folder: Path) -> NetworkReport:
    from lingctl.flows.network.saved import judge_saved

    return judge_saved(folder)


def _ask(nodes: Path | None, node: list[str] | None, mesh: Mesh, mesh_seconds: float) -> NetworkReport:
    from lingctl.output.progress import progress
    from lingctl.remote.group import Group, connect

    cluster = required_cluster(nodes) if node else optional_cluster(nodes)
    with progress() as listener:
        if cluster is None:
            from lingctl.flows.network.check import CheckOptions, check_scope, scope_of_machine
            from lingctl.remote.local import LocalConnection

            local = LocalConnection()
            options = CheckOptions(mesh, mesh_seconds)
            return check_scope(Group({local.node: local}), scope_of_machine(local), options, listener)
        with connect(cluster, listener, only=chosen_nodes(cluster, node), wait=False) as group:
            # What asks and judges is loaded while nodes are logged in to, what prints while they are asked.
            from lingctl.flows.network.check import CheckOptions, check_network

            load_ahead("lingctl.output.verbs.network")
            return check_network(group, cluster, CheckOptions(mesh, mesh_seconds), listener)


def _fix_tls(nodes: Path | None, value: int, *, yes: bool, lock_wait: float, as_json: bool) -> None:
    from lingctl.findings import Verdict, worst
    from lingctl.flows.network.fix_tls import fix_tls
    from lingctl.output.documents import print_json
    from lingctl.output.findings import print_findings, summary
    from lingctl.output.person import Terminal
    from lingctl.output.screen.terminal import answer
    from lingctl.output.verbs.plans import plan_json

    outcome = fix_tls(required_cluster(nodes), value, Terminal(yes=yes), lock_wait=lock_wait)
    if outcome.state == "declined":
        raise nothing_changed()
    findings = outcome.result or ()
    if as_json:
        plan, found = plan_json(outcome.proposal.plan), [finding.as_json() for finding in findings]
        print_json("fix-tls", {"changed": outcome.changed, "plan": plan, "findings": found})
    else:
        print_findings(findings, above=Verdict.PASS)
        answer(f"TLS switch {value}: {summary(findings)}")
    if worst(findings) > Verdict.PASS:
        raise typer.Exit(3)
