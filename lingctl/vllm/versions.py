"""Versions of vLLM and vllm-ascend as they are written, and the one that an image's tag names. Pure.

Forms: tags of vllm-project/vllm-ascend (v0.7.3.post1, v0.9.1rc2, v0.23.0) and of quay.io/ascend/vllm-ascend,
which put the machine and the system behind them (v0.23.0-a3-openeuler).
"""

from __future__ import annotations

import re

from lingctl.engine.versions import EngineVersion, read_version

_FORM = re.compile(r"v?([0-9]{1,4}(?:\.[0-9]{1,4}){1,3})(?:\.?(dev|a|b|rc|post)([0-9]{0,4}))?")


def read_vllm_version(text: str) -> EngineVersion | None:
    """A version as hosts.yaml and tags write it; None where it is none."""
    return read_version(text) if _FORM.fullmatch(text) else None


def machine_of_vllm_image(image: str) -> str:
    """``a2`` or ``a3``, as an image's tag says; empty where it says neither or the image is not vLLM's."""
    if version_of_vllm_image(image) is None:
        return ""
    words = image.partition("@")[0].rpartition(":")[2].split("-")[1:]
    other = next((word for word in words if word[:1].isdigit() or word.startswith("950")), "")
    return "" if other else "a3" if "a3" in words else "a2"


def version_of_vllm_image(image: str) -> EngineVersion | None:
    """The version that an image's tag says; None where it says none, or the image is not vLLM's by name."""
    name, colon, tag = image.partition("@")[0].rpartition(":")
    if not colon or "/" in tag or "vllm" not in name.rpartition("/")[2].lower():
        return None
    return read_vllm_version(tag.partition("-")[0])
