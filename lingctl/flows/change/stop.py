"""stop: a clean end of the daemons, then of the containers. Files, weights and containers stay."""

from __future__ import annotations

from lingctl.ascend.host import is_absent
from lingctl.events import Listener
from lingctl.flows.look.runtime import need_container_nowhere_else, runtime_down
from lingctl.flows.run.person import Person
from lingctl.flows.run.proposal import Outcome, Proposal
from lingctl.flows.run.story import carry_out
from lingctl.inventory.cluster import Cluster
from lingctl.plan import Plan, Run, Stage, Step, plan_of
from lingctl.release.daemon import stop_command, stop_seconds
from lingctl.release.site import Site, site_of
from lingctl.release.state import container_unreadable
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.runtime import call, version_command

# In any other a process may be there and hold cards: one that is paused holds them.
_NOTHING_RUNS = ("absent", "created", "configured", "initialized", "exited", "stopped", "dead", "removing")


def stop(cluster: Cluster, person: Person, *, lock_wait: float = 0.0) -> Outcome[None]:
    """Stop the daemons and their containers; weights, files and containers stay for the next deploy.

    Raises:
        LingctlError: a node cannot be reached, or a daemon did not end.
    """

    def look(group: Group, listener: Listener) -> Proposal[None]:
        plan = plan_stop(group, site_of(cluster))
        nothing = ("Nothing to do: no container of this cluster runs.",) if plan.empty else ()
        return Proposal(command="lingctl stop", question="Stop the service?", plan=plan, instead=nothing)

    return carry_out(cluster, person, look, quick=True, lock_wait=lock_wait)


def plan_stop(group: Group, site: Site) -> Plan:
    """What stopping takes on each node.

    Raises:
        LingctlError: a node cannot be asked, or the container runs under another runtime.
    """
    need_container_nowhere_else(group, site)
    steps = group.all(lambda connection: _stop_step(connection, site))
    return plan_of(steps.values())


def _stop_step(connection: Connection, site: Site) -> Step:
    name, runtime, node = site.container, site.runtime, connection.node
    look = call(runtime, "inspect", "--format", "{{.State.Status}}", name, title="look at the container")
    looked = connection.run(look, timeout=30)
    status = looked.stdout.strip() if looked.ok else "absent" if is_absent(looked.stderr) else ""
    if not status:
        answers = connection.run(version_command(runtime), timeout=30)
        if not answers.ok:
            raise runtime_down(runtime, node, answers.last_words())
        raise container_unreadable(node, looked.last_words())
    title = f"stop the daemon and container {name}"
    if status in _NOTHING_RUNS:
        return Step(Stage.STOP, node, title, "in place", f"the container is {status}")
    actions = (
        Run(stop_command(site, node), stop_seconds(site)),
        Run(call(runtime, "stop", "-t", 10, name), 60),
    )
    reason = "it runs" if status == "running" else f"it is {status}"
    return Step(Stage.STOP, node, title, "change", reason, actions, interrupts=True)
