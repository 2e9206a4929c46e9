"""``lingctl deploy``: show the plan, ask, do it, prove it."""

from __future__ import annotations

import typer

from lingctl.cli.common import (
    AcceptOption,
    DryRunOption,
    JsonOption,
    LockWaitOption,
    NodesOption,
    SmokeOption,
    YesOption,
    nothing_changed,
    required_cluster,
)


def deploy(
    nodes: NodesOption = None,
    dry_run: DryRunOption = False,
    smoke: SmokeOption = True,
    accept: AcceptOption = None,
    yes: YesOption = False,
    lock_wait: LockWaitOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Bring every node to what hosts.yaml asks, start the engine, and prove that it answers."""
    from lingctl.flows.change.deploy import deploy as deploy_cluster
    from lingctl.output.documents import print_json
    from lingctl.output.person import Terminal
    from lingctl.output.screen.terminal import say
    from lingctl.output.verbs.plans import plan_json
    from lingctl.serving.endpoint import endpoint_of

    cluster = required_cluster(nodes)
    outcome = deploy_cluster(
        cluster,
        Terminal(yes=yes, differences=dry_run),
        accepted=accept or (),
        smoke=smoke,
        dry_run=dry_run,
        lock_wait=lock_wait,
    )
    if as_json:
        answer = {"answer": outcome.result.answer if outcome.result else ""} if outcome.changed else {}
        findings = [finding.as_json() for finding in outcome.proposal.findings]
        plan = plan_json(outcome.proposal.plan)
        head = {"cluster": cluster.name, "changed": outcome.changed, "plan": plan}
        print_json("deploy", {**head, **answer, "findings": findings})
    if outcome.state == "declined":
        raise nothing_changed()
    if outcome.unfit is not None:
        if as_json:
            raise typer.Exit(outcome.unfit.exit_status)  # the document tells why, and is the only one
        raise outcome.unfit
    if outcome.changed:
        url = endpoint_of(cluster).service_url
        say(
            f"Ready: {cluster.model} answers at {url} as {cluster.serving.served_name!r}.", style="bold green"
        )
