"""What one node sent for the bundle, before its secrets are taken out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import BinaryIO

from lingctl.errors import NodeError
from lingctl.flows.look.evidence.node_archive import ArchiveMember, archive_members
from lingctl.flows.look.reading.log_text import decoded
from lingctl.flows.look.reading.node_folder import LOG_FOLDERS, DaemonTraces, is_console
from lingctl.release.evidence.gathered import NOTED_LENGTHS

# Of all logs of a node, what is searched for the cause at once.
_MOST_SEARCHED = 64 << 20


@dataclass(frozen=True, slots=True)
class GatheredPart:
    """What a node sent."""

    file: BinaryIO  # the archive
    trouble: str = ""  # why it is not all of it; empty if it is

    def members(self, node: str) -> Iterator[ArchiveMember]:
        """See ``archive_members``."""
        self.file.seek(0)
        return archive_members(node, self.file)

    def noted_lengths(self, node: str) -> str:
        """What start.sh noted of the logs before the last start; empty where it did not."""
        with suppress(NodeError):  # what is wrong with the archive is told when it is packed
            for member in self.members(node):
                if member.path == NOTED_LENGTHS:
                    return member.content.decode("utf-8", "replace")
        return ""


def contents_in_words(node: str, part: GatheredPart) -> str:
    """What an archive holds: files and bytes in all, then how many in each of its folders."""
    folders: Counter[str] = Counter()
    size = 0
    with suppress(NodeError):  # what is wrong with it is told when it is packed
        for member in part.members(node):
            size += len(member.content)
            folder = f"{member.path.parts[0]}/" if len(member.path.parts) > 1 else str(member.path)
            folders[folder] += 1
    words = [f"{name} ({count})" if name.endswith("/") else name for name, count in sorted(folders.items())]
    return f"{folders.total()} files, {size / 1e6:.1f} MB: {', '.join(words)}"


@dataclass(slots=True)
class NodeLogs:
    """The logs of a node that tell why its daemon ended, as far as they are searched."""

    traces: DaemonTraces = field(default_factory=DaemonTraces)
    _console: str = ""
    _others: list[str] = field(default_factory=list)
    _room: int = _MOST_SEARCHED

    def take(self, path: PurePosixPath, content: bytes) -> None:
        """A file of the node."""
        self.traces.take(path, content)
        if is_console(path):
            self._console = decoded(content)
        elif path.parts[0] in LOG_FOLDERS:
            kept = content[: self._room]
            self._room -= len(kept)
            self._others.append(decoded(kept))

    @property
    def text(self) -> str:
        """The console, then the others, with a form feed before each: a log's lines belong together."""
        return "\n\f".join((self._console, *self._others))
