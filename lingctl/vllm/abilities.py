"""What each version of vLLM can do with the Ling models, for ``lingctl engines``."""

from __future__ import annotations

from lingctl.engine.abilities import EngineRow
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.inventory.models.catalogue import LITE, PLUS, Shape
from lingctl.vllm.launch.parallel import Cut, why_uneven
from lingctl.vllm.profile import DEFAULT_VERSION, VLLM_PROFILES, VllmProfile


def vllm_rows() -> list[EngineRow]:
    """In the order of versions."""
    return [_row(profile) for profile in VLLM_PROFILES]


def _row(profile: VllmProfile) -> EngineRow:
    stack = f"CANN {profile.cann}, " if profile.cann else ""
    return EngineRow(
        name="vllm",
        title="vLLM",
        version=profile.version,
        usual=profile.version == DEFAULT_VERSION,
        image=profile.image_for(EngineChoice(name="vllm")) if profile.ascend else "",
        built_on=f"{stack}Python {profile.python}, torch {profile.torch}",
        driver=profile.driver,
        driver_source=profile.driver_source,
        lite=_cards(LITE, profile),
        plus=_plus(profile),
        norm_head="applied" if profile.norm_head else "ignored: folded, or refused",
        context="YaRN on request, at a cost for short prompts",
        weights="safetensors and .bin as they are",
        verified="never tried on a card" if profile.ascend else profile.checked_against,
        source=f"{profile.source}; {profile.checked_against}",
    )


def _cards(shape: Shape, profile: VllmProfile) -> str:
    possible = (str(n) for n in (1, 2, 4, 8) if not why_uneven(shape, Cut(n), profile))
    return f"{', '.join(possible)} {'cards' if profile.ascend else 'processors'} of a node"


def _plus(profile: VllmProfile) -> str:
    uneven = why_uneven(PLUS, Cut(8), profile)
    if uneven:
        return uneven
    if not profile.ascend:
        return "tiny ones: TP over 1, 2, 4, 8 processors, on several nodes too"
    if not profile.nodes:
        return "2 x 8 cards: PP 2 x TP 8, through a site's Ray alone"
    return "2 x 8 cards: PP 2 x TP 8, or DP 2 with experts over all"
