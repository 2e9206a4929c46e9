"""The reference's work shared out among nodes, done side by side, and put together."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from lingctl.errors import ConnectError, LingctlError
from lingctl.events import Listener
from lingctl.findings import Finding, Subject
from lingctl.flows.serve.proof_node import ProofNode
from lingctl.flows.serve.proof_texts import AskedTexts
from lingctl.node.prove.answers import Reckoned
from lingctl.program.answers import read_result
from lingctl.program.translate import telling
from lingctl.remote.group import raise_failures
from lingctl.remote.side_by_side import side_by_side
from lingctl.serving.proof.known_tokens import KnownText
from lingctl.serving.proof.measured import Measured, asked_tokens

_MOST_WORKERS = 64
# A proof in one piece: its state goes with each node's request, so that another lingctl can pick it up.
_STATE = ("run", "share", "asked")
_COST = ("arrays", "config", "seconds", "processor_seconds", "read_bytes", "peak_bytes")


@dataclass(frozen=True, slots=True)
class _Begun:
    """What stands in the request of a node: which answers are its, of which service."""

    run: str
    share: tuple[int, ...]
    asked: AskedTexts


@dataclass(frozen=True, slots=True)
class AllReckoned:
    """What came of all passes."""

    measured: tuple[Measured, ...]
    controls: tuple[str, ...]
    not_made: Mapping[str, str]
    pieces: Mapping[str, str]
    costs: Mapping[str, Mapping[str, object]]
    lacking: tuple[Finding, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class BegunProof:
    """A service's answers, and which of them each node has to work on."""

    texts: AskedTexts
    shares: Mapping[str, tuple[int, ...]]


def already_begun(nodes: Mapping[str, ProofNode]) -> BegunProof | None:
    """The proof that nodes work on right now, if any do.

    Raises:
        NodeError: what one works on cannot be read.
    """
    begun = next((_state(node) for node in nodes.values() if node.looked.running), None)
    if begun is None:
        return None
    found = {}
    for name, node in nodes.items():
        try:
            state = _state(node)
        except LingctlError:
            continue  # it has no part in this run
        if state.run == begun.run:
            found[name] = state.share
    return BegunProof(begun.asked, found)


def begin(texts: AskedTexts, nodes: Mapping[str, ProofNode], overrides: Mapping[str, object]) -> BegunProof:
    """Share the answers out, and write down on every node what is its part.

    Args:
        overrides: keys of config.json that the service was told otherwise.
    """
    shares = shares_of(texts.known, list(nodes))
    run = secrets.token_hex(8)
    for name, share in shares.items():
        wanted = [texts.known[number] for number in share]
        nodes[name].ask_for(
            {
                "texts": [
                    {
                        "tokens": [*text.prompt, *text.answer],
                        "prompt": len(text.prompt),
                        "asked": asked_tokens(text),
                    }
                    for text in wanted
                ],
                "overrides": dict(overrides),
                **dict(zip(_STATE, (run, list(share), asdict(texts)), strict=True)),
            }
        )
    return BegunProof(texts, shares)


def reckon(begun: BegunProof, nodes: Mapping[str, ProofNode], listener: Listener) -> AllReckoned:
    """Go through the model on every node that has a share, side by side.

    Raises:
        ConnectError: a connection was lost; the node goes on.
        LingctlError: no node came to an end.
    """
    shares = begun.shares
    if not shares:
        return AllReckoned((), (), {}, {}, {})

    def work(name: str) -> Reckoned:
        return nodes[name].reckon(telling(listener, name if len(shares) > 1 else ""))

    outcomes = side_by_side(work, shares, workers=_MOST_WORKERS, stop=lambda: None)
    done = {name: one for name, one in outcomes.items() if isinstance(one, Reckoned)}
    failed = {name: one for name, one in outcomes.items() if isinstance(one, LingctlError)}
    if not done or any(isinstance(error, ConnectError) for error in failed.values()):
        raise_failures(failed)
    return _together(begun.texts, shares, done, failed)


def shares_of(texts: Sequence[KnownText], names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Which answers each node takes: the longest first, each by the one that has least to do. Pure."""
    work = dict.fromkeys(names, 0)
    taken: dict[str, list[int]] = {name: [] for name in names}
    lengths = [len(text.prompt) + len(text.answer) for text in texts]
    for number in sorted(range(len(texts)), key=lambda one: -lengths[one]):
        name = min(work, key=lambda one: work[one])
        work[name] += lengths[number]
        taken[name].append(number)
    return {name: tuple(sorted(numbers)) for name, numbers in taken.items() if numbers}


def _state(node: ProofNode) -> _Begun:
    said = node.asked()
    try:
        return read_result(_Begun, {name: said[name] for name in _STATE})
    except (KeyError, ValueError) as error:
        raise node.unreadable(str(error)) from error


def _together(
    texts: AskedTexts,
    shares: Mapping[str, tuple[int, ...]],
    done: Mapping[str, Reckoned],
    failed: Mapping[str, LingctlError],
) -> AllReckoned:
    measured = {
        number: Measured(texts.known[number], places)
        for name, one in done.items()
        for number, places in zip(shares[name], one.texts, strict=True)
    }
    lacking = [
        Subject("reference", name).unknown(
            f"{len(shares[name])} answers are not judged: {error.what}",
            evidence=error.evidence,
            remedy=error.remedy,
        )
        for name, error in failed.items()
    ]
    missing = set(range(len(texts.known))) - {number for share in shares.values() for number in share}
    if missing:
        what = f"{len(missing)} answers are not judged: the node that has them is not there"
        lacking.append(Subject("reference").unknown(what, remedy="prove again when it is"))
    # What one node could not make, none could; a control of the head alone depends on no answer.
    first = next(iter(done.values()))
    return AllReckoned(
        tuple(measured[number] for number in sorted(measured)),
        first.controls,
        first.not_made,
        {token: piece for one in done.values() for token, piece in one.pieces.items()},
        {name: {what: getattr(one, what) for what in _COST} for name, one in done.items()},
        tuple(lacking),
    )
