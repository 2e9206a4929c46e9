"""The archive that a node sends, as files whose content is short enough to be held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from lingctl.errors import NodeError
from lingctl.flows.look.reading.blocks import BlockReader, DamagedError
from lingctl.flows.look.reading.tar_reader import tar_members

# What the node's script takes of one file (``evidence.gather_command``), and a bound for what one node sends.
MOST_OF_A_MEMBER = 20_480 * 1024
_MOST_MEMBERS = 20_000


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A regular file."""

    path: PurePosixPath  # below the node's folder
    content: bytes  # its bytes, at most ``MOST_OF_A_MEMBER``
    left_out: str = ""  # why not all of it is here; empty if it is


def archive_members(node: str, file: BinaryIO) -> Iterator[ArchiveMember]:
    """Regular files by their place below the node's folder: nothing may point out of it.

    Raises:
        NodeError: the archive is damaged, or longer than a node's may be; what came before was given.
    """
    try:
        for member in tar_members(BlockReader(file), _MOST_MEMBERS):
            content, left_out = b"", member.refused
            if not left_out:
                content = member.content.read(MOST_OF_A_MEMBER)
            if len(content) < member.size and not left_out:
                left_out = f"{member.size - len(content):,} bytes behind the first {len(content):,}"
            yield ArchiveMember(member.path, content, left_out)
    except (DamagedError, OSError) as error:
        raise NodeError(
            "what the node sent is not whole", where=node, evidence=str(error), code="evidence-damaged"
        ) from error
