"""The machines that an image of vllm-ascend is built for."""

from __future__ import annotations

from collections.abc import Mapping

from lingctl.errors import ConfigurationError
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.vllm.profile import VllmProfile


def need_hardware(generations: Mapping[str, str], choice: EngineChoice, profile: VllmProfile) -> None:
    """Refuse nodes of another kind than the image is for: its kernels are not theirs.

    Args:
        generations: of each node's cards, by node; one that is empty, as the PCI bus does not tell it, is not
            judged.

    Raises:
        ConfigurationError: a node has such cards.
    """
    if not profile.ascend:
        return
    wanted = choice.hardware.upper()
    others = {node: kind for node, kind in generations.items() if kind and kind != wanted}
    if not others:
        return
    kind = next(iter(others.values()))
    known = kind in ("A2", "A3")
    raise ConfigurationError(
        f"the image of vLLM is for Atlas {wanted}, and these nodes are another kind",
        where=", ".join(others),
        evidence=", ".join(f"{node}: {kind}" for node, kind in others.items()),
        remedy=f"engine: {{name: vllm, hardware: {kind.lower()}}}"
        if known
        else "deploy to Atlas A2 or A3 nodes",
        code="vllm-hardware",
    )
