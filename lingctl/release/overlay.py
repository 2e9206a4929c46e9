"""The overlay as shipped: its files, version and digest, and how a node is asked for its own digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from lingctl.assets import asset, shell
from lingctl.node.overlay.package import folder_digest
from lingctl.remote.command import Command, script

FOLDER_NAME = "bailing_moe"
MANIFEST_NAME = "manifest.json"

_DIGEST = shell("ask/overlay")


def overlay_folder() -> Path:
    """Folder of the manifest and of the overlay's own folder, as shipped."""
    return asset("atb_patches")


@cache
def _files() -> Mapping[str, bytes]:
    folder = overlay_folder() / FOLDER_NAME
    return MappingProxyType({path.name: path.read_bytes() for path in sorted(folder.glob("*.py"))})


def overlay_files() -> dict[str, bytes]:
    """Content of every file of the folder that is added to atb_llm, by name, in order of names."""
    return dict(_files())


@cache
def overlay_version() -> str:
    """Version of the overlay, from its manifest."""
    manifest = json.loads((overlay_folder() / MANIFEST_NAME).read_text(encoding="utf-8"))
    return str(manifest["version"])


@cache
def package_document() -> bytes:
    """The overlay and all that is known of the trees it goes into, as one file for the node program."""
    folder = overlay_folder()
    manifest = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
    stock = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("known/stock/*.json"))
    ]
    upstream = json.loads((folder / "known" / "upstream_ling.json").read_text(encoding="utf-8"))
    document = {
        **manifest,
        "files": {name: content.decode() for name, content in _files().items()},
        "stock": {entry["release"]: entry["files"] for entry in stock},
        "upstream": upstream["files"],
    }
    return json.dumps(document, sort_keys=True).encode()


def digest_of(digests: Mapping[str, str]) -> str:
    """One digest for a folder.

    Args:
        digests: sha256 in hexadecimal of each file, by name.
    """
    return folder_digest(digests)


def overlay_digest() -> str:
    """Digest of the overlay as shipped: 64 hexadecimal digits."""
    return digest_of({name: hashlib.sha256(content).hexdigest() for name, content in _files().items()})


def digest_command(directory: str) -> Command:
    """Ask a node for the digests of the overlay in ``directory``; ``read_digest`` reads the answer."""
    return script(_DIGEST, directory, title="digest of the overlay")


def read_digest(answer: str) -> str | None:
    """The folder's digest from the answer to ``digest_command``, comparable with ``overlay_digest``.

    None when there is no folder, no Python file in it, or the answer makes no sense.
    """
    digests: dict[str, str] = {}
    for line in answer.splitlines():
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name.endswith(".py"):
            return None
        digests[name] = digest
    return digest_of(digests) if digests else None
