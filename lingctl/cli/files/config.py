"""``lingctl config``: hosts.yaml by itself, without asking a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from lingctl.cli.common import EngineOption, JsonOption, NodesOption, required_cluster

if TYPE_CHECKING:
    from lingctl.inventory.cluster import Cluster

app = typer.Typer(no_args_is_help=True)


@app.command("check", short_help="Tell every mistake in hosts.yaml.")
def check(nodes: NodesOption = None, engine: EngineOption = "", as_json: JsonOption = False) -> None:
    """Tell every mistake in hosts.yaml, with its line and what to write; no node is asked.

    Also what the engine would refuse, and files that it names and that are not here.
    """
    from lingctl.engines import engine_of
    from lingctl.flows.files.config import judge_config
    from lingctl.inventory.typed_engine import with_typed_engine
    from lingctl.output.documents import print_json
    from lingctl.output.screen.terminal import answer_sentence, say

    cluster = with_typed_engine(required_cluster(nodes), engine)
    remarks = judge_config(cluster)
    if as_json:
        about = engine_of(cluster).about
        print_json(
            "config-check",
            {
                "cluster": cluster.name,
                "engine": {"name": about.name, "version": about.version},
                "remarks": list(remarks),
            },
        )
        return
    for remark in remarks:
        say(remark)
    answer_sentence(f"{_summary(cluster)}: no mistake found.")
    say("Nodes, cards, weights and the memory they need were not looked at: lingctl check-network")


def _summary(cluster: Cluster) -> str:
    from lingctl.engines import engine_of

    about = engine_of(cluster).about
    nodes = len(cluster.nodes)
    machines = f"{nodes} node{'s' if nodes > 1 else ''}, {cluster.world_size} cards"
    return f"{cluster.name}: {cluster.model} with {about.title} {about.version} on {machines}"


@app.command("show", short_help="Show the merged values, and where each came from.")
def show(nodes: NodesOption = None, engine: EngineOption = "", as_json: JsonOption = False) -> None:
    """Show the merged values of hosts.yaml, environment and defaults, and where each came from."""
    from lingctl.cli.files.values import print_values
    from lingctl.inventory.typed_engine import with_typed_engine

    overrides = dict.fromkeys(("engine", "engine.version"), "flag --engine") if engine else {}
    print_values(with_typed_engine(required_cluster(nodes), engine), overrides, as_json)
