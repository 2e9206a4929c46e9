"""Pages that are written here: judged before the work, whole, and never over what another wrote."""

from __future__ import annotations

import shlex
from pathlib import Path

from lingctl.errors import UsageError
from lingctl.flows.run.whole_file import told_if_unwritten, write_file
from lingctl.paths import is_folder, is_there

_BEGINNING = 4096


def generator(verb: str) -> str:
    """What the page of a verb has at its beginning: by it we know one that may be replaced."""
    return f'<meta name="generator" content="lingctl {verb}">'


def check_page(path: Path, option: str, *, over: str = "") -> None:
    """Find out before the work whether a page can be written.

    Args:
        option: that named it.
        over: the verb whose pages may be replaced; empty where any file of that name may be.

    Raises:
        UsageError: another ending than ``.html``, no such folder, or a file that is not to be replaced.
    """
    if path.suffix != ".html":
        # A folder alone, "." or "/", has no name that could get another ending.
        better = path.with_suffix(".html") if path.name.strip(".") else path / "page.html"
        raise UsageError(
            f"{option} {path}: the name must end in .html",
            remedy=f"{option} {shlex.quote(str(better))}",
            code="page-format",
        )
    if not is_folder(path.absolute().parent):
        raise UsageError(
            f"{option} {path}: no such folder",
            remedy=f"mkdir -p {shlex.quote(str(path.parent))}",
            code="page-folder",
        )
    if over and is_there(path) and not _is_of(path, over):
        raise UsageError(f"{path} is already there, and lingctl {over} did not write it", code="file-exists")


def write_page(path: Path, option: str, text: str) -> None:
    """Write a page whole, or leave the earlier one as it was.

    Raises:
        UsageError: it cannot be written there.
        NodeError: the disk is full.
    """
    with told_if_unwritten(path, f"name another file: {option} FILE.html"):
        write_file(path, text.encode("utf-8", "replace"))


def _is_of(path: Path, verb: str) -> bool:
    try:
        with path.open("rb") as file:
            return generator(verb).encode() in file.read(_BEGINNING)
    except OSError:
        return False
