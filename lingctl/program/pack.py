"""The node program as one file: ``lingctl.node`` packed so that ``python3 node.pyz convert ...`` runs it.

The same sources give the same bytes on every machine, so that a node's copy is current exactly when its
SHA-256 is ours.
"""

from __future__ import annotations

import functools
import io
import zipfile
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent / "node"
_MAIN = b"import sys\n\nfrom lingctl.node.main import main\n\nsys.exit(main())\n"
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
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "__main__.py", _MAIN)
        _add(archive, "lingctl/__init__.py", _PARENT)
        for source in sources:
            _add(archive, f"lingctl/node/{source.relative_to(_PACKAGE).as_posix()}", source.read_bytes())
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    # Stored, with a fixed time and system: other zlib versions and other days give the same bytes.
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3
    entry.external_attr = 0o100644 << 16
    archive.writestr(entry, data)
