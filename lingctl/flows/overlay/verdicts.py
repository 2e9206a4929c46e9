"""What the state of the overlay in each place means, and whether all places have the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lingctl.errors import LingctlError
from lingctl.findings import Finding, Subject, Verdict, finding_of
from lingctl.flows.overlay.answer import OverlayAnswer

_WORDS = {
    "absent": "the overlay is not there",
    "outdated": "an earlier version of the overlay is there",
    "modified": "the folder was changed",
    "partial": "files of the overlay are missing",
    "foreign": "a folder bailing_moe that is not lingctl's is there",
}
_APPLY = "lingctl deploy mounts it into containers; into a tree: lingctl patch apply"
_REMEDIES = {
    "absent": _APPLY,
    "outdated": _APPLY,
    "modified": f"see lingctl patch diff; {_APPLY} (a copy of the folder is kept)",
    "partial": _APPLY,
    "foreign": f"{_APPLY} (the folder is kept, and comes back on revert)",
    "upstream-patched": "take a pristine image",
    "stock-drift": "lingctl patch verify; if all is well, lingctl patch revert and apply again",
    "unsupported": "use MindIE 1.0.0 or 3.0.0",
}


def judge(action: str, answers: Mapping[str, OverlayAnswer | LingctlError]) -> tuple[Finding, ...]:
    """Verdicts on the answers of all places after an action."""
    findings: list[Finding] = []
    # After these two the overlay is not there because nobody wants it to be.
    fine = ("applied", "absent", "foreign") if action == "revert" else ("applied",)
    for node, answer in answers.items():
        if isinstance(answer, LingctlError):
            findings.append(finding_of(answer, Verdict.FAILURE, node=node))
        else:
            findings += _judged(node, answer, fine)
    findings += _mixed(answers)
    return tuple(findings)


def _judged(node: str, answer: OverlayAnswer, fine: Sequence[str]) -> Iterable[Finding]:
    after, of = answer.after, Subject("overlay", node)
    word = after.state
    remedy = _REMEDIES.get(word, "")
    if after.good:
        yield of.passes(f"in place as shipped, by {after.delivery}")
    for problem in after.problems:
        yield of.failure(problem, remedy=remedy)
    if not after.problems and word not in fine:
        yield of.warning(_WORDS.get(word, word), remedy=remedy)
    if after.interrupted:
        what = f"a change ({after.interrupted}) was killed half-way"
        yield of.failure(what, remedy="run the same command again: it goes on, or back")
    for note in after.notes:
        yield of.note(note)
    if answer.also:
        what = f"another atb_llm is here too: {', '.join(answer.also)}"
        yield of.note(what, remedy="name the one that the service uses: --root PATH")
    if answer.identical is False:
        differs = ", ".join((answer.differs or ())[:5])
        yield of.warning(f"other files changed since the overlay was applied: {differs}")


def _mixed(answers: Mapping[str, OverlayAnswer | LingctlError]) -> Iterable[Finding]:
    digests = {
        node: answer.after.digest for node, answer in answers.items() if not isinstance(answer, LingctlError)
    }
    if len(set(digests.values())) > 1:
        evidence = "\n".join(f"{node}: {digest[:12] or 'none'}" for node, digest in digests.items())
        yield Subject("overlay-same-everywhere").failure(
            "the nodes have different overlays, and would compute different things",
            evidence=evidence,
            remedy="lingctl deploy",
        )
