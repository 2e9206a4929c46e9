"""What vLLM's arithmetic says of a model and a cluster; see ``lingctl.engine.capacity.Capacity``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lingctl.engine.capacity import (
    NUMBERS_OF_CARDS,
    Estimate,
    Load,
    nearest_shape,
    number_of_cards,
    settings_that_fit,
    verdict_on,
)
from lingctl.findings import Finding, Subject
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.inventory.models.catalogue import Shape
from lingctl.vllm.capacity.estimate import estimate_cut
from lingctl.vllm.launch.parallel import Cut, cut_for
from lingctl.vllm.long_context import MOST_FACTOR, factor_for
from lingctl.vllm.profile import VllmProfile
from lingctl.vllm.settings import FRACTION, vllm_settings

# The longest window of the catalogue; a question about a model is bounded by its own.
_LONGEST_WINDOW = 32768


@dataclass(frozen=True, slots=True)
class VllmCapacity:
    """See ``Capacity``."""

    profile: VllmProfile
    choice: EngineChoice

    def load_of(self, cluster: Cluster) -> Load:
        """See ``Capacity``; vLLM bounds input and output together alone."""
        settings = vllm_settings(cluster)
        sequence = int(settings["max_seq_len"].value)
        fraction = float(settings["npu_memory_fraction"].value)
        return Load(sequence, sequence, sequence, fraction, len(cluster.primary.devices))

    def usual_load(self, ranks: int) -> Load:
        return Load(_LONGEST_WINDOW, _LONGEST_WINDOW, _LONGEST_WINDOW, FRACTION, self._cards_of_node)

    def estimate(self, shape: Shape, window: int, ranks: int, hbm_gib: float, load: Load) -> Estimate:
        return estimate_cut(shape, window, self._cut(shape, ranks, load), hbm_gib, load, self.profile)

    def smallest_fit(self, shape: Shape, window: int, hbm_gib: float, load: Load) -> Estimate | None:
        whole = replace(load, cards_of_node=self._cards_of_node)
        # In groups of layers where one node's cards do not divide the heads: hosts.yaml can ask for that.
        grouped = replace(self, choice=self.choice.model_copy(update={"parallel": "pipeline"}))
        ways = (self,) if self.choice.parallel else (self, grouped)
        tried = (
            way.estimate(shape, window, ranks, hbm_gib, whole) for ranks in NUMBERS_OF_CARDS for way in ways
        )
        return next((found for found in tried if found.fits), None)

    def judge(self, shape: Shape, found: Estimate, load: Load) -> Finding:
        cut, factor = self._cut(shape, found.ranks, load), factor_for(load.sequence, found.window)
        if factor > MOST_FACTOR:
            return Subject("capacity").failure(
                f"sequences of {load.sequence} tokens are more than {MOST_FACTOR} times the model's own "
                f"window, {found.window}: YaRN is not known to stretch it so far",
                evidence=found.sum_in_words,
                remedy=f"set serving.max_seq_len to at most {MOST_FACTOR * found.window}",
            )
        cards = number_of_cards(found.ranks) + (f" ({cut.words})" if found.ranks > 1 else "")
        return verdict_on(
            found,
            cards,
            "vLLM",
            self._remedies(shape, found, load),
            cut=f"it cannot be cut over {cards}: ",
            beyond=f", beyond its own {found.window} by YaRN with factor {factor}" if factor > 1 else "",
        )

    def _remedies(self, shape: Shape, found: Estimate, load: Load) -> Iterator[str]:
        yield from settings_that_fit(self.estimate, shape, found, load)
        enough = self.smallest_fit(shape, found.window, found.hbm_gib, load)
        if enough is None:
            yield "no number of such cards holds it: use shorter sequences, or cards of 64 GiB"
            return
        whole = replace(load, cards_of_node=self._cards_of_node)
        uneven = self.estimate(shape, found.window, enough.ranks, found.hbm_gib, whole).uneven
        way = " with engine: {parallel: pipeline}" if uneven else ""
        yield f"{nearest_shape(enough, self._cards_of_node)}{way}"

    @property
    def _cards_of_node(self) -> int:
        return 16 if self.choice.hardware == "a3" else 8

    def _cut(self, shape: Shape, ranks: int, load: Load) -> Cut:
        return cut_for(shape, self.profile, ranks, min(ranks, load.cards_of_node), self.choice)
