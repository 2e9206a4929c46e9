"""What arrives in the place of a file: a Git-LFS pointer, a web page, a message of the server."""

from __future__ import annotations

# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: a pointer has less than 1024 bytes and begins so.
_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_POINTER_BYTES = 1024
_PAGES = (b"<!doctype html", b"<html", b"<?xml")


def is_pointer(start: bytes, size: int) -> bool:
    """Whether a file is a Git-LFS pointer: what git keeps in the place of a large file."""
    return size < _POINTER_BYTES and start.startswith(_POINTER)


def stand_in(path: str, size: int) -> str:
    """What a file is that is not what it should be, in words; empty where it cannot be told."""
    start = start_of(path)
    if is_pointer(start, size):
        return "a Git-LFS pointer"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(_PAGES):
        return "a web page"
    if text.startswith((b'{"error', b'{"code', b'{"message')):
        return "a message of the server"
    return ""


def start_of(path: str) -> bytes:
    """The first bytes of a file."""
    with open(path, "rb") as file:
        return file.read(_POINTER_BYTES)
