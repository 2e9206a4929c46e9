"""What a tree is like, in one word, with everything that the word rests on. Reads only."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import List, Mapping, Optional, Sequence, Tuple

from lingctl.node.folders import walked
from lingctl.node.overlay.package import WEAK_FINGERPRINT, Package, TriedVersions, folder_digest
from lingctl.node.overlay.store import OverlayReceipt, Store
from lingctl.node.overlay.symbols import missing_names
from lingctl.node.overlay.tree import Tree, folder_files
from lingctl.node.overlay.versions import Evidence, release_of, versions_of

PRISTINE_REMEDY = (
    "start from a pristine image (lingctl deploy mounts the overlay into one); without a container, put "
    "atb_llm of such an image there"
)


@dataclass(frozen=True)
class LingPatch:
    """How much of Ling's own patch is in the tree."""

    files: List[str]  # those that are the patch's, to the byte
    of: int  # how many the patch has
    present: bool  # whether the patch is in; the one file that equals stock but for a header does not count


@dataclass(frozen=True)
class TreeState:
    """What was found, as the program's answer has it."""

    # ``absent``, ``applied``, ``outdated``, ``modified``, ``partial``, ``foreign``, ``upstream-patched``,
    # ``stock-drift`` or ``unsupported``
    state: str
    good: bool  # whether the overlay is in place as shipped and nothing is wrong
    root: str
    delivery: str  # ``copy``, ``mount``, or nothing where there is no folder
    digest: str  # of the overlay's folder
    overlay: str  # version of the overlay that is in place, where known
    release: str  # of the tree, where known
    tested: str  # how far the overlay was tried on that
    versions: List[Evidence]
    upstream: LingPatch
    missing: List[str]  # names that the overlay uses and the tree lacks
    drift: List[str]  # stock files that changed since the overlay was applied
    unknown_stock: List[str]  # watched files that no known release has
    problems: List[str]  # what makes the state one that needs attention
    notes: List[str]  # what is good to know
    interrupted: str  # the change that was killed half-way, if one was


def look(tree: Tree, package: Package, store: Store) -> TreeState:
    """Find out everything about a tree. Raises Trouble: something in it can neither be read nor judged."""
    receipt, journal, mount = store.receipt(), store.journal(), tree.mount()
    versions = versions_of(tree, package.stock)
    release = release_of(versions)
    tried = package.tried_on(release)
    missing = missing_names(tree, package.requires)
    files = folder_files(tree.target)
    folder, version = _folder_word(files, package, receipt)
    watched = receipt.watched if receipt else {}
    drift = [path for path, digest in watched.items() if tree.digest(path) != digest]
    lacking = f"the tree lacks what the overlay uses: {', '.join(missing[:4])}"
    drifted = f"stock files changed since the overlay was applied: {', '.join(drift)}"
    patch, edited = _ling_patch(tree, package)
    unknown = _unknown_stock(tree, package)
    # The first that has something to say decides.
    judged = (
        ("unsupported", [lacking] if missing else []),
        ("unsupported", [f"{release}: {tried.note}"] if tried and tried.status == "blocked" else []),
        ("upstream-patched", _patch_problems(patch, edited=edited)),
        ("stock-drift", [drifted] if drift and folder == "applied" else []),
    )
    word, problems = next(((word, why) for word, why in judged if why), (folder, []))
    problems = [
        *(_mode_problems(tree) if files is not None else ()),
        *problems,
        *(["the overlay's folder is mounted, but not read-only"] if mount == "writable" else ()),
    ]
    interrupted = journal.operation if journal else ""
    return TreeState(
        state=word,
        good=word == "applied" and not problems and not interrupted,
        root=tree.root,
        delivery=("mount" if mount else "copy") if files is not None else "",
        digest=folder_digest(files) if files else "",
        overlay=version,
        release=release or "",
        tested=tried.status if tried else "unknown",
        versions=versions,
        upstream=patch,
        missing=missing,
        drift=drift,
        unknown_stock=unknown,
        problems=problems,
        notes=_notes(versions, release, tried, unknown),
        interrupted=interrupted,
    )


def _folder_word(
    files: Optional[Mapping[str, str]], package: Package, receipt: Optional[OverlayReceipt]
) -> Tuple[str, str]:
    """The state of the folder alone, and the overlay's version in it."""
    if files is None:
        return "absent", ""
    if files == package.digests:
        return "applied", package.version
    if receipt and files == receipt.files:
        return "outdated", receipt.version
    digest = folder_digest(files)
    for version, known in package.earlier.items():
        if digest == known:
            return "outdated", version
    shipped = package.digests
    same = [name for name in files if files[name] == shipped.get(name)]
    if len(same) == len(files) and files:
        return "partial", package.version
    if same or receipt:
        return "modified", package.version
    return "foreign", ""


def _ling_patch(tree: Tree, package: Package) -> Tuple[LingPatch, bool]:
    """What is in of it, and whether the loader knows bailing_moe although its file is not the patch's."""
    files = [path for path, digest in package.upstream.items() if tree.digest(path) == digest]
    loader = "models/__init__.py"
    edited = loader not in files and b"bailing_moe" in (tree.read(loader) or b"")
    present = edited or any(path != WEAK_FINGERPRINT for path in files)
    return LingPatch(files, len(package.upstream), present), edited


def _patch_problems(patch: LingPatch, *, edited: bool) -> List[str]:
    if not patch.present:
        return []
    how = f"{len(patch.files)} of {patch.of} files"
    if edited:
        how += ", and the loader is an edited one of the same kind"
    problems = [
        f"Ling's own patch is in this tree ({how}): it hides the overlay and alters what it builds on"
    ]
    if "utils/file_utils.py" in patch.files:
        problems.append(
            "check_other_write_permission is switched off: weights and configurations that anybody may "
            "write are accepted for every model of this installation"
        )
    return problems


def _unknown_stock(tree: Tree, package: Package) -> List[str]:
    unknown = []
    for path in package.watched:
        digest = tree.digest(path)
        known = {files[path] for files in package.stock.values() if path in files}
        if digest is not None and digest not in known and digest != package.upstream.get(path):
            unknown.append(path)
    return unknown


def _notes(
    versions: Sequence[Evidence],
    release: Optional[str],
    tried: Optional[TriedVersions],
    unknown: Sequence[str],
) -> List[str]:
    notes = []
    said = {(entry.what, entry.version) for entry in versions if not entry.weak}
    for what in ("atb-models", "MindIE"):
        spoken = sorted(version for name, version in said if name == what)
        if len(spoken) > 1:
            notes.append(f"sources disagree on the version of {what}: {', '.join(spoken)}")
    if release is None:
        notes.append("no source tells the version of this tree")
    elif tried is None:
        notes.append(f"the overlay was not tried on {release}; the names that it uses are all there")
    elif tried.status != "tested":
        notes.append(f"{release}: {tried.note}")
    if unknown:
        notes.append(
            f"{len(unknown)} stock files are of no known release, e.g. {unknown[0]}: a hot-fixed image, "
            "or a release not recorded yet (lingctl patch status --record)"
        )
    return notes


def _mode_problems(tree: Tree) -> List[str]:
    """MindIE refuses checkpoints that others may write; code is held to no less."""
    problems = []
    # Python has to be able to read them as the user that owns the tree.
    for place, _, files in walked(tree.target):
        for path in [place, *(os.path.join(place, name) for name in files)]:
            mode = stat.S_IMODE(os.lstat(path).st_mode)
            if mode & (stat.S_IWGRP | stat.S_IWOTH):
                problems.append(f"{os.path.relpath(path, tree.root)} may be written by others ({mode:04o})")
    return problems
