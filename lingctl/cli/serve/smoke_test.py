"""``lingctl smoke-test``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lingctl.cli.common import JsonOption, NodeOption, NodesOption
from lingctl.cli.serve.target import (
    CaOption,
    CertOption,
    KeyOption,
    KindOption,
    ModelOption,
    PatienceOption,
    UrlOption,
    asked_service,
    chosen_cluster,
)

if TYPE_CHECKING:
    from lingctl.serving.smoke.report import SmokeReport


def smoke_test(
    nodes: NodesOption = None,
    node: NodeOption = None,
    url: UrlOption = "",
    model: ModelOption = "",
    kind: KindOption = "auto",
    prompt: Annotated[str, typer.Option(help="Ask this instead of the Ling README's question.")] = "",
    expect: Annotated[str, typer.Option(help="Text that the answer must hold.")] = "",
    first_token_limit: Annotated[float, typer.Option(help="Seconds that the first token may take.")] = 10.0,
    patience: PatienceOption = 60.0,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that the service answers: port, health, models, a greedy answer, streaming, errors, counts.

    Without --nodes, --url and ./hosts.yaml it tests MindIE on this machine (http://127.0.0.1:1025).
    An API key is taken from LINGCTL_API_KEY. Exit status: 0 good, 1 a rung failed, 3 warnings or unknowns,
    4 not reachable. With --node no text is asked for, as a node that was not asked may be lost: a request
    could end the service then.
    """
    from lingctl.flows.serve.smoke_test import smoke_test_service
    from lingctl.output.progress import answered_later, progress
    from lingctl.serving.endpoint import TlsFiles
    from lingctl.serving.smoke.report import SmokeOptions

    tls = TlsFiles(ca, cert, key)
    options = SmokeOptions(
        kind=kind,
        prompt=prompt,
        expect=expect,
        first_token_limit=first_token_limit,
        patience=patience,
    )
    with progress() as listener:
        rungs = listener if as_json else answered_later(listener, "smoke test")
        cluster = chosen_cluster(nodes, url, model)
        with asked_service(cluster, url, model, tls, listener, node=node) as service:
            report = smoke_test_service(service, options, rungs)
    _show(report, as_json)
    raise typer.Exit(report.exit_status)


def _show(report: SmokeReport, as_json: bool) -> None:
    from lingctl.output.documents import print_json
    from lingctl.output.findings import print_findings, summary
    from lingctl.output.screen.terminal import answer_sentence
    from lingctl.output.verbs.rungs import print_rungs

    if as_json:
        print_json("smoke-test", report.as_json())
        return
    print_rungs(report)
    if report.wrong:
        answer_sentence("")
        print_findings(report.wrong)
    if report.answer:
        answer_sentence(f"\n{report.prompt}\n  -> {report.answer.strip()}")
    answer_sentence(f"\n{report.model or 'the service'} at {report.url}: {summary(report.findings)}")
