"""The weights of an acceptance: every byte on every node, and the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lingctl.errors import LingctlError
from lingctl.findings import Finding, Subject, Verdict, finding_of
from lingctl.flows.accept.protocol import Acceptance, Judged
from lingctl.flows.look.node_states import look_of, node_states, preparation_of
from lingctl.release.weights_steps import weights_plan
from lingctl.remote.connection import Connection

# Reading 580 GB at 0.1 GB/s, and as much again.
_VERIFY_SECONDS = 4 * 3600.0


@dataclass(frozen=True, slots=True)
class _Verified:
    """What the node program says of the weights of one node; see ``node.weights.verify``."""

    folder: str
    state: str
    form: str
    files: int
    tensors: int
    bytes: int
    full: bool
    digest: str
    problems: tuple[Mapping[str, str], ...]  # what, where and remedy of each; so are the next two
    in_the_way: tuple[Mapping[str, str], ...]
    unknown: tuple[Mapping[str, str], ...]
    notes: tuple[str, ...]


def weights_part(given: Acceptance) -> Judged:
    """Every byte of the weights on every node, and the same weights everywhere."""
    cluster, look = given.cluster, look_of(given.cluster)
    with given.connect() as group:
        programs = group.all(preparation_of(cluster, look).at)
        states = node_states(group, look, {name: program.command for name, program in programs.items()})
        folders = {
            name: weights_plan(cluster, state, programs[name].command).folder
            for name, state in states.items()
        }

        def verify(connection: Connection) -> _Verified:
            words = ("weights", "verify", "--full", folders[connection.node])
            return programs[connection.node].ask(_Verified, *words, timeout=_VERIFY_SECONDS)

        answers = group.map(verify, together=True)
    findings = [finding for name, answer in answers.items() for finding in _of_weights(name, answer)]
    good = {name: answer for name, answer in answers.items() if isinstance(answer, _Verified)}
    findings += _same_everywhere(cluster.model, good)
    one = next(iter(good.values()), None)
    amount = f", {one.tensors} tensors, {one.bytes / 1e9:.1f} GB each" if one else ""
    told = ("folder", "digest", "bytes", "tensors", "form")
    return Judged(
        f"{len(good)} of {len(answers)} nodes read to the last byte{amount}",
        tuple(findings),
        {"nodes": {name: {key: getattr(answer, key) for key in told} for name, answer in good.items()}},
    )


def _same_everywhere(model: str, good: Mapping[str, _Verified]) -> list[Finding]:
    """What is wrong with that, if anything is."""
    digests = {answer.digest for answer in good.values()}
    if len(digests) < 2 and "" not in digests:
        return []
    known = ", ".join(f"{name}: {answer.digest[:12] or 'not known'}" for name, answer in good.items())
    remedy = f"bring the same weights to all: lingctl download {model}"
    of = Subject("weights-same")
    if "" in digests:
        what = "whether the nodes have the same weights is not known"
        return [of.unknown(what, evidence=known, remedy=remedy)]
    return [of.failure("weights differ", evidence=known, remedy=remedy)]


def _of_weights(name: str, answer: _Verified | LingctlError) -> list[Finding]:
    if isinstance(answer, LingctlError):
        return [finding_of(answer, Verdict.UNKNOWN, "weights", name)]
    of = Subject("weights", name)
    kinds = (
        (answer.problems, Verdict.FAILURE),
        (answer.unknown, Verdict.UNKNOWN),
        (answer.in_the_way, Verdict.WARNING),
    )
    found = [
        of.finding(verdict, one.get("what", ""), evidence=one.get("where", ""), remedy=one.get("remedy", ""))
        for troubles, verdict in kinds
        for one in troubles
    ]
    found += [of.note(note) for note in answer.notes]
    return found or [of.passes(f"{answer.folder} is sound")]
