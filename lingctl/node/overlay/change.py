"""Put the overlay in and take it out: what is refused, what is kept, and what is proved afterwards."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Dict, Mapping, Optional

from lingctl.node.overlay.package import Package
from lingctl.node.overlay.running import daemons_of
from lingctl.node.overlay.state import PRISTINE_REMEDY, TreeState, look
from lingctl.node.overlay.store import OverlayJournal, OverlayReceipt, Store, alone_in, copy_folder, new_id
from lingctl.node.overlay.swap import recover, replace_folder, write_folder
from lingctl.node.overlay.tree import Tree, folder_files, snapshot
from lingctl.node.trouble import Trouble

_MOUNTED_REMEDY = (
    "the folder is a mount, which the container was started with: change it with lingctl deploy; "
    "to be rid of it start the container without"
)


def apply(tree: Tree, package: Package, store: Store, *, allow_running: bool = False) -> Dict[str, object]:
    """Make the tree hold the overlay as shipped; what was in its place is kept and comes back on revert.

    Raises:
        Trouble: the tree is locked, not fit for the overlay, or in use.
    """
    with alone_in(tree):
        recovered = recover(tree, store)
        state = look(tree, package, store)
        _refuse_unfit(state)
        if state.digest == package.digest and (state.delivery == "mount" or not state.problems):
            receipt = store.receipt()
            if state.delivery == "copy" and not (receipt and receipt.files == package.digests):
                # Somebody put the same files there; from now on they are ours to revert.
                store.keep_receipt(_receipt(tree, package, receipt))
            return _done(tree, package, store, changed=False, recovered=recovered)
        if state.delivery == "mount":
            raise Trouble(
                "the mounted overlay is not the one of this lingctl",
                where=tree.target,
                remedy=_MOUNTED_REMEDY,
                code="overlay-mounted",
            )
        _refuse_running(tree, allow_running)
        _replace(tree, package, store, state)
        return _done(tree, package, store, changed=True, recovered=recovered)


def _replace(tree: Tree, package: Package, store: Store, state: TreeState) -> None:
    change = new_id()
    earlier = store.receipt()
    backup = change if state.state in ("foreign", "modified") else ""
    # What stood there before the first apply is what revert brings back, not a later edit of ours.
    original = "" if earlier else backup
    receipt = _receipt(tree, package, earlier, backup=original, before=snapshot(tree.root))
    like = os.stat(os.path.dirname(tree.target))
    journal = OverlayJournal("apply", change, package.digests, receipt, backup)
    replace_folder(tree, store, journal, lambda folder: write_folder(folder, package.files, like))


def _receipt(
    tree: Tree,
    package: Package,
    earlier: Optional[OverlayReceipt],
    *,
    backup: str = "",
    before: Optional[Mapping[str, str]] = None,
) -> Dict[str, object]:
    receipt = OverlayReceipt(
        schema=1,
        version=package.version,
        root=tree.root,
        files=package.digests,
        watched={path: tree.digest(path) for path in package.watched},
        before=earlier.before if earlier else before,
        backup=earlier.backup if earlier else backup,
        time=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    return asdict(receipt)


def revert(
    tree: Tree, package: Package, store: Store, *, force: bool = False, allow_running: bool = False
) -> Dict[str, object]:
    """Take the overlay out, and bring back what it replaced.

    Raises:
        Trouble: the folder is not as it was put there (``force`` keeps a copy and goes on), or in use.
    """
    with alone_in(tree):
        recovered = recover(tree, store)
        receipt = store.receipt()
        files = folder_files(tree.target)
        if tree.mount():
            raise Trouble(
                "the overlay is mounted, not copied",
                where=tree.target,
                remedy=_MOUNTED_REMEDY,
                code="overlay-mounted",
            )
        state = look(tree, package, store).state
        if receipt is None and (files is None or state == "foreign"):
            # Also after a revert that brought somebody's folder back, or that was killed at its very end.
            return _done(tree, package, store, changed=recovered == "finished", recovered=recovered)
        ours = files is None or files == (receipt.files if receipt else package.digests)
        if not ours and not force:
            raise Trouble(
                "the folder is not as lingctl put it there",
                where=tree.target,
                remedy="see lingctl patch diff; --force keeps a copy of it and goes on",
                code="overlay-changed",
            )
        _refuse_running(tree, allow_running)
        before = receipt.before if receipt else None
        _take_out(tree, store, receipt, keep="" if ours else new_id(), there=files is not None)
        result = _done(tree, package, store, changed=True, recovered=recovered)
        store.tidy()
    if before is not None:
        now = snapshot(tree.root)
        result["differs"] = sorted(path for path in {*before, *now} if before.get(path) != now.get(path))
        result["identical"] = before == now
    return result


def _take_out(tree: Tree, store: Store, receipt: Optional[OverlayReceipt], *, keep: str, there: bool) -> None:
    backup = os.path.join(store.backups, receipt.backup) if receipt and receipt.backup else ""
    if backup:
        wanted = folder_files(backup)
        if wanted is None:
            raise Trouble(
                "the copy of what the overlay replaced is gone",
                where=backup,
                remedy="put that folder back from your own backup; --force is of no help here",
                code="overlay-record",
            )
        journal = OverlayJournal("revert", new_id(), after=wanted, backup=keep)
        replace_folder(tree, store, journal, lambda folder: copy_folder(backup, folder))
        shutil.rmtree(backup)
    elif there:
        replace_folder(tree, store, OverlayJournal("revert", new_id(), backup=keep))
    else:
        store.keep_receipt(None)


def _refuse_unfit(state: TreeState) -> None:
    if state.state == "upstream-patched":
        raise Trouble(
            state.problems[0],
            where=state.root,
            evidence="\n".join([*state.upstream.files, *state.problems[1:]]),
            remedy=PRISTINE_REMEDY,
            code="overlay-upstream-patched",
        )
    if state.state == "unsupported":
        raise Trouble(
            state.problems[-1],
            where=state.root,
            evidence="\n".join(state.missing),
            code="overlay-unsupported",
        )


def _refuse_running(tree: Tree, allowed: bool) -> None:
    daemons = [] if allowed else daemons_of(tree.root)
    running = [daemon for daemon in daemons if daemon.uses]
    changes = "--allow-running changes the files under it, which it notices on its next start"
    if running:
        raise Trouble(
            "MindIE runs from this tree",
            where=tree.root,
            evidence="\n".join(map(str, running[:5])),
            remedy=f"stop it first (lingctl stop); {changes}",
            code="overlay-running",
        )
    if daemons:
        raise Trouble(
            "it cannot be told whether MindIE runs from this tree",
            where=tree.root,
            evidence="\n".join(map(str, daemons[:5])),
            remedy=f"run this as root or as {daemons[0].user}, or stop it first; {changes}",
            code="overlay-running-unknown",
        )


def _done(tree: Tree, package: Package, store: Store, *, changed: bool, recovered: str) -> Dict[str, object]:
    return {"changed": changed, "recovered": recovered, "after": asdict(look(tree, package, store))}
