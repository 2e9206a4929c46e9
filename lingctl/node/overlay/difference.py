"""What an apply would change, as unified differences: nothing is written."""

from __future__ import annotations

import difflib
import os
from typing import Dict, List, Optional

from lingctl.node.overlay.package import FOLDER, MODELS, Package
from lingctl.node.overlay.tree import Tree, folder_files


def overlay_difference(tree: Tree, package: Package) -> List[Dict[str, str]]:
    """Every file of the folder that is not as shipped: path, kind (added, changed, removed), difference."""
    present = folder_files(tree.target) or {}
    entries = []
    for name in sorted({*present, *package.files}):
        if present.get(name) == package.digests.get(name):
            continue
        path = f"{MODELS}/{FOLDER}/{name}"
        before = tree.read(path) if name in present else None
        entries.append(_entry(tree, path, before, package.files.get(name)))
    return entries


def _entry(tree: Tree, path: str, before: Optional[bytes], after: Optional[bytes]) -> Dict[str, str]:
    full = os.path.join(tree.root, path)
    kind = "added" if before is None else "removed" if after is None else "changed"
    lines = difflib.unified_diff(
        _lines(before),
        _lines(after),
        full if before is not None else "/dev/null",
        full if after is not None else "/dev/null",
        lineterm="",
    )
    return {"path": path, "kind": kind, "difference": "\n".join(lines)}


def _lines(content: Optional[bytes]) -> List[str]:
    return (content or b"").decode("utf-8", "replace").splitlines()
