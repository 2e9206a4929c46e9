"""rollback: back to a recorded release, through the same plan as a deploy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lingctl.engines import engine_of
from lingctl.errors import NodeError, UsageError
from lingctl.events import Listener
from lingctl.flows.change.drift import need_no_drift
from lingctl.flows.change.ending import ChangeEnding
from lingctl.flows.look.node_states import Look, look_of, node_state, node_states
from lingctl.flows.look.runtime import image_missing, need_container_nowhere_else, need_runtime
from lingctl.flows.run.change import Change
from lingctl.flows.run.execute import execute
from lingctl.flows.run.person import Person
from lingctl.flows.run.proposal import Outcome, Proposal
from lingctl.flows.run.story import carry_out
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.models.config_json import model_config_text
from lingctl.inventory.runtime import Runtime
from lingctl.node.foreign_json import foreign_json
from lingctl.plan import Plan, Stage, Step, plan_of
from lingctl.release.planning import deploy_steps, file_step
from lingctl.release.record import Recorded, read_record, recorded, running
from lingctl.release.state import NodeState
from lingctl.release.wanted import Release
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.upload import WriteFile
from lingctl.serving.smoke.report import SmokeReport

_COMMAND = "lingctl rollback"


@dataclass(frozen=True, slots=True)
class Rollback:
    """The way back."""

    release: str  # id of the release to come back to
    cluster: Cluster  # as hosts.yaml has it, with that release's engine
    plan: Plan  # what has to be done for it
    look: Look  # how the nodes were looked at: for the image of that release
    states: Mapping[str, NodeState]  # the nodes as they were seen

    @property
    def command(self) -> str:
        """As the journal has it: by the release in it the same command goes on after an interruption."""
        return f"{_COMMAND} {self.release}"


def rollback(
    cluster: Cluster,
    person: Person,
    release: str | None = None,
    *,
    smoke: bool = True,
    dry_run: bool = False,
    lock_wait: float = 0.0,
) -> Outcome[SmokeReport]:
    """Bring every node back to an earlier release, and prove that it answers.

    Raises:
        UsageError: there is no such release, or it is not whole.
        ChecksFailed: the service answers, but wrongly.
        LingctlError: a node cannot be reached or lacks what the release needs, or a step failed.
    """

    def look(group: Group, listener: Listener) -> Proposal[SmokeReport]:
        back = plan_rollback(group, cluster, release)
        end = ChangeEnding(back.cluster, back.states)
        proof = (end.prove,) if smoke else ()

        def run(group: Group, listener: Listener, change: Change) -> None:
            need_no_drift(group, back.look, back.states)
            execute(back.plan, group, listener, change)

        return Proposal(
            command=back.command,
            question="Do this?",
            plan=back.plan,
            run=run,
            # The proof is a part of it: until then, the same command goes on with this release and no earlier
            # one. So it comes before the end in the journal, this run's and that of an interrupted one.
            locked=(end.wait, end.settle, *proof),
            unchanged=(end.wait, *proof, end.settle),
            release=back.release,
            heading=f"Back to release {back.release}:",
            wanted=f"release {back.release} has it",
            remarks=_of_another_engine(cluster, back.cluster),
        )

    return carry_out(cluster, person, look, quick=True, dry_run=dry_run, lock_wait=lock_wait)


def plan_rollback(group: Group, cluster: Cluster, release: str | None) -> Rollback:
    """Decide what to do to come back to a release.

    Args:
        release: its id, or None for the one that an interrupted rollback was going to, else for the last
            proved one before the one that runs.

    Raises:
        UsageError: there is no such release, or it is not whole.
        NodeError: a node lacks what the release needs, or its container runs under another runtime.
    """
    now = look_of(cluster)
    need_container_nowhere_else(group, now.site)
    quick = node_states(group, now)
    target = _choose(recorded(quick), running(quick), cluster, release or _interrupted(quick))
    folder = now.site.layout.releases

    def read(connection: Connection) -> Release:
        path = f"{folder}/{target.id}.{target.digests[connection.node]}.json"
        return read_record(connection.node, connection.get(path).decode("utf-8", "replace"))

    wanted = group.all(read)
    served = cluster.served_by(wanted[cluster.primary.name].engine)
    then = look_of(served, image=wanted[cluster.primary.name].container.image)

    def look(connection: Connection) -> NodeState:
        own = wanted[connection.node]
        paths = (file.path for file in (*own.files, *own.overlay))
        return node_state(connection, then.with_files(*paths, _config_path(own)))

    states = group.all(look)
    steps: list[Step] = []
    for name, state in states.items():
        _need(then.site.runtime, state, wanted[name])
        steps.append(_model_config_step(state, wanted[name]))
    steps += deploy_steps(then.site, states, wanted).steps
    return Rollback(target.id, served, plan_of(steps), then, states)


def _of_another_engine(cluster: Cluster, served: Cluster) -> tuple[str, ...]:
    """What is said where the release has another engine than hosts.yaml names."""
    now, then = engine_of(cluster).about, engine_of(served).about
    if now.name == then.name:
        return ()
    return (
        f"that release is served by {then.title} {then.version}, and hosts.yaml names {now.title}: write the "
        f"other there too, or the next lingctl deploy brings {now.title} back",
    )


def _interrupted(states: Mapping[str, NodeState]) -> str | None:
    """The release of a rollback that did not end well; what runs now may be that one, or nothing at all."""
    for state in states.values():
        if state.unfinished is not None:
            command, _, release = state.unfinished.run.command.rpartition(" ")
            if command == _COMMAND:
                return release
    return None


def _choose(known: list[Recorded], now: Recorded | None, cluster: Cluster, wanted: str | None) -> Recorded:
    whole = [one for one in known if one.whole(cluster.node_names)]
    if wanted is None:
        for one in whole:
            if one.proved and (now is None or one.id < now.id):
                return one
        raise UsageError(
            "there is no earlier release that was proved to answer",
            code="no-release",
        )
    found = [one for one in known if one.id == wanted or (len(wanted) >= 4 and one.id.endswith(f"-{wanted}"))]
    if not found:
        raise UsageError(f"there is no release {wanted!r}", code="no-release")
    if found[0] not in whole:
        missing = [name for name in cluster.node_names if name not in found[0].digests]
        raise UsageError(
            f"release {found[0].id} is not on every node", where=", ".join(missing), code="release-not-whole"
        )
    return found[0]


def _need(runtime: Runtime, state: NodeState, release: Release) -> None:
    """What a record does not hold must still be on the node: the image and the weights."""
    need_runtime(runtime, [state])
    if not state.image_present:
        image = release.container.image
        what = f"the image {image} of that release is not there any more"
        raise image_missing(runtime, what, image, state.node)
    if _config_path(release) not in state.files:
        raise NodeError(
            f"the weights of that release are not there any more: {release.weights}",
            where=state.node,
            code="weights-missing",
        )


def _model_config_step(state: NodeState, release: Release) -> Step:
    path = _config_path(release)
    title = "put the model's config.json back"
    try:
        same = foreign_json(state.files[path].content) == dict(release.model_config)
    except ValueError:
        same = False
    if same:
        return Step(Stage.MODEL_CONFIG, state.node, title, "in place", "as that release had it")
    wanted = WriteFile(path, model_config_text(release.model_config).encode())
    return replace(file_step(Stage.MODEL_CONFIG, state, wanted), title=title, state="change")


def _config_path(release: Release) -> str:
    return f"{release.weights}/config.json"
