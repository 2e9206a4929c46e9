"""What the service answers: by the smoke test, against the reference, and again after a restart."""

from __future__ import annotations

from lingctl.errors import UsageError, WeightsError
from lingctl.findings import Finding, Subject, Verdict, finding_of
from lingctl.flows.accept.protocol import Acceptance, Judged
from lingctl.flows.change.restart import restart
from lingctl.flows.run.person import Unattended
from lingctl.flows.serve.asked_service import ClusterService
from lingctl.flows.serve.proof_texts import ProofOptions
from lingctl.flows.serve.prove import prove_cluster
from lingctl.flows.serve.smoke_test import smoke_test_service
from lingctl.serving.smoke.report import SmokeOptions

_NO_REFERENCE = ("prove-bin", "prove-model", "prove-quantised")


def smoke_part(given: Acceptance) -> Judged:
    """The ladder from the port to the streamed answer."""
    with given.connect() as group:
        report = smoke_test_service(ClusterService(group, given.cluster), SmokeOptions(), given.listener)
    good = {one.check for one in report.findings if one.verdict <= Verdict.NOTE}
    # Under load answers are streamed: where streams do not end, it would wait for each as long as it waits.
    facts = {"answers": "generate" in good, "streams": {"generate", "stream"} <= good}
    return Judged(
        f"{sum(one.verdict <= Verdict.NOTE for one in report.findings)} of {len(report.findings)} rungs",
        report.findings,
        {**facts, "prompt": report.prompt, "answer": report.answer, "model": report.model},
    )


def proof_part(given: Acceptance) -> Judged:
    """Each token of some answers, against a reference that reads the weights itself."""
    try:
        with given.connect() as group:
            report = prove_cluster(ClusterService(group, given.cluster), ProofOptions(), given.listener)
    except (UsageError, WeightsError) as error:
        # That the reference cannot read them says nothing of the service; that they contradict their own
        # config.json, or hold what is no number, does.
        if error.code not in _NO_REFERENCE:
            raise
        finding = finding_of(error, Verdict.UNKNOWN, node=error.where)
        return Judged(f"not judged: {error.what}", (finding,))
    told = [one.message for one in report.findings if one.check == "answers"]
    what = told[0] if told else "the answers could not be judged"
    return Judged(what, report.findings, {"reference": dict(report.costs)})


def restart_part(given: Acceptance) -> Judged:
    """Stop and start of all daemons, until the model answers again as before."""
    before = smoke_part(given)
    restart(given.cluster, Unattended(given.listener))
    after = smoke_part(given)
    findings = (*after.findings, same_answer(before, after))
    return Judged(f"answers again: {after.what}", findings, after.data)


def same_answer(before: Judged, after: Judged) -> Finding:
    """Whether the same greedy question has the same answer as before the restart. Pure."""
    of, said = Subject("restart-answer"), [str(one.data.get("answer") or "") for one in (before, after)]
    asked = before.data.get("prompt") == after.data.get("prompt")
    if not all(said) or not asked:
        return of.unknown("whether it answers as before is not known: one of the two answers is not there")
    if said[0] == said[1]:
        return of.passes("the same question has the same answer as before")
    # One that did not answer twice alike before needs no restart for another answer.
    unsteady = any(one.check == "repeat" and one.verdict is Verdict.WARNING for one in before.findings)
    text = "the same question has another answer than before"
    evidence = f"before: {said[0]}\nafter: {said[1]}"
    if unsteady:
        return of.note(f"{text}; it did not answer twice alike before either", evidence=evidence)
    return of.failure(
        text, evidence=evidence, remedy="lingctl prove; lingctl deploy --dry-run: did files change?"
    )
