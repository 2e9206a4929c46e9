"""Images of the emulated docker: a folder each, with its description and its tree."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from lingctl.sandbox.docker.store import HOME
from lingctl.sandbox.state import this_node

_SHARED = Path("/.sandbox/images")
LOADED = HOME / "images"
_ENTRY = ["/bin/bash"]


@dataclass(frozen=True)
class Image:
    """One image."""

    id: str  # digest, without ``sha256:``
    name: str  # repository
    tag: str
    architecture: str
    environment: list[str]  # ``NAME=value`` each
    command: list[str]  # what runs when nothing else is said
    folder: Path

    @property
    def reference(self) -> str:
        """``name:tag``."""
        return f"{self.name}:{self.tag}"

    @property
    def tree(self) -> Path:
        """Its files."""
        return self.folder / "tree"


def make_image(images: Path, engine: str, version: str) -> None:
    """Write the image of an engine in a version into the folder that all nodes share.

    Raises:
        SandboxError: a version that is not emulated.
    """
    from lingctl.sandbox.engine.image import populate_image
    from lingctl.sandbox.vllm.image import populate_vllm_image

    part = images / "part"
    populate = populate_vllm_image if engine == "vllm" else populate_image
    description = populate(part / "tree", version)
    identity = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
    (part / "image.json").write_text(json.dumps(description))
    part.rename(images / identity)


def images() -> list[Image]:
    """The node's images."""
    places = [LOADED] if "image-missing" in this_node().faults else [_SHARED, LOADED]
    found: dict[str, Image] = {}
    for path in (path for place in places for path in sorted(place.glob("*/image.json"))):
        described = json.loads(path.read_text())
        found[path.parent.name] = Image(
            id=described.get("id", path.parent.name),
            name=described["name"],
            tag=described["tag"],
            architecture=described["architecture"],
            environment=described["env"],
            command=described.get("cmd", _ENTRY),
            folder=path.parent,
        )
    return list(found.values())


def image_named(reference: str) -> Image | None:
    """The image of a reference, an id or the beginning of an id."""
    _, colon, tag = reference.rpartition(":")
    wanted = reference if colon and "/" not in tag else f"{reference}:latest"
    plain = reference.removeprefix("sha256:")
    for image in images():
        if wanted == image.reference or (len(plain) >= 4 and image.id.startswith(plain)):
            return image
    return None
