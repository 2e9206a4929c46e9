"""The version of MindIE that an image's tag names. Pure."""

from __future__ import annotations

import re

from lingctl.engine.versions import EngineVersion, read_version


def version_of_image(image: str) -> EngineVersion | None:
    """The version that an image's tag says; None where it says none, or the image is not MindIE's by name."""
    name, colon, tag = image.partition("@")[0].rpartition(":")
    if not colon or "/" in tag:
        return None
    for word in re.split(r"[-_]", tag):
        named = word.lower().startswith("mindie")
        found = read_version(word[6:].lstrip(".") if named else word)
        if found and (named or "mindie" in name.rpartition("/")[2].lower()):
            return found
    return None
