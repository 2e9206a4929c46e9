"""What wheels say of themselves."""

from __future__ import annotations

import email.message
import email.parser
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel."""

    name: str  # of the package
    version: str
    sha256: str  # of the file
    license: str  # an SPDX expression, or what else the package says; empty where it says nothing
    is_expression: bool  # whether ``license`` is the former
    needs: tuple[str, ...]  # requirements, with their markers


def read_wheel(path: Path) -> Wheel:
    """A wheel's name, licence and needs, from its METADATA."""
    said = email.parser.BytesParser().parsebytes(file_of(path, "METADATA"))
    expression = str(said.get("License-Expression") or "")
    return Wheel(
        name=str(said["Name"]),
        version=str(said["Version"]),
        sha256=sha256_of(path),
        license=expression or _license(said),
        is_expression=bool(expression),
        needs=tuple(str(one) for one in said.get_all("Requires-Dist") or ()),
    )


def file_of(wheel: Path, name: str) -> bytes:
    """A file of its ``.dist-info``, such as ``METADATA``. Raises KeyError: it has none."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.namelist():
            folder, _, rest = entry.partition("/")
            if folder.endswith(".dist-info") and rest == name:
                return archive.read(entry)
    raise KeyError(name)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _license(said: email.message.Message) -> str:
    """The old field, where it is no whole text, else what the classifiers say."""
    old = str(said.get("License") or "").strip()
    if old and "\n" not in old and len(old) < 80:
        return old
    classified = [str(one) for one in said.get_all("Classifier") or () if str(one).startswith("License ::")]
    return classified[0].rpartition(" :: ")[2] if classified else ""
