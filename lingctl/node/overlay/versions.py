"""Which versions a tree says it is. Sources disagree in practice, so all are told; the first wins.

Sources of the places and spellings: ``version.info`` of the 1.0.0 and 3.0 images, and the packaging scripts
of MindIE-LLM v3.0.0, whose Python metadata has a default that is no version.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Iterator, List, Mapping, Optional, Tuple

from lingctl.node.overlay.tree import Tree

_ASCEND = "/usr/local/Ascend"
_LINE = re.compile(r"^\s*([A-Za-z][\w .-]*?)\s*[:=]\s*(\S.*?)\s*$")
_MODELS_KEYS = ("mindie-atb version", "atb-models version", "atb-models", "ascend-mindie-atb-models")
_ENGINE_KEYS = ("ascend-mindie", "mindie", "mindie-llm", "ascend-mindie-llm")


@dataclass(frozen=True)
class Evidence:
    """One source's word."""

    what: str  # ``atb-models``, ``MindIE`` or ``CANN``
    version: str  # as written there
    source: str  # the file, or where else it was read
    weak: bool = False  # a default of the build may stand there


def versions_of(tree: Tree, stock: Mapping[str, Mapping[str, str]]) -> List[Evidence]:
    """What tells a version of this tree, the most trusted first; digests of ``stock`` settle a dispute."""
    matches = _by_fingerprint(tree, stock)
    return matches + sorted(_from_files(tree), key=lambda entry: entry.weak)


def release_of(evidence: List[Evidence]) -> Optional[str]:
    """The release: by fingerprint, else as atb-models or MindIE say; None when nobody knows."""
    for what in ("atb-models", "MindIE"):
        for entry in evidence:
            if entry.what == what and not entry.weak:
                return entry.version
    return next((entry.version for entry in evidence if entry.what != "CANN"), None)


def _by_fingerprint(tree: Tree, stock: Mapping[str, Mapping[str, str]]) -> List[Evidence]:
    for release, files in stock.items():
        if files and all(tree.digest(path) == digest for path, digest in files.items()):
            return [Evidence("atb-models", release, f"content of {len(files)} stock files")]
    return []


def _from_files(tree: Tree) -> Iterator[Evidence]:
    for place in (tree.root, os.path.dirname(tree.root)):
        yield from _keys(os.path.join(place, "version.info"), "atb-models", _MODELS_KEYS)
    for place in _engine_files(tree):
        yield from _keys(place, "MindIE", _ENGINE_KEYS)
    yield from _metadata(os.path.dirname(tree.root))
    for machine in ("aarch64-linux", "x86_64-linux"):
        path = f"{_ASCEND}/ascend-toolkit/latest/{machine}/ascend_toolkit_install.info"
        yield from _keys(path, "CANN", ("version",))


def _engine_files(tree: Tree) -> List[str]:
    places = [os.path.join(os.path.dirname(tree.root), "mindie_llm", "version.info")]
    # A tree elsewhere says nothing of the engine that is installed here, nor the other way round.
    if tree.root.startswith((f"{_ASCEND}/", "/usr/local/lib/")):
        places.append(f"{_ASCEND}/mindie/latest/version.info")
        for variable in ("MINDIE_LLM_HOME_PATH", "MIES_INSTALL_PATH"):
            home = os.environ.get(variable)
            if home:
                places += [os.path.join(home, "version.info"), os.path.join(home, "..", "version.info")]
    return list(dict.fromkeys(os.path.realpath(place) for place in places))


def _keys(path: str, what: str, wanted: Tuple[str, ...]) -> Iterator[Evidence]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [_LINE.match(line) for line in file]
    except OSError:
        return
    found = {line.group(1).lower(): line.group(2) for line in lines if line}
    for key in wanted:
        if key in found:
            yield Evidence(what, found[key], path)
            return


def _metadata(packages: str) -> Iterator[Evidence]:
    """Versions of installed wheels; 1.0.0 and 0.0.1 are what the build writes when it was told nothing."""
    try:
        names = sorted(os.listdir(packages))
    except OSError:
        return
    for name in names:
        found = re.fullmatch(r"(atb_llm|mindie_llm)-(.+)\.dist-info", name)
        if found:
            what = "atb-models" if found.group(1) == "atb_llm" else "MindIE"
            yield Evidence(what, found.group(2), os.path.join(packages, name), weak=True)
