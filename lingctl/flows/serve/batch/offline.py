"""batch --offline: the engine answers in its container, without a service; the cards are the batch's alone.

The requests go to the node once, and what answers them there outlives the connection: the same command picks
it up, and brings what was answered meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from lingctl.engines import engine_of
from lingctl.errors import ConfigurationError, EngineError, NodeError, WeightsError
from lingctl.events import Event, Listener
from lingctl.flows.look.node_states import look_of, node_programs, node_states
from lingctl.flows.look.running import all_daemons_run
from lingctl.flows.serve.batch.given import BatchOptions, need_models
from lingctl.flows.serve.batch.run import Answerer, Asked, Keep, run_batch
from lingctl.inventory.cluster import Cluster
from lingctl.program.job import job_folder
from lingctl.program.node_program import run_program
from lingctl.program.prepare import InContainer, prepare
from lingctl.program.settings import with_settings
from lingctl.release.weights_steps import WeightsPlan, weights_plan
from lingctl.remote.command import Command, command, script
from lingctl.remote.connection import Connection
from lingctl.remote.group import Group
from lingctl.remote.runtime import call
from lingctl.remote.upload import WriteFile
from lingctl.serving.batch.answer import BatchAnswer, json_line, usage_of
from lingctl.serving.batch.asking import BatchCounts
from lingctl.serving.batch.report import BatchReport
from lingctl.serving.batch.requests import BatchInput, BatchRequest
from lingctl.serving.trouble import ExchangeTrouble, error_fields

_THERE = 'test -f "$1" && echo there || echo absent'
_PART_BYTES = 32 << 20
# A batch may take days; the connection's own limits tell of a node that is gone.
_LONGEST = 30 * 86400.0


def batch_offline(
    group: Group, cluster: Cluster, given: BatchInput, options: BatchOptions, listener: Listener
) -> BatchReport:
    """Answer a file of requests on the cluster's first node.

    Raises:
        LingctlError: the engine cannot do it, the service runs, the container is not there, or vLLM fails.
    """
    if cluster.multi_node:
        raise ConfigurationError(
            "without a service one node answers alone, and this cluster has several",
            where="nodes in hosts.yaml",
            code="offline-several-nodes",
        )
    name = cluster.serving.served_name
    need_models(given, (name,), name, options)
    offline = _prepared(group, cluster, given, listener)
    answerer = Answerer(f"{offline.connection.node}, without a service", name, offline.answer)
    return run_batch(answerer, given, options, name if options.any_model else "", listener)


def _prepared(group: Group, cluster: Cluster, given: BatchInput, listener: Listener) -> _Offline:
    """All that has to hold before anything is sent."""
    listener(Event("look at the node", "started"))
    look = look_of(cluster)
    node = cluster.primary.name
    if all_daemons_run(group, look.site):
        raise EngineError("the service runs and has the cards", where=node, code="offline-service-runs")
    programs = node_programs(group, cluster, look)
    plan = weights_plan(cluster, node_states(group, look, programs)[node], programs[node])
    need_weights(plan, node)
    engine = engine_of(cluster)
    words = engine.offline(cluster, plan.folder, plan.model_config)
    connection = group[node]
    _wake(connection, cluster)
    inside = InContainer(
        cluster.runtime,
        cluster.container_name,
        lacking=f"no {engine.about.title} to ask",
        code="offline-no-container",
    )
    layout = cluster.layout
    # As the daemon has it: the release's own variables, CANN with them.
    through = with_settings((layout.environment,))
    program = prepare(connection, layout.program, inside, through=through)
    listener(Event("look at the node", "done"))
    named = hashlib.sha256("\0".join((given.digest, *words)).encode()).hexdigest()[:16]
    folder = f"{layout.batches}/{named}"
    # The container may write in the daemon's folder alone.
    answers = f"{layout.run}/batch-{named}.jsonl"
    files, name = ("--folder", folder, "--answers", answers), cluster.serving.served_name
    asked = program.command("offline", *files, "--model-name", name, "--", *words).titled("answer the batch")
    return _Offline(connection, layout.jobs, folder, answers, asked, given.requests)


def need_weights(plan: WeightsPlan, node: str) -> None:
    """Refuse weights that a deploy would still change.

    Its config.json too: with a wrong one vLLM answers rubbish, and says nothing.

    Raises:
        WeightsError: there is something left to do.
    """
    left = [step.title for step in plan.steps if step.state != "in place"]
    if left or not plan.settled:
        raise WeightsError(
            "the weights are not yet as the engine is to read them",
            where=f"{node}: {plan.folder}",
            evidence="\n".join(left),
            code="offline-weights",
        )


def _wake(connection: Connection, cluster: Cluster) -> None:
    """Start the container, which a stop of the service ends; it idles. Who asks it tells if there is none."""
    start = call(cluster.runtime, "start", cluster.container_name)
    connection.run(script(f"{start} >/dev/null 2>&1 || true", title="start the container"), timeout=120)


@dataclass(frozen=True, slots=True)
class _Offline:
    """The engine in its container."""

    connection: Connection
    jobs: str
    folder: str  # of the requests, on the node
    answers: str  # file of the answers there
    command: Command
    requests: int  # how many there are

    def answer(
        self, requests: Iterator[BatchRequest], keep: Keep, tick: Callable[[BatchCounts], None]
    ) -> Asked:
        """See ``Answerer``."""
        counts = BatchCounts()
        if not self._is_there():
            self._send(requests)
        else:
            for _ in requests:  # the file is read to its end, so that a change of it is known
                pass

        def hear(event: Mapping[str, object]) -> None:
            if event.get("event") == "answer" and keep(answer := _read(event, self.requests)):
                counts.note(answer)
            elif event.get("event") == "progress":
                tick(counts)

        done, result = run_program(self.connection, self.command, timeout=_LONGEST, jobs=self.jobs, hear=hear)
        if result is None:
            raise NodeError(
                f"what answers the batch ended without a word, exit status {done.exit_status}",
                where=self.connection.node,
                evidence=done.last_words(),
                code="offline-ended",
            )
        places = (self.folder, self.answers, job_folder(self.jobs, self.command))
        remove = command("rm", "-rf", *places, title="remove the batch from the node")
        self.connection.run(remove, timeout=60).checked(self.connection.node)
        return Asked(counts)

    def _is_there(self) -> bool:
        ask = script(_THERE, f"{self.folder}/asked.json", title="look for the requests")
        return self.connection.run(ask, timeout=30).stdout.strip() == "there"

    def _send(self, requests: Iterator[BatchRequest]) -> None:
        """The requests in parts, and last what says that they are whole."""
        parts = count = 0
        for request in requests:
            part = bytearray(_line(request))
            count += 1
            for more in chain(requests):
                part += _line(more)
                count += 1
                if len(part) >= _PART_BYTES:
                    break
            self._put(f"requests-{parts:05d}.jsonl", bytes(part))
            parts += 1
        self._put("asked.json", json_line({"parts": parts, "requests": count}))

    def _put(self, name: str, content: bytes) -> None:
        self.connection.put(WriteFile(f"{self.folder}/{name}", content, 0o640))


def _line(request: BatchRequest) -> bytes:
    return json_line(
        {
            "number": request.number,
            "custom_id": request.custom_id,
            "id": request.answer_id,
            "url": request.url,
            "body": request.body,
        }
    )


def _read(event: Mapping[str, object], requests: int) -> BatchAnswer:
    """An answer that the node tells. Raises NodeError: it is none."""
    number, body, status = event.get("number"), event.get("body"), event.get("status")
    ours = isinstance(number, int) and 0 <= number < requests
    if not ours or not isinstance(number, int) or not isinstance(body, dict) or not isinstance(status, int):
        raise NodeError(
            "the node tells an answer that is none", evidence=str(event)[:400], code="program-answer"
        )
    response = {"status_code": status, "request_id": str(body.get("id", "")), "body": body}
    trouble = None
    if status != 200:
        text, kind = error_fields(body) or ("refused", "")
        trouble = ExchangeTrouble("http", text, status, kind)
    return BatchAnswer(
        number, str(event.get("custom_id")), str(event.get("id")), response, trouble, usage_of(response)
    )
