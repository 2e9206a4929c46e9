"""``lingctl deploy``: show the plan, ask, do it, prove it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from lingctl.cli.common import JsonOption, LockWaitOption, NodesOption, YesOption, required_cluster


def deploy(
    nodes: NodesOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Stop after the plan, and show the files' differences.")
    ] = False,
    smoke: Annotated[bool, typer.Option("--smoke-test/--no-smoke-test", help="Prove it at the end.")] = True,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="CHECK", help="Go on although this check fails; repeat for more."),
    ] = None,
    yes: YesOption = False,
    lock_wait: LockWaitOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Bring every node to what hosts.yaml asks, start MindIE, and prove that it answers."""
    from lingctl.checks.glance import UNSEEN
    from lingctl.errors import ChecksFailed
    from lingctl.findings import Verdict
    from lingctl.flows.change.deploy import plan_deploy, run_deploy
    from lingctl.flows.change.prove import prove_service, wait_until_serving
    from lingctl.flows.change.releases import lacks_proof, note_proved
    from lingctl.flows.run.change import changing, settle
    from lingctl.output.documents import print_json
    from lingctl.output.findings import print_findings
    from lingctl.output.plans import plan_json, print_plan
    from lingctl.output.progress import progress
    from lingctl.output.questions import confirm
    from lingctl.output.terminal import conversation, say
    from lingctl.remote.group import connect
    from lingctl.serving.endpoint import endpoint_of

    cluster = required_cluster(nodes)
    with ExitStack() as connections:
        with progress() as listener:
            group = connections.enter_context(connect(cluster, listener))
            deployment = plan_deploy(group, cluster, listener, accept or ())
        print_findings(deployment.findings, above=Verdict.NOTE, console=conversation())
        print_plan(deployment.plan, differences=dry_run)
        if deployment.glanced:
            say(UNSEEN)
        if deployment.plan.empty and not dry_run:
            # Nothing to change, yet an interrupted run may have left daemons that still load, or no proof.
            with progress() as listener:
                wait_until_serving(group, cluster, listener)
                settle(group, cluster, deployment.states, listener)
                if smoke and lacks_proof(deployment.states):
                    prove_service(group, cluster, listener)
                    note_proved(group, cluster)
    findings = [finding.as_json() for finding in deployment.findings]
    done = dry_run or deployment.plan.empty
    if done or not confirm("Do this?", yes=yes):
        if as_json:
            print_json(
                "deploy",
                {
                    "cluster": cluster.name,
                    "changed": False,
                    "plan": plan_json(deployment.plan),
                    "findings": findings,
                },
            )
        if not done:
            say("Nothing was changed.")
            raise typer.Exit(1)
        if as_json and deployment.unfit:
            raise typer.Exit(ChecksFailed.exit_status)  # the document tells why, and is the only one
        deployment.need_fit()
        return
    with progress() as listener, connect(cluster, listener) as group:
        with changing(group, cluster, "lingctl deploy", listener, wait=lock_wait) as change:
            run_deploy(group, deployment, listener, change)
            wait_until_serving(group, cluster, listener)
            settle(group, cluster, deployment.states, listener)
        report = prove_service(group, cluster, listener) if smoke else None
        if report:
            note_proved(group, cluster)
    if as_json:
        print_json(
            "deploy",
            {
                "cluster": cluster.name,
                "changed": True,
                "plan": plan_json(deployment.plan),
                "answer": report.answer if report else "",
                "findings": findings,
            },
        )
    url = endpoint_of(cluster).service_url
    say(f"Ready: {cluster.model} answers at {url} as {cluster.serving.served_name!r}.", style="bold green")
