"""``lingctl patch``: the ATB overlay in an atb_llm tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lingctl.cli.common import JsonOption, LockWaitOption, NodesOption, YesOption, nothing_changed

if TYPE_CHECKING:
    from pathlib import Path

    from lingctl.flows.overlay.patch import PatchOptions, PatchReport
    from lingctl.inventory.cluster import Cluster

app = typer.Typer(
    help="The ATB overlay that teaches MindIE the Ling models: its state, and putting it in or out by hand. "
    "With containers `lingctl deploy` does it all.",
    no_args_is_help=True,
)

RootOption = Annotated[
    str | None,
    typer.Option(
        "--root",
        metavar="PATH",
        help="The atb_llm package. Without --nodes: on this machine; looked for if not given.",
    ),
]
HostOption = Annotated[
    bool, typer.Option("--host", help="With --nodes: on the node itself, not in its container.")
]
RunningOption = Annotated[bool, typer.Option("--allow-running", help="Although MindIE runs from the tree.")]


@app.command()
def status(
    nodes: NodesOption = None,
    root: RootOption = None,
    host: HostOption = False,
    record: Annotated[
        bool,
        typer.Option("--record", help="Also print the digests of the stock files, for the maintainers."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell whether the overlay is in place, mounted or copied, and on what. Exit status 3 if not."""
    _asked("status", nodes, _options(root, host, record=record), as_json)


@app.command()
def verify(
    nodes: NodesOption = None, root: RootOption = None, host: HostOption = False, as_json: JsonOption = False
) -> None:
    """Check digests, modes and names, and import the overlay with the service's Python."""
    _asked("verify", nodes, _options(root, host), as_json)


@app.command()
def diff(
    nodes: NodesOption = None, root: RootOption = None, host: HostOption = False, as_json: JsonOption = False
) -> None:
    """Show what an apply would change. Exit status 3 if anything."""
    from lingctl.flows.overlay.by_hand import differences, look_at_overlay
    from lingctl.output.documents import print_json
    from lingctl.output.screen.terminal import answer

    options = _options(root, host)
    report = look_at_overlay(_cluster(nodes, options), "diff", options)
    if as_json:
        print_json("patch-diff", report.as_json())
    else:
        for line in differences(report, whole=True):
            answer(line)
    if not report.changes and report.exit_status == 0:
        return
    raise typer.Exit(report.exit_status or 3)


@app.command()
def apply(
    nodes: NodesOption = None,
    root: RootOption = None,
    host: HostOption = False,
    allow_running: RunningOption = False,
    yes: YesOption = False,
    lock_wait: LockWaitOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Copy the overlay into the tree. What was in its place is kept, and comes back on revert."""
    options = _options(root, host, allow_running=allow_running)
    _changed("apply", nodes, options, yes, lock_wait, as_json)


@app.command()
def revert(
    nodes: NodesOption = None,
    root: RootOption = None,
    host: HostOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Although the folder was changed; a copy of it is kept.")
    ] = False,
    allow_running: RunningOption = False,
    yes: YesOption = False,
    lock_wait: LockWaitOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Take the overlay out again, and prove that the tree is as it was before."""
    options = _options(root, host, force=force, allow_running=allow_running)
    _changed("revert", nodes, options, yes, lock_wait, as_json)


def _options(
    root: str | None,
    host: bool,
    *,
    record: bool = False,
    force: bool = False,
    allow_running: bool = False,
) -> PatchOptions:
    from lingctl.flows.overlay.patch import PatchOptions

    return PatchOptions(root=root, host=host, record=record, force=force, allow_running=allow_running)


def _cluster(nodes: Path | None, options: PatchOptions) -> Cluster | None:
    """The nodes if hosts.yaml is named, or lies here and no --root says otherwise; else this machine."""
    from lingctl.cli.common import hosts_file, required_cluster
    from lingctl.errors import UsageError

    if nodes is None and (options.root is not None or hosts_file(None) is None):
        if options.host:
            raise UsageError("--host goes with --nodes", remedy="leave it out, or name hosts.yaml")
        return None
    return required_cluster(nodes)


def _asked(
    action: Literal["status", "verify"], nodes: Path | None, options: PatchOptions, as_json: bool
) -> None:
    from lingctl.flows.overlay.by_hand import look_at_overlay

    _told(action, look_at_overlay(_cluster(nodes, options), action, options), as_json)


def _changed(
    action: Literal["apply", "revert"],
    nodes: Path | None,
    options: PatchOptions,
    yes: bool,
    lock_wait: float,
    as_json: bool,
) -> None:
    from lingctl.flows.overlay.by_hand import change_overlay
    from lingctl.output.person import Terminal

    cluster = _cluster(nodes, options)
    outcome = change_overlay(cluster, action, options, Terminal(yes=yes), lock_wait=lock_wait)
    if outcome.result is None:
        raise nothing_changed()
    _told(action, outcome.result, as_json)


def _told(action: str, report: PatchReport, as_json: bool) -> None:
    from lingctl.output.documents import print_json

    if as_json:
        print_json(f"patch-{action}", report.as_json())
    else:
        _print(report)
    if report.exit_status:
        raise typer.Exit(report.exit_status)


def _print(report: PatchReport) -> None:
    from lingctl.errors import LingctlError
    from lingctl.findings import Verdict
    from lingctl.output.findings import print_findings
    from lingctl.output.screen.terminal import answer
    from lingctl.output.tables import print_table

    rows = []
    for node, said in report.answers.items():
        if isinstance(said, LingctlError):
            rows.append((node, "unknown", "", "", "", "", ""))
            continue
        after = said.after
        rows.append(
            (
                node,
                after.state,
                after.delivery or "-",
                f"{after.overlay} {after.digest[:12]}".strip() or "-",
                f"{after.release or 'unknown'} ({after.tested})",
                f"{len(after.upstream.files)} of {after.upstream.of}",
                after.root,
            )
        )
    print_table(
        ("place", "state", "by", "overlay", "atb_llm", "Ling's patch", "root"),
        rows,
        texts=("atb_llm", "root"),
        spare=("Ling's patch", "by"),
    )
    print_findings(report.findings, above=Verdict.PASS)
    for said in report.answers.values():
        if isinstance(said, LingctlError):
            continue
        for what, how in (said.imports or {}).items():
            answer(f"import of the {what}: {how}")
        for path, digest in (said.record or {}).items():
            answer(f"{digest or 'absent':64}  {path}")
        if said.identical:
            answer("the tree is as it was before the overlay: every file and mode compared")
