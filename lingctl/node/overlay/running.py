"""Whether MindIE runs from a tree: what it has loaded stays old, what it starts later would be new.

A process is judged by the tree that it finds itself, in its own mounts and with its own environment: another
container, or another image's root, has another tree at the same path.
"""

from __future__ import annotations

import os
import re
from typing import Iterator, List, Optional, Set, Tuple

from lingctl.node.daemons import Daemon, all_daemons
from lingctl.node.process import Identity, Process

_PACKAGES = re.compile(r"(.*/(?:site|dist)-packages)/")
_LIBPYTHON = re.compile(r"(.*)/libpython(3\.[0-9]+)[^/]*\.so")


def daemons_of(root: str) -> List[Daemon]:
    """The processes that use the tree, and those of which it cannot be told."""
    status = os.stat(root)
    found = []
    for daemon in all_daemons():
        if daemon.engine != "MindIE":
            continue  # the tree is MindIE's
        uses, why = _judge(Process(daemon.pid), (status.st_dev, status.st_ino))
        if uses is not False:
            found.append(daemon._replace(uses=uses, why=why))
    return found


def _judge(process: Process, tree: Identity) -> Tuple[Optional[bool], str]:
    try:
        return _evidence(process, tree)
    except PermissionError:
        return None, "what it has loaded may not be read by this user"
    except OSError:
        return False, ""  # it ended


def _evidence(process: Process, tree: Identity) -> Tuple[bool, str]:
    files, folder = process.files(), process.folder()
    outside: Set[str] = set()
    for path in (*files, f"{folder}/."):
        if process.is_inside(path, tree, outside):
            return True, f"it works in {folder}" if path == f"{folder}/." else f"it has {path} loaded"
    # What it was told comes before what its Python has by itself.
    for places in (_told(process), _by_itself(process, files, folder)):
        here = [(place, why) for place, why in places if process.identity(f"{place}/models/base")]
        for place, why in here:
            if process.identity(place) == tree:
                return True, why
        if here:
            return False, ""
    return False, ""


def _told(process: Process) -> List[Tuple[str, str]]:
    environment = process.environment()
    home = environment.get("ATB_SPEED_HOME_PATH", "")
    paths = [path for path in environment.get("PYTHONPATH", "").split(":") if path.startswith("/")]
    found = [(f"{path}/atb_llm", f"its PYTHONPATH has {path}") for path in paths]
    if home:
        # The package itself in 3.0's wheels, its parent in 1.0.0.
        why = f"its ATB_SPEED_HOME_PATH is {home}"
        found += [(home, why), (f"{home}/atb_llm", why)]
    return found


def _by_itself(process: Process, files: List[str], folder: str) -> List[Tuple[str, str]]:
    """Where a Python looks that was told nothing: where it works, and in the packages of its installation."""
    packages = {}
    for path in files:
        inside, library = _PACKAGES.match(path), _LIBPYTHON.match(path)
        if inside:
            packages[inside.group(1)] = path
        if library:
            for kind in ("site", "dist"):
                packages[f"{library.group(1)}/python{library.group(2)}/{kind}-packages"] = path
    found = [(f"{place}/atb_llm", f"its Python has {place}") for place in packages]
    return [(f"{folder}/atb_llm", f"it works in {folder}"), *found, *_installation(process, files[0])]


def _installation(process: Process, program: str) -> Iterator[Tuple[str, str]]:
    """Packages beside an interpreter whose library is part of it."""
    lib = f"{os.path.dirname(os.path.dirname(program))}/lib"
    try:
        names = os.listdir(process.outside(lib))
    except PermissionError:
        raise
    except OSError:
        return
    for name in names:
        if re.match(r"python3(\.[0-9]+)?$", name):
            for kind in ("site", "dist"):
                place = f"{lib}/{name}/{kind}-packages"
                yield f"{place}/atb_llm", f"its Python has {place}"
