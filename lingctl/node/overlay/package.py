"""What the caller sends along: the overlay's files, and what is known of the trees they go into."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any, Dict, Mapping, Optional, Sequence

from lingctl.node.files import read_json
from lingctl.node.trouble import Trouble

SCHEMA = 1
FOLDER = "bailing_moe"
# Where the folder goes, and what must be beside it, from the root of the atb_llm package.
MODELS = "models"
# Equal to stock but for its licence header: a match of this file alone proves nothing.
WEAK_FINGERPRINT = "models/deepseek/input_builder_deepseek.py"


@dataclass(frozen=True)
class TriedVersions:
    """One range of atb_llm versions and how far the overlay was tried on it."""

    versions: Sequence[str]
    status: str
    note: str


@dataclass(frozen=True)
class Package:
    """The overlay as shipped."""

    version: str  # of the overlay
    files: Mapping[str, bytes]  # content by name
    # names that must be found, by file of the tree; ``Weights.aliases`` is an attribute
    requires: Mapping[str, Sequence[str]]
    watched: Sequence[str]  # stock files whose content the overlay was checked against
    stock: Mapping[str, Mapping[str, str]]  # sha256 of watched files by release and path
    upstream: Mapping[str, str]  # sha256 of the files of Ling's own patch, by path
    earlier: Mapping[str, str]  # folder digests of earlier versions of the overlay, by version
    targets: Sequence[TriedVersions]  # what it was tried on

    @property
    def digests(self) -> Dict[str, str]:
        """sha256 of every file of the overlay, by name."""
        return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(self.files.items())}

    @property
    def digest(self) -> str:
        """One digest for the folder."""
        return folder_digest(self.digests)

    def tried_on(self, version: Optional[str]) -> Optional[TriedVersions]:
        """What is known of the overlay on that version."""
        return next((target for target in self.targets if version in target.versions), None)


def folder_digest(digests: Mapping[str, str]) -> str:
    """sha256 over the lines that ``sha256sum *`` would print for the folder's files."""
    lines = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()


def read_package(path: str) -> Package:
    """The package in a file. Raises Trouble: not there, or not one of ours."""
    try:
        document = read_json(path)
    except (OSError, ValueError) as error:
        raise Trouble(
            f"the overlay's package cannot be read: {error}", where=path, code="overlay-package"
        ) from error
    return make_package(document)


def make_package(document: Mapping[str, Any]) -> Package:
    """The package of a document, as ``lingctl.mindie.overlay`` writes it.

    Raises:
        Trouble: the document is not one of ours, or of another version of lingctl.
    """
    if document.get("schema") != SCHEMA:
        raise Trouble(
            f"the overlay's package has schema {document.get('schema')!r}, this program reads {SCHEMA}",
            code="overlay-package",
        )
    try:
        plain = {field.name: document[field.name] for field in fields(Package)}
        plain["files"] = {name: text.encode() for name, text in plain["files"].items()}
        plain["targets"] = [TriedVersions(**entry) for entry in plain["targets"]]
        return Package(**plain)
    except (KeyError, TypeError, AttributeError) as error:
        raise Trouble(f"the overlay's package is incomplete: {error!r}", code="overlay-package") from error
