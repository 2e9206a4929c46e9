"""``make pages``: what a page shows is written anew where lingctl prints something else now."""

from __future__ import annotations

import socket

from tests.documents.blocks import Block, Typed
from tests.documents.compare import renewed


def keep(block: Block, typed: Typed, answer: str) -> bool:
    """Write the answer into the page; whether that could be done."""
    lines = renewed(typed.shown, answer.replace(f"@{socket.gethostname()}", "@ops1"))
    if lines is None:
        return False
    page = block.page.read_text(encoding="utf-8").split("\n")
    old = [f"$ {typed.command}", *typed.shown]
    at = next(number for number in range(len(page)) if page[number : number + len(old)] == old)
    page[at + 1 : at + len(old)] = lines
    block.page.write_text("\n".join(page), encoding="utf-8")
    return True
