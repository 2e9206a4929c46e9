"""``lingctl prove``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lingctl.cli.common import JsonOption, NodesOption
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
    from lingctl.flows.serve.prove import ProofReport


def prove(
    nodes: NodesOption = None,
    url: UrlOption = "",
    weights: Annotated[Path | None, typer.Option(help="Folder of the weights here (--url only).")] = None,
    model: ModelOption = "",
    kind: KindOption = "auto",
    prompts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Prompts to ask instead of the built-in ones."),
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, max=4096, help="Most tokens of an answer.")] = 48,
    host: Annotated[
        bool, typer.Option("--host", help="By the nodes' own Python, not that of their containers.")
    ] = False,
    arrays: Annotated[
        Literal["auto", "torch", "numpy"],
        typer.Option(help="Compute with this library; auto: torch, else numpy."),
    ] = "auto",
    override: Annotated[
        str,
        typer.Option(
            "--config-override", metavar="JSON", help="Keys that the service has not from config.json."
        ),
    ] = "",
    patience: PatienceOption = 600.0,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that the service computes this model: each token of its answers against a reference in float32.

    The reference reads the weights as they lie on the nodes, once, layer by layer, on the processor.
    Exit status: 0 proved, 1 wrong, 3 not all of it could be judged, 4 not reachable.
    """
    from lingctl.errors import UsageError
    from lingctl.flows.serve.asked_service import ClusterService
    from lingctl.flows.serve.proof_texts import ProofOptions
    from lingctl.flows.serve.prove import prove_cluster, prove_endpoint
    from lingctl.output.progress import progress
    from lingctl.serving.endpoint import TlsFiles

    tls = TlsFiles(ca, cert, key)
    options = ProofOptions(
        kind=kind,
        prompts=prompts,
        max_tokens=max_tokens,
        patience=patience,
        host=host,
        arrays="" if arrays == "auto" else arrays,
        overrides=_overrides(override),
    )
    cluster = chosen_cluster(nodes, url, model)
    if (cluster is None) != (weights is not None):
        raise UsageError(
            "--weights goes with a service at a URL, and that needs it", code="prove-weights-option"
        )
    with progress() as listener, asked_service(cluster, url, model, tls, listener) as service:
        if weights is not None:
            report = prove_endpoint(service.endpoint, weights, options, listener)
        else:
            assert isinstance(service, ClusterService)
            report = prove_cluster(service, options, listener)
    _show(report, as_json)
    if report.exit_status:
        raise typer.Exit(report.exit_status)


def _overrides(text: str) -> dict[str, object]:
    from lingctl.errors import UsageError
    from lingctl.node.foreign_json import foreign_json

    if not text:
        return {}
    try:
        said = foreign_json(text)
    except ValueError as error:
        raise UsageError(f"no JSON: {error}", where="--config-override", code="prove-override") from error
    if not isinstance(said, dict):
        raise UsageError("no JSON object", where="--config-override", code="prove-override")
    return said


def _show(report: ProofReport, as_json: bool) -> None:
    from lingctl.output.documents import print_json

    if as_json:
        print_json("prove", report.as_json())
        return
    from lingctl.output.verbs.proof import print_proof

    print_proof(report)
