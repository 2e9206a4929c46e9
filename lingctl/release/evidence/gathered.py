"""What is gathered of a node when something went wrong, and what is taken out of it. Pure.

The folder of a node is laid out as Ascend's own fault diagnosis reads it (``ascend-fd parse -i FOLDER``):
CANN's logs in ``process_log``, MindIE's in ``mindie/log/debug``, the console as ``worker-N.log``, the
kernel's messages as ``dmesg``, the cards' state in ``environment_check``, the cards' own logs in
``device_log``. Source: the log collection chapter of the MindCluster documentation.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from pathlib import PurePosixPath

from lingctl.assets import shell
from lingctl.release.daemon import ASCEND_LOGS, ATB_LOGS
from lingctl.release.evidence.redaction import redacted
from lingctl.release.site import Site
from lingctl.remote.command import Command
from lingctl.remote.runtime import runtime_script

# The largest file that ascend-fd reads, and a bound for what one node sends.
_MOST_OF_A_FILE = "20480k"
_MOST_FILES = 600
# What a container gives that does not run is not chosen: it has to have room in the node's /tmp.
_MOST_COPIED = 2_000_000_000
# A log of 20 MB that was compressed is rarely longer, and it is searched in memory.
_MOST_UNPACKED = 100_000_000
GZIP = b"\x1f\x8b"
# How other compressed files begin; a secret in one could not be seen.
_COMPRESSED = {
    GZIP: "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
}
_GATHER = shell("collect/gather")
_INSIDE = shell("collect/inside")
_LOOK_INSIDE = shell("daemon/look_inside")
# Where gather.sh puts the container's logs, and what was noted of them before the last start.
_PLACES = {ASCEND_LOGS: "process_log", ATB_LOGS: "atb_log"}
_ENGINE_PLACE = "mindie/log/debug"
NOTED_LENGTHS = PurePosixPath("lingctl/log-sizes")
_NOTED = re.compile(r"^ *([0-9]{1,15}) (/.*)$", re.MULTILINE)


def gather_command(site: Site, node: str) -> Command:
    """Write a tar of all that may explain a failure to standard output."""
    return runtime_script(
        site.runtime,
        _GATHER,
        _INSIDE,
        _LOOK_INSIDE,
        str(site.layout.root),
        site.container,
        site.first_rank(node),
        _MOST_OF_A_FILE,
        _MOST_FILES,
        _MOST_COPIED,
        " ".join(site.log_places),
        *site.cards[node],
        title="gather the evidence",
    )


def lengths_before(noted: str, site: Site) -> dict[PurePosixPath, int]:
    """How long logs were before the daemon was last started, by their place in the node's folder, as start.sh
    noted it. What had nothing in it is left out."""
    folders = {**_PLACES, **dict.fromkeys(site.log_places, _ENGINE_PLACE)}
    lengths = {}
    for size, path in _NOTED.findall(noted):
        for folder, place in folders.items():
            if path.startswith(f"{folder}/") and int(size):
                lengths[PurePosixPath(place, path.removeprefix(f"{folder}/"))] = int(size)
    return lengths


def unpacked(content: bytes) -> bytes:
    """What a file says, so that it can be searched for secrets: as it is, or out of its gzip.

    Raises:
        ValueError: it cannot be searched; the message says why.
    """
    if content.startswith(GZIP):
        try:
            with gzip.open(io.BytesIO(content)) as file:
                content = file.read(_MOST_UNPACKED + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"its gzip is not whole: {error}") from error
        if len(content) > _MOST_UNPACKED:
            raise ValueError(f"it is longer than {_MOST_UNPACKED // 1_000_000} MB when unpacked")
    # In a tar the removal of a secret would move all that follows.
    kind = (
        "tar"
        if content[257:262] == b"ustar"
        else next((word for start, word in _COMPRESSED.items() if content.startswith(start)), None)
    )
    if kind:
        raise ValueError(f"it holds a {kind}, which is not searched for secrets")
    return content


def without_secrets(content: bytes) -> bytes:
    """A text with the values of secrets taken out; see ``redaction``."""
    return redacted(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
