"""``lingctl npu-check``: the cards themselves."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from lingctl.cli.common import JsonOption, NodesOption


def npu_check(
    nodes: NodesOption = None,
    host: Annotated[
        bool, typer.Option("--host", help="On the nodes themselves, not in their containers.")
    ] = False,
    device: Annotated[
        Literal["npu", "cpu"], typer.Option(help="cpu: the same way without cards, to prove the way.")
    ] = "npu",
    cards: Annotated[
        int | None, typer.Option(min=1, max=64, help="Workers with --device cpu and no --nodes.")
    ] = None,
    timeout: Annotated[int, typer.Option(min=10, help="Seconds for the all-reduce.")] = 180,
    allow_running: Annotated[
        bool, typer.Option("--allow-running", help="Although an engine uses the cards.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compute on every card and add up over all of them, with HCCL, in the containers of a deploy.

    Exit status 3 when a card is missing, computes wrongly or cannot be reached.
    """
    from lingctl.cli.common import optional_cluster
    from lingctl.findings import Verdict
    from lingctl.flows.network.npu_check import NpuOptions, npu_check_here, npu_check_nodes
    from lingctl.output.documents import print_json
    from lingctl.output.findings import print_findings, summary
    from lingctl.output.progress import progress
    from lingctl.output.screen.terminal import answer
    from lingctl.remote.group import connect

    options = NpuOptions(device=device, cards=cards, host=host, timeout=timeout, allow_running=allow_running)
    cluster = optional_cluster(nodes)
    if cluster is None:
        with progress() as listener:
            report = npu_check_here(options, listener)
    else:
        with progress() as listener, connect(cluster, listener) as group:
            report = npu_check_nodes(group, cluster, options, listener)
    if as_json:
        print_json("npu-check", report.as_json())
    else:
        print_findings(report.findings, above=Verdict.PASS)
        answer(summary(report.findings))
    if report.exit_status:
        raise typer.Exit(report.exit_status)
