"""ModelScope's client as one file that a bare node's Python can run: the modules installed here, zipped.

The node needs nothing but Python 3.10: the client and what it imports are pure Python. Every node runs the
very client that this machine was tested with.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import zipfile
from pathlib import Path

from lingctl.errors import WeightsError
from lingctl.program.pack import add_entry

# ``cryptography``, which the client also names, is only imported by parts that a download does not use.
_PACKAGES = (
    "modelscope_hub",
    "requests",
    "urllib3",
    "idna",
    "certifi",
    "charset_normalizer",
    "tqdm",
    "filelock",
    "typing_extensions",
)
_KINDS = (".py", ".pem")
NEEDS_PYTHON = (3, 10)


@functools.cache
def client_archive() -> bytes:
    """The archive; the same installation gives the same bytes.

    Raises:
        WeightsError: the client is not installed here.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in _PACKAGES:
            for name, path in _files(package):
                add_entry(archive, name, path.read_bytes())
    return buffer.getvalue()


def _files(package: str) -> list[tuple[str, Path]]:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise WeightsError(
            f"{package}, a part of ModelScope's client, is not installed here",
            remedy="reinstall lingctl: pip install --force-reinstall lingctl",
            code="client-missing",
        )
    origin = Path(found.origin)
    if origin.name != "__init__.py":
        return [(origin.name, origin)]
    return [
        (str(path.relative_to(origin.parent.parent)), path)
        for path in sorted(origin.parent.rglob("*"))
        if path.suffix in _KINDS and "__pycache__" not in path.parts
    ]
