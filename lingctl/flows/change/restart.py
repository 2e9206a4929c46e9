"""restart: all daemons of the group end and start again, with what is on the nodes already."""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.errors import UsageError
from lingctl.events import Listener
from lingctl.flows.change.ending import ChangeEnding
from lingctl.flows.look.node_states import look_of, node_states
from lingctl.flows.look.runtime import need_container_nowhere_else, need_runtime
from lingctl.flows.look.served import cluster_that_runs
from lingctl.flows.run.person import Person
from lingctl.flows.run.proposal import Outcome, Proposal
from lingctl.flows.run.story import carry_out
from lingctl.inventory.cluster import Cluster
from lingctl.plan import Plan, Run, Stage, Step, plan_of
from lingctl.release.daemon import START_SECONDS, start_command, stop_command, stop_seconds
from lingctl.release.site import Site
from lingctl.release.state import FileState, NodeState
from lingctl.remote.group import Group
from lingctl.remote.runtime import call


def restart(cluster: Cluster, person: Person, *, lock_wait: float = 0.0) -> Outcome[None]:
    """Stop all daemons, start them again with the files that are there, and wait until they answer.

    Raises:
        LingctlError: there is nothing to start again, a node cannot be reached, or a daemon did not start.
    """

    def look(group: Group, listener: Listener) -> Proposal[None]:
        plan, served = plan_restart(group, cluster)
        # It serves what was served before: no proof is owed, and what an earlier run left half-done stays so.
        end = ChangeEnding(served, {})
        return Proposal(
            command="lingctl restart", question="Restart the service?", plan=plan, locked=(end.wait,)
        )

    return carry_out(cluster, person, look, quick=True, lock_wait=lock_wait)


def plan_restart(group: Group, cluster: Cluster) -> tuple[Plan, Cluster]:
    """What restarting takes on each node, and the cluster with the engine that is started again.

    Raises:
        UsageError: nothing was deployed on a node, so there is nothing to start again.
        NodeError: the container runtime does not answer on a node, or the container runs under another.
    """
    look = look_of(cluster)
    site = look.site
    need_container_nowhere_else(group, site)
    stopped = site.layout.last_started
    states = node_states(group, look.with_files(stopped))
    need_runtime(site.runtime, states.values())
    digests = {name: state.started or _first_line(state.files.get(stopped)) for name, state in states.items()}
    without = [name for name in states if not digests[name] or states[name].container is None]
    if without:
        raise UsageError("nothing was started here yet", where=", ".join(without), code="not-deployed")
    steps = (step for name, state in states.items() for step in _steps(site, state, digests[name]))
    return plan_of(steps), cluster_that_runs(group, cluster)


def _first_line(file: FileState | None) -> str:
    return file.content.decode("utf-8", "replace").partition("\n")[0].strip() if file else ""


def _steps(site: Site, state: NodeState, digest: str) -> Iterator[Step]:
    name, node = site.container, state.node
    if state.container_runs:
        stop = Run(stop_command(site, node), stop_seconds(site))
        title = "stop the daemon" if state.daemon_pid is not None else "clear what the daemon left"
        yield Step(Stage.STOP, node, title, "change", "asked for", (stop,), interrupts=True)
    else:
        start = Run(call(site.runtime, "start", name), 120)
        title = f"start container {name}"
        yield Step(Stage.CONTAINER, node, title, "change", "it does not run", (start,))
    daemon = Run(start_command(site, digest), START_SECONDS)
    yield Step(Stage.DAEMON, node, "start the daemon", "change", "asked for", (daemon,), interrupts=True)
