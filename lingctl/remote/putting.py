"""Files on a node: written beside their places, proved there, and put in place by one command. Pure.

Their content is the command's standard input, its length told beforehand. So the node itself notices when the
connection ends too early, and takes away what arrived; nothing depends on a second message from here.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from lingctl.assets import shell
from lingctl.errors import NodeError
from lingctl.node.disk import FileSystem
from lingctl.remote.command import Command, command, script
from lingctl.remote.completed import Completed
from lingctl.remote.upload import WriteFile
from lingctl.remote.wire.numbers import whole_number

_IN_PLACE = "in place"
_PUT = shell("change/put")
_FORBIDDEN = re.compile("Permission denied|Operation not permitted")
_FULL = re.compile("No space left on device|quota exceeded", re.IGNORECASE)


def put_command(files: Sequence[WriteFile]) -> Command:
    """What takes the files' contents from standard input, one after the other, and puts all of them in place.

    None is put in place before all have arrived; folders above them that are missing are made (0750).
    """
    parts, words = [], list[str | int]()
    for file in files:
        target = PurePosixPath(file.path)
        # Two that write the same file at a time do not meet. An old one is of a dead machine.
        part = f"{target.parent}/.{target.name}.{secrets.token_hex(4)}.part"
        # As it is made, a file can have no bit to be run by, and must have the one to be written by.
        mask, made = ~file.mode & 0o577, file.mode & 0o666 | 0o200
        mode = "" if made == file.mode else f"{file.mode:o}"
        parts.append(part)
        words += [file.path, part, f"{mask:o}", mode, len(file.content), file.digest]
    total = sum(len(file.content) for file in files)
    title = f"write {files[0].path}" + (f" and {len(files) - 1} more" if len(files) > 1 else "")
    return script(_PUT, total, command(*parts).text, *words, title=title)


def check_put(
    done: Completed, files: Sequence[WriteFile], placed: Callable[[WriteFile], None], node: str
) -> None:
    """Believe, or raise NodeError, that files are in place only when their node says so."""
    lines = done.stdout.splitlines()
    count = min(lines.count(_IN_PLACE), len(files))
    for file in files[:count]:
        placed(file)
    if done.ok and lines == [_IN_PLACE] * len(files):
        return
    said = dict(line.split(" ", 1) for line in lines if line.startswith(("file ", "why ")))
    number = said.get("file", "")
    told = whole_number(number)
    failed = files[min(count if told is None else told, len(files) - 1)]
    why = said.get("why") or done.last_words() or f"exit status {done.exit_status}"
    raise write_error(failed.path, why, _disk(done.stdout), node)


def write_error(path: str, why: str, disk: FileSystem | None, node: str) -> NodeError:
    """The error of a file that could not be written, with its disk where that is known."""
    folder = str(PurePosixPath(path).parent)
    full, short, look = _FULL.search(why), _short(why), "df -h"
    if full:
        name = f"the disk of {disk.mount}" if disk else "its disk"
        short = f"{name} is full"
        if "quota" in full[0].lower():
            short = f"the quota on {name} is used up"
        elif disk and disk.has_no_inode:
            short, look = f"{name} has no inode left", "df -i"
        remedy = f"make room there ({look} {disk.mount if disk else folder}), then run the same command again"
    else:
        remedy = f"look at free space and permissions: df -h {folder}; ls -ld {folder}"
        if _FORBIDDEN.search(why):
            remedy += "; where the login name is not root: sudo: true under ssh in hosts.yaml"
    return NodeError(
        f"cannot write {path}: {short}",
        where=node,
        evidence="\n".join([why, *(disk.lines if disk else ())]),
        remedy=f"{remedy}; an earlier file of that name is as it was",
        code="disk-full" if full else "write-failed",
    )


def _disk(text: str) -> FileSystem | None:
    """What df said of the folder: ``space`` and ``inodes``, each before a line of ``df -P``."""
    said = {words[0]: words[1:] for line in text.splitlines() if len(words := line.split()) > 6}
    try:
        name, size, _, free, _, *mount = said["space"]
        disk = FileSystem(name, " ".join(mount), int(size), int(free))
    except (LookupError, ValueError):
        return None
    try:
        return disk._replace(inodes=int(said["inodes"][1]), free_inodes=int(said["inodes"][3]))
    except (LookupError, ValueError):  # a file system without a count
        return disk


def _short(why: str) -> str:
    """The last part of ``sh: 1: cannot create /x/y: Permission denied``."""
    return why.rsplit(": ", 1)[-1] if ": " in why and not why.startswith("what is on") else why
