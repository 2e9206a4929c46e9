"""The last line of status: what to type. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lingctl.flows.look.status.cluster_status import NodeStatus
from lingctl.flows.look.status.problems import HALF_DONE


def what_to_type(rows: Sequence[NodeStatus]) -> str:
    """What mends the worst of what the rows show, as one line; empty where all is well."""
    bad = [row for row in rows if not row.healthy]
    unreached = [row.node for row in bad if not row.reached]
    if not bad:
        return ""
    if unreached:
        nodes = ", ".join(unreached)
        return f"bring {nodes} back (lingctl check-network tells what fails), then: lingctl deploy"
    if any(row.daemon == "unknown" for row in bad):
        return "see why the container runtime does not answer there, then: lingctl status"
    if all(row.service == "not judged" and not row.problems for row in bad):
        return "the service is judged when all nodes are asked: lingctl status"
    waits = [row for row in bad if row.daemon == "loading"]
    if waits and not any(row.problems for row in bad):
        return "it loads: lingctl logs -f"
    if any(row.service == "no tokens" for row in bad):
        return "lingctl logs tells what it says; lingctl restart starts all daemons again"
    if any(row.service == "node lost" for row in bad):
        return "all daemons have to start again: lingctl restart"
    problems = [problem for row in bad for problem in row.problems]
    if problems and _run(bad) and all(problem.startswith(HALF_DONE) for problem in problems):
        return "lingctl lock status tells whether somebody is at it; if nobody is: lingctl deploy"
    if any(row.daemon in ("dead", "stopped") or row.problems for row in bad):
        cards = any(problem.startswith("card ") for row in bad for problem in row.problems)
        return "lingctl check-network" if cards and _run(bad) else "lingctl deploy"
    return "lingctl smoke-test tells what the service lacks; lingctl logs what it says"


def _run(rows: Iterable[NodeStatus]) -> bool:
    return all(row.daemon == "running" for row in rows)
