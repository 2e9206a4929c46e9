"""The node program as one file: ``lingctl.node`` packed so that ``python3 node.pyz convert ...`` runs it.

The same sources give the same bytes on every machine, so that a node's copy is current exactly when its
SHA-256 is ours.
"""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent / "node"
# What is compiled is kept for what has this digest.
_MAIN = """import sys

from lingctl.node.compiled import load_by

compiled = load_by(__loader__, "{digest}")
from lingctl.node.main import main

status = main()
compiled.keep()
sys.exit(status)
"""
# The parent package in the archive is empty: nothing but lingctl.node runs on a node.
_PARENT = b""


@functools.cache
def build() -> bytes:
    """The zipapp. Runs with Python 3.9 and newer, with nothing installed.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    sources = sorted(_PACKAGE.rglob("*.py"))
    if not sources:
        raise FileNotFoundError(f"{_PACKAGE} holds no program: reinstall lingctl")
    texts = {f"lingctl/node/{path.relative_to(_PACKAGE).as_posix()}": path.read_bytes() for path in sources}
    digest = hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()
    buffer = io.BytesIO()
    # Stored: other versions of zlib give the same bytes.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        add_entry(archive, "__main__.py", _MAIN.format(digest=digest).encode())
        add_entry(archive, "lingctl/__init__.py", _PARENT)
        for name, text in texts.items():
            add_entry(archive, name, text)
    return buffer.getvalue()


def add_entry(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a file, with a fixed time and system: other days give the same bytes."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3
    entry.external_attr = 0o100644 << 16
    entry.compress_type = archive.compression
    archive.writestr(entry, data)
