"""Images of the emulated docker: a folder each, with its description and its tree."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def make_image(images: Path, version: str) -> None:
    """Write the MindIE image of a version into the folder that all nodes share.

    Raises:
        SandboxError: a version that is not emulated.
    """
    from lingctl.sandbox.engine.image import populate_image

    part = images / "part"
    description = populate_image(part / "tree", version)
    identity = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
    (part / "image.json").write_text(json.dumps(description))
    part.rename(images / identity)
