"""What a file is, by its first bytes: for files that are not what their name says. Pure.

Sources: the Git LFS pointer specification (version 1), RFC 1952 (gzip), the zip and tar formats, AppleSingle
and AppleDouble (RFC 1740), and what hubs and proxies send in place of a file.
"""

from __future__ import annotations

import re
from typing import Optional, Tuple

from lingctl.node.trouble import Trouble

# Enough for a tar's mark, which is the farthest in (byte 257), and for the text of an error.
HEAD = 1024
POINTER = "lfs-pointer"
ZIP = b"PK\x03\x04"
APPLE_DOUBLE = b"\x00\x05\x16\x07"
_LFS = b"version https://git-lfs.github.com/spec/"
_LFS_SIZE = re.compile(rb"^size (\d{1,19})\r?$", re.MULTILINE)
_HTML = re.compile(rb"\s*(?:<!doctype html|<html|<head|<\?xml|<!--)", re.IGNORECASE)
_JSON_ERROR = re.compile(rb'\s*\{\s*"(?:errors?|[mM]essage|detail|[cC]ode|[sS]uccess|RequestId)"\s*:')

_FETCH = "download this file again; a copy made with git needs: git lfs install && git lfs pull"
_AGAIN = "download it again"
_CONVERT = "name it pytorch_model.bin and convert it, if it is a checkpoint"


_MARKS: Tuple[Tuple[bytes, str, str], ...] = (
    (APPLE_DOUBLE, "is a companion file of macOS (AppleDouble)", "copy the file itself"),
    (b"\x1f\x8b", "is a gzip archive", "unpack it first: gzip -d"),
    (b"\xfd7zXZ\x00", "is an xz archive", "unpack it first: xz -d"),
    (b"BZh", "is a bzip2 archive", "unpack it first: bzip2 -d"),
    (b"\x28\xb5\x2f\xfd", "is a zstd archive", "unpack it first: zstd -d"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive", "unpack it first: 7z x"),
    (b"Rar!\x1a\x07", "is a RAR archive", "unpack it first"),
    (b"GGUF", "is a GGUF file, as llama.cpp reads them", "get the model as safetensors"),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, as TensorFlow writes them", "get the model as safetensors"),
    (b"%PDF-", "is a PDF document", _AGAIN),
)


def other_than_weights(head: bytes, size: int, name: str) -> Optional[Trouble]:
    """What a file of weights is instead, as the error of it; None when it may be what its name says.

    Args:
        head: its first bytes, as many as ``HEAD`` where it has them.
        size: of the file.
        name: with its suffix: ``.safetensors``, or another one for what torch saved.
    """
    found = other_than_text(head, size, name)
    if found is not None:
        return found
    what, remedy, kind = "", _CONVERT, kind_of_weights(head, size)
    if not name.endswith(".safetensors"):
        if kind == "safetensors":
            what, remedy = "is a safetensors file by another name", "name it model.safetensors"
    elif head[257:262] == b"ustar":
        what, remedy = "is a tar archive", "unpack it first: tar -xf"
    elif kind == "zip":
        what = "is a zip file, such as torch.save writes, and no safetensors"
    elif kind == "pickle":
        what = "is a pickle, such as torch.save writes, and no safetensors"
    return Trouble(what, where=name, remedy=remedy, code="not-weights") if what else None


def kind_of_weights(head: bytes, size: int) -> str:
    """``safetensors``, ``pickle`` or ``zip`` (by torch.save) for what begins as weights do; else empty."""
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8:
        return "safetensors"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle"
    return "zip" if head.startswith(ZIP) else ""


def other_than_text(head: bytes, size: int, name: str) -> Optional[Trouble]:
    """What a file of text, such as tokenizer.json, is instead."""

    def instead(code: str, what: str, remedy: str, evidence: str = "") -> Trouble:
        return Trouble(what, where=name, evidence=evidence, remedy=remedy, code=code)

    if size == 0:
        return instead("file-empty", "is empty: 0 bytes", _AGAIN)
    if head.startswith(_LFS):
        found = _LFS_SIZE.search(head)
        of = f" of a file of {int(found.group(1))} bytes" if found else ""
        return instead(POINTER, f"is a Git-LFS pointer{of}, not the file itself", _FETCH)
    if head.startswith(b"/annex/objects/"):
        return instead(POINTER, "is a pointer of git-annex, not the file itself", "run git annex get")
    if _HTML.match(head):
        what = "is a page of HTML or XML, as a login page or a proxy sends in place of a file"
        return instead("web-page", what, "download it again, past the proxy or with a token", _text(head))
    for mark, what, remedy in _MARKS:
        if head.startswith(mark):
            return instead("not-weights", what, remedy)
    if _JSON_ERROR.match(head) and size < 10_000:
        what = "is an answer in JSON, as a hub sends in place of a file"
        return instead("hub-answer", what, "look at what it says, then download it again", _text(head))
    if not head.strip(b"\0"):
        return instead("file-of-zeros", "begins with zeros alone: a download that was never written", _AGAIN)
    return None


def _text(head: bytes) -> str:
    return " ".join(head[:300].decode("utf-8", "replace").split())
