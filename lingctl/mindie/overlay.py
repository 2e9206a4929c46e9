"""The overlay that teaches MindIE's model library the Ling models: its files, and where they go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from lingctl.assets import asset
from lingctl.mindie.profile import Profile

FOLDER_NAME = "bailing_moe"
MANIFEST_NAME = "manifest.json"


def shipped_folder() -> Path:
    """Folder of the manifest and of the overlay's own folder, as shipped."""
    return asset("atb_patches")


@cache
def shipped_files() -> Mapping[str, bytes]:
    """Content of every file of the folder that is added to atb_llm, by name, in order of names."""
    folder = shipped_folder() / FOLDER_NAME
    return MappingProxyType({path.name: path.read_bytes() for path in sorted(folder.glob("*.py"))})


@cache
def package_document() -> bytes:
    """The overlay and all that is known of the trees it goes into, as one file for the node program."""
    folder = shipped_folder()
    manifest = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
    stock = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("known/stock/*.json"))
    ]
    upstream = json.loads((folder / "known" / "upstream_ling.json").read_text(encoding="utf-8"))
    document = {
        **manifest,
        "files": {name: content.decode() for name, content in shipped_files().items()},
        "stock": {entry["release"]: entry["files"] for entry in stock},
        "upstream": upstream["files"],
    }
    return json.dumps(document, sort_keys=True).encode()


def overlay_in_container(profile: Profile) -> str:
    """Where its files have to be in the container: a folder of models of the version's atb_llm."""
    return f"{profile.atb_llm}/models/{FOLDER_NAME}"
