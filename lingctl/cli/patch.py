"""``lingctl patch``: the ATB overlay in an atb_llm tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lingctl.cli.common import JsonOption, LockWaitOption, NodesOption, YesOption

if TYPE_CHECKING:
    from pathlib import Path

    from lingctl.flows.overlay.patch import PatchOptions, PatchReport

app = typer.Typer(
    help="The ATB overlay that teaches MindIE the Ling models: its state, and putting it in or out by hand. "
    "With containers `lingctl deploy` does it all.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
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
    from lingctl.output.documents import print_json

    report = _run("diff", nodes, _options(root, host))
    if as_json:
        print_json("patch-diff", report.as_json())
    else:
        _print_changes(report, on_answers=True)
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
    _changed("apply", "diff", "Put the overlay there?", nodes, options, yes, lock_wait, as_json)


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
    _changed("revert", "status", "Take the overlay out?", nodes, options, yes, lock_wait, as_json)


@app.command()
def restore(
    pristine: Annotated[
        str, typer.Option("--from", metavar="PRISTINE", help="atb_llm of the same image, never patched.")
    ],
    nodes: NodesOption = None,
    root: RootOption = None,
    host: HostOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Although the two seem to be of different releases.")
    ] = False,
    allow_running: RunningOption = False,
    yes: YesOption = False,
    lock_wait: LockWaitOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Put stock files back where Ling's own patch overwrote them, and no others. Copies are kept."""
    options = _options(root, host, force=force, allow_running=allow_running, pristine=pristine)
    _changed("restore", "restore", "Put these files back?", nodes, options, yes, lock_wait, as_json)


def _options(
    root: str | None,
    host: bool,
    *,
    record: bool = False,
    force: bool = False,
    allow_running: bool = False,
    pristine: str | None = None,
) -> PatchOptions:
    from lingctl.flows.overlay.patch import PatchOptions

    return PatchOptions(
        root=root, pristine=pristine, host=host, record=record, force=force, allow_running=allow_running
    )


def _run(
    action: str, nodes: Path | None, options: PatchOptions, lock_wait: float | None = None
) -> PatchReport:
    """On the nodes if hosts.yaml is named, or lies here and no --root says otherwise; else here.

    A change of nodes holds the cluster's lock, and waits for it ``lock_wait`` seconds.
    """
    from lingctl.cli.common import hosts_file, required_cluster
    from lingctl.errors import UsageError
    from lingctl.flows.overlay.patch import change_nodes, patch_here, patch_nodes
    from lingctl.flows.run.change import changing
    from lingctl.output.progress import progress
    from lingctl.remote.group import connect

    if nodes is None and (options.root is not None or hosts_file(None) is None):
        if options.host:
            raise UsageError("--host goes with --nodes", remedy="leave it out, or name hosts.yaml")
        return patch_here(action, options)
    cluster = required_cluster(nodes)
    with connect(cluster) as group:
        if lock_wait is None:
            return patch_nodes(group, cluster, action, options)
        with (
            progress() as listener,
            changing(group, cluster, f"lingctl patch {action}", listener, wait=lock_wait) as change,
        ):
            return change_nodes(group, cluster, action, options, change)


def _asked(action: str, nodes: Path | None, options: PatchOptions, as_json: bool) -> None:
    from lingctl.output.documents import print_json

    report = _run(action, nodes, options)
    if as_json:
        print_json(f"patch-{action}", report.as_json())
    else:
        _print(report)
    if report.exit_status:
        raise typer.Exit(report.exit_status)


def _changed(
    action: str,
    preview: str,
    question: str,
    nodes: Path | None,
    options: PatchOptions,
    yes: bool,
    lock_wait: float,
    as_json: bool,
) -> None:
    from dataclasses import replace

    from lingctl.output.documents import print_json
    from lingctl.output.questions import confirm
    from lingctl.output.terminal import say

    _print_changes(_run(preview, nodes, replace(options, dry_run=True)))
    if not confirm(question, yes=yes):
        say("Nothing was changed.")
        raise typer.Exit(1)
    report = _run(action, nodes, options, lock_wait)
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
    from lingctl.output.tables import print_table
    from lingctl.output.terminal import answer

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
    print_table(("place", "state", "by", "overlay", "atb_llm", "Ling's patch", "root"), rows)
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


def _print_changes(report: PatchReport, *, on_answers: bool = False) -> None:
    from lingctl.errors import LingctlError
    from lingctl.output.terminal import answers, conversation

    out = answers() if on_answers else conversation()
    for node, answer in report.answers.items():
        if isinstance(answer, LingctlError):
            out.print(f"{node}: {answer.what}", soft_wrap=True)
            continue
        what = "" if answer.changes is None else f", {len(answer.changes)} files differ"
        out.print(f"{node}: {answer.after.root}: {answer.after.state}{what}", soft_wrap=True)
        for change in answer.changes or ():
            out.print(f"  {change['kind']} {change['path']}", soft_wrap=True)
            if on_answers:
                out.print(change["difference"], soft_wrap=True)
