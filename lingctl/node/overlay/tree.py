"""An atb_llm tree on disk: where it is, what is in it, and nothing outside it is ever touched."""

from __future__ import annotations

import importlib.util
import os
import stat
from glob import glob
from typing import Dict, Iterator, List, Optional, Tuple

from lingctl.node.files import kind_of, sha256_of
from lingctl.node.folders import walked
from lingctl.node.overlay.package import FOLDER, MODELS
from lingctl.node.trouble import Trouble

_BESIDE = "/usr/local/Ascend/atb-models/atb_llm"
_PACKAGES = "/usr/local/lib/python3.*/site-packages/atb_llm"
# Python's own by-products; they come and go with every import.
_CACHE = "__pycache__"


class Tree:
    """The root of an atb_llm package, without symbolic links in its path."""

    def __init__(self, root: str) -> None:
        if os.path.islink(root.rstrip("/")):
            raise Trouble(
                "the root of the tree is a symbolic link, which is not followed",
                where=root,
                remedy=f"name the folder itself: {os.path.realpath(root)}",
                code="overlay-link",
            )
        self.root = os.path.realpath(root)
        for part in ("", MODELS, f"{MODELS}/base"):
            place = os.path.join(self.root, part)
            if os.path.islink(place.rstrip("/")) or kind_of(place) != "folder":
                raise Trouble(
                    f"this is no atb_llm package: it has no folder {part}"
                    if part
                    else "there is no such folder",
                    where=root,
                    remedy="name the folder that holds models/, e.g. /usr/local/Ascend/atb-models/atb_llm",
                    code="overlay-no-tree",
                )

    @property
    def target(self) -> str:
        """Where the overlay's folder is or goes."""
        return os.path.join(self.root, MODELS, FOLDER)

    def path(self, relative: str) -> str:
        """A file of the tree.

        Raises:
            Trouble: a symbolic link is in the way, or the path leads out of the tree.
        """
        parts = relative.split("/")
        if os.path.isabs(relative) or ".." in parts:
            raise Trouble("the path leads out of the tree", where=relative, code="overlay-link")
        place = self.root
        for part in parts:
            place = os.path.join(place, part)
            if os.path.islink(place):
                raise Trouble("a symbolic link is in the way", where=place, code="overlay-link")
        return place

    def read(self, relative: str) -> Optional[bytes]:
        """Content of a file of the tree, or None where there is none."""
        place = self.path(relative)
        if kind_of(place) != "file":
            return None
        with open(place, "rb") as file:
            return file.read()

    def digest(self, relative: str) -> Optional[str]:
        """sha256 of a file of the tree, or None where there is none."""
        place = self.path(relative)
        return sha256_of(place) if kind_of(place) == "file" else None

    def mount(self) -> Optional[str]:
        """``read-only`` or ``writable`` if the overlay's folder is mounted from elsewhere, else None.

        Raises:
            OSError: the mounts cannot be read.
        """
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            lines = [line.split() for line in file]
        found = None
        for words in lines:
            if _unescaped(words[4]) == self.target:
                found = "read-only" if "ro" in words[5].split(",") else "writable"
        return found


def _unescaped(field: str) -> str:
    """mountinfo writes blanks and the like as three octal digits."""
    for code in ("\\040", "\\011", "\\012", "\\134"):
        field = field.replace(code, chr(int(code[1:], 8)))
    return field


def find_root() -> List[str]:
    """Every place where an atb_llm was found; first the one that a service here would import.

    Raises:
        Trouble: none was found.
    """
    found = list(dict.fromkeys(os.path.realpath(place) for place in _candidates() if _is_root(place)))
    if not found:
        raise Trouble(
            "no atb_llm was found: neither in Python's path, nor below $ATB_SPEED_HOME_PATH, nor where the "
            "images have it",
            remedy="source the service's set_env.sh first, or name it: --root PATH",
            code="overlay-no-tree",
        )
    return found


def _candidates() -> Iterator[str]:
    try:
        spec = importlib.util.find_spec("atb_llm")
    except (ImportError, ValueError):
        spec = None
    if spec is not None and spec.submodule_search_locations:
        yield from spec.submodule_search_locations
    home = os.environ.get("ATB_SPEED_HOME_PATH")
    if home:
        # The package itself in 3.0's wheels, its parent in 1.0.0.
        yield home
        yield os.path.join(home, "atb_llm")
    yield _BESIDE
    yield from sorted(glob(_PACKAGES))


def _is_root(place: str) -> bool:
    return kind_of(os.path.join(place, MODELS, "base")) == "folder"


def folder_files(folder: str) -> Optional[Dict[str, str]]:
    """sha256 of every file below a folder by relative path, without Python's caches; None if it is absent.

    Raises:
        Trouble: it is no folder, or holds anything but files and folders.
    """
    kind = "link" if os.path.islink(folder) else kind_of(folder)
    if kind == "absent":
        return None
    if kind != "folder":
        raise Trouble("this is in the place of the overlay's folder", where=folder, code="overlay-link")
    found = {}
    for path, status in walk(folder):
        if not stat.S_ISREG(status.st_mode):
            raise Trouble("neither a file nor a folder", where=path, code="overlay-link")
        found[os.path.relpath(path, folder)] = sha256_of(path)
    return dict(sorted(found.items()))


def snapshot(root: str) -> Dict[str, str]:
    """Mode and sha256 (or link target) of every file of a tree by relative path, without Python's caches."""
    found = {}
    for path, status in walk(root):
        if stat.S_ISLNK(status.st_mode):
            what = f"link {os.readlink(path)}"
        elif stat.S_ISREG(status.st_mode):
            what = f"{stat.S_IMODE(status.st_mode):04o} {sha256_of(path)}"
        else:
            what = "other"
        found[os.path.relpath(path, root)] = what
    return dict(sorted(found.items()))


def walk(folder: str) -> Iterator[Tuple[str, os.stat_result]]:
    """Everything below a folder but folders and Python's caches, links not followed. Raises OSError."""
    for place, folders, files in walked(folder):
        for name in list(folders):
            path = os.path.join(place, name)
            if os.path.islink(path):
                yield path, os.lstat(path)
            elif name == _CACHE:
                folders.remove(name)
        for name in files:
            path = os.path.join(place, name)
            yield path, os.lstat(path)
