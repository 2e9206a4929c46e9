"""The order of vLLM's and vllm-ascend's versions, and the one that an image's tag names. Pure.

Forms: tags of vllm-project/vllm-ascend (v0.7.3.post1, v0.9.1rc2, v0.23.0) and of quay.io/ascend/vllm-ascend,
which put the machine and the system behind them (v0.23.0-a3-openeuler).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_FORM = re.compile(r"v?([0-9]{1,4}(?:\.[0-9]{1,4}){1,3})(?:\.?(dev|a|b|rc|post)([0-9]{0,4}))?")
_PHASES = ("dev", "a", "b", "rc", "", "post")


@dataclass(frozen=True, slots=True, order=True)
class VllmVersion:
    """A version, in the order of publication."""

    numbers: tuple[int, ...]  # three at least
    phase: int  # place among dev, a, b, rc, the release itself, post
    step: int  # rc2 is 2
    text: str = field(compare=False)  # as it was written


def read_vllm_version(text: str) -> VllmVersion | None:
    """A version as hosts.yaml and tags write it; None where it is none."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    numbers = [int(part) for part in found[1].split(".")]
    numbers += [0] * (3 - len(numbers))
    return VllmVersion(
        tuple(numbers), _PHASES.index(found[2] or ""), int(found[3] or 0), text.removeprefix("v")
    )


def machine_of_vllm_image(image: str) -> str:
    """``a2`` or ``a3``, as an image's tag says; empty where it says neither or the image is not vLLM's."""
    if version_of_vllm_image(image) is None:
        return ""
    words = image.partition("@")[0].rpartition(":")[2].split("-")[1:]
    other = next((word for word in words if word[:1].isdigit() or word.startswith("950")), "")
    return "" if other else "a3" if "a3" in words else "a2"


def version_of_vllm_image(image: str) -> VllmVersion | None:
    """The version that an image's tag says; None where it says none, or the image is not vLLM's by name."""
    name, colon, tag = image.partition("@")[0].rpartition(":")
    if not colon or "/" in tag or "vllm" not in name.rpartition("/")[2].lower():
        return None
    return read_vllm_version(tag.partition("-")[0])
