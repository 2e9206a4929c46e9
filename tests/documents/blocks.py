"""The fenced blocks of the documents, and what the comment above each says of how it is held true.

``<!-- run: cluster -->``
    Typed on the emulated cluster that all pages share, in a folder with its hosts.yaml; what the page shows
    is compared with what is printed. ``run: alone`` is typed in a folder without one. After a comma:
    ``first`` and ``last``, a block that makes the cluster or takes it down. Each ends with status 0, or with
    the one that its comment says: ``# exit status 3``.
``<!-- parsed: reason -->``
    Cannot be typed in a test (real servers, the hub, hours): the command line alone is read, options and all.
``<!-- hosts -->``
    A hosts.yaml or a part of one, which ``lingctl config check`` takes.
``<!-- file: NAME -->``
    A file that the page's commands read; it lies in their folder.
``<!-- tested: tests/... -->``
    Another test runs it.
``<!-- text -->``
    No command: a picture, a message that nothing here can bring about.

What commands read beyond that lies in ``tests/documents/files/PAGE``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
KINDS = ("run", "parsed", "hosts", "file", "tested", "text")
_GENERATED = CHECKOUT / "docs/reference"
_MARK = re.compile(r" *<!-- (\w+)(?:: (.*))? -->$")
_FENCE = re.compile(r"( *)(```+)(.*)$")


@dataclass(frozen=True)
class Typed:
    """A command of a block, the lines that the page shows below it, and where these begin in the page."""

    command: str
    shown: tuple[str, ...]
    line: int

    @property
    def status(self) -> int:
        """The exit status that it is to have."""
        found = re.search(r"#\s*exit status (\d+)", self.command)
        return int(found[1]) if found else 0


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        line: of its first fence, counted from 1.
        kind: one of ``KINDS``; empty where nothing marks it.
        details: what stands behind the kind.
    """

    page: Path
    line: int
    kind: str
    details: str
    text: tuple[str, ...]

    @property
    def place(self) -> str:
        """As an editor takes it."""
        return f"{self.page.relative_to(CHECKOUT)}:{self.line}"

    @property
    def where(self) -> str:
        """``cluster``, ``alone``; of a block that is run."""
        return self.details.split(",")[0] if self.kind == "run" else ""

    def has(self, word: str) -> bool:
        """Whether the word stands behind the place."""
        return word in [part.strip() for part in self.details.split(",")[1:]]

    @property
    def typed(self) -> list[Typed]:
        """Its commands: lines behind ``$``; where none has it, every line."""
        lines = [(self.line + number, line) for number, line in enumerate(self.text, 1)]
        if not any(line.startswith("$ ") for _, line in lines):
            return [Typed(line, (), number + 1) for number, line in lines if line.strip()]
        found: list[Typed] = []
        for number, line in lines:
            if line.startswith("$ "):
                found.append(Typed(line.removeprefix("$ "), (), number + 1))
            elif found:
                found[-1] = Typed(found[-1].command, (*found[-1].shown, line), found[-1].line)
        return found


def pages() -> list[Path]:
    """Every document that somebody wrote, and not the generated ones or the record of what changed."""
    found = (*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md"))
    return sorted(
        path for path in found if path.name != "CHANGELOG.md" and not path.is_relative_to(_GENERATED)
    )


def blocks_of(page: Path, text: str | None = None) -> list[Block]:
    """The fenced blocks of a page, in order."""
    lines = (page.read_text(encoding="utf-8") if text is None else text).split("\n")
    found, at = [], 0
    while at < len(lines):
        opened = _FENCE.match(lines[at])
        at += 1
        if not opened:
            continue
        indent, ticks, _ = opened.groups()
        end = next(
            (number for number in range(at, len(lines)) if lines[number].rstrip() == indent + ticks),
            len(lines),
        )
        mark = _MARK.match(lines[at - 2]) if at > 1 else None
        kind, details = (mark[1], mark[2] or "") if mark else ("", "")
        body = tuple(line.removeprefix(indent) for line in lines[at:end])
        found.append(Block(page, at, kind, details, body))
        at = end + 1
    return found


def inline_commands(text: str) -> list[str]:
    """What prose says of lingctl's command line: ``lingctl ...`` between backticks."""
    prose = re.sub(r"^( *)(```+).*?^\1\2 *$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [" ".join(found.split()) for found in re.findall(r"`(lingctl [^`]*)`", prose)]


def all_blocks(documents: Sequence[Path] | None = None) -> list[Block]:
    """The blocks of all pages."""
    return [block for page in documents or pages() for block in blocks_of(page)]
