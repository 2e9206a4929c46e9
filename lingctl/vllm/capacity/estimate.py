"""What a card holds under vLLM: weights of its cut, KV cache with repeated heads, what is left.

An estimate that is made before anything starts. Sources: vLLM 0.32.0 v1/worker/gpu_worker.py and vllm-ascend
v0.23.0 worker.py (memory x utilisation is all that the process may use: weights, activations, graphs, and
the rest is KV cache), model_executor/models/bailing_moe.py (what is cut and what is whole),
v1/core/kv_cache_utils.py (one request of max_model_len must fit).
"""

from __future__ import annotations

from lingctl.engine.capacity import GIB, Estimate, Load, seen_gib
from lingctl.inventory.models.catalogue import Shape
from lingctl.vllm.launch.parallel import Cut, why_uneven
from lingctl.vllm.profile import VllmProfile

_BF16 = 2


def estimate_cut(
    shape: Shape, window: int, cut: Cut, hbm_gib: float, load: Load, profile: VllmProfile
) -> Estimate:
    """See ``Capacity.estimate``, for one way to cut the model."""
    ranks = cut.tensor * cut.pipeline * cut.data
    layers = -(-shape.layers // cut.pipeline)
    kv_heads = max(1, shape.kv_heads // cut.tensor)
    return Estimate(
        ranks=ranks,
        hbm_gib=hbm_gib,
        usable_gib=seen_gib(hbm_gib) * load.fraction,
        weights_gib=fullest_card_parameters(shape, cut) * _BF16 / GIB,
        overhead_gib=load.overhead_gib,
        token_bytes=2 * layers * kv_heads * shape.head_dim * _BF16,
        needed_tokens=load.sequence,
        window=window,
        uneven=why_uneven(shape, cut, profile),
    )


def fullest_card_parameters(shape: Shape, cut: Cut) -> int:
    """Parameters on the card that holds most; embedding and head lie at the ends of a pipeline."""
    tensor = cut.tensor
    query, kv = -(-shape.heads // tensor), max(1, shape.kv_heads // tensor)
    attention = (2 * query + 2 * kv) * shape.head_dim * shape.hidden
    expert = 3 * shape.hidden * shape.moe_intermediate * shape.experts // (tensor * cut.data)
    shared = 3 * shape.hidden * -(-shape.shared_experts * shape.moe_intermediate // tensor)
    layer = attention + expert + shared + shape.experts * shape.hidden + 2 * shape.hidden
    table = shape.hidden * -(-shape.vocabulary // tensor)
    ends = 2 * table if cut.pipeline == 1 else table
    return -(-shape.layers // cut.pipeline) * layer + ends + shape.hidden
