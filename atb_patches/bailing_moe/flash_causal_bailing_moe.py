"""BailingMoE for atb_llm: stock DeepSeek's causal class around Ling's decoder.

Inherited as installed: the graph's parameters, the order of weights, the list of inputs, prefix cache and
parallel keys. That is why one folder fits several versions of atb_llm. Own are four things: the decoder, the
number and width of heads, the head's normalisation, and what is refused.
"""

import re
import threading
from contextlib import contextmanager

import torch
from atb_llm.models.deepseek import flash_causal_deepseek as stock
from atb_llm.utils.layers import PositionRotaryEmbedding

from .contents import refuse_other_contents
from .modeling_bailing_moe import (
    EMBEDDING_ALIAS,
    FlashBailing_moeModel,
    column_norms,
    measured_head_width,
    shape_of,
)

_DECODER = "FlashDeepseekModel"
_NO_SUCH_ATB = "this atb_llm is not one the bailing_moe overlay knows; use MindIE 1.0.0 or 3.0.0"
# Added to a column's norm before dividing, as the reference does.
_HEAD_EPSILON = 1e-7
# Every tensor that is loaded, and one that older exports carry along. A bias or a norm of queries is none.
_TENSOR = re.compile(
    r"(model\.(word_embeddings|norm)|lm_head|model\.layers\.\d+\.("
    r"(input|post_attention)_layernorm|attention\.(query_key_value|dense)|"
    r"mlp\.(gate|(experts\.\d+\.|shared_experts\.)?(gate|up|down)_proj)))\.weight"
    r"|model\.layers\.\d+\.attention\.rotary_emb\.inv_freq"
)
# A worker builds one model; the lock is for programs that build several ranks in threads.
_lending = threading.Lock()


class FlashBailing_moeForCausalLM(stock.FlashDeepseekForCausalLM):
    """One tensor parallel rank of a BailingMoE model.

    Args:
        config: a Bailing_moeConfig.
        weights: stock loader of the checkpoint.
        **kwargs: as the model runner passes them; handed on to stock.

    Raises:
        ValueError: config.json, weights and parallel settings do not fit together, or are not supported.
    """

    def __init__(self, config, weights, **kwargs):
        _refuse_unsupported(config, weights, kwargs)
        for name, others in EMBEDDING_ALIAS.items():
            weights.aliases.setdefault(name, others)
        try:
            with _lent_decoder():
                super().__init__(config, weights, **kwargs)
        except TypeError as error:
            # The 3.0 model runner would try again without arguments, and hide this.
            raise ValueError(f"{_NO_SUCH_ATB} ({error})") from error
        if not isinstance(self.model, FlashBailing_moeModel):
            raise ValueError(f"{_NO_SUCH_ATB} (its causal class builds another decoder)")
        if getattr(self, "enable_model_obfuscation", False):
            raise ValueError("model obfuscation is not supported with bailing_moe: switch it off")
        # Stock reads the embedding a second time for itself; on Ling-plus that is 1.4 GB of every card.
        self.embed_tokens = self.model.embed_tokens
        self._adopt_heads()
        if config.norm_head:
            self._normalise_head(weights)

    def _adopt_heads(self):
        """Replace what stock computed from hidden size and world size: it does not know wider heads."""
        self.num_attention_heads = self.model.num_heads
        self.num_key_value_heads = self.model.num_key_value_heads
        self.head_size = self.model.head_size
        self.rotary_embedding = PositionRotaryEmbedding.static(
            dim=self.head_size, base=self.rope_theta, device="cpu", scaling_factor=1.0
        ).to(self.device)

    def _normalise_head(self, weights):
        """Divide every hidden column of this rank's lm_head by its norm over the whole vocabulary.

        In float32 once on load, then back to the storage type, as the reference does. Part by part, because
        a float32 copy of a whole head is gigabytes.
        """
        shard = self.lm_head.linear.weight.data
        norms = (column_norms(weights, "lm_head.weight") + _HEAD_EPSILON).to(shard.device)
        # A linear may be stored as [hidden, vocabulary]; stock notes that in trans_flag.
        rows = shard if self.lm_head.linear.trans_flag else shard.t()
        for part in rows.split(8192):
            part.copy_((part.float() / norms).to(shard.dtype))

    def update_adapter_manager(self):
        """LoRA: the adapters' layout follows stock attention.

        Raises:
            ValueError: always.
        """
        raise ValueError("LoRA adapters are not supported with bailing_moe: merge them into the weights")


@contextmanager
def _lent_decoder():
    """While stock's constructor runs, the name it builds its decoder by means ours. In memory only."""
    with _lending:
        original = getattr(stock, _DECODER, None)
        if original is None:
            raise ValueError(f"{_NO_SUCH_ATB} (no {_DECODER} in flash_causal_deepseek)")
        setattr(stock, _DECODER, FlashBailing_moeModel)
        try:
            yield
        finally:
            setattr(stock, _DECODER, original)


def _refuse_unsupported(config, weights, kwargs):
    if weights.dtype != torch.bfloat16:
        raise ValueError(f"weights are to be loaded as {weights.dtype}: bailing_moe is served in bfloat16")
    if getattr(weights, "quantize", None):
        raise ValueError(f"quantize {weights.quantize} is not supported: serve the bf16 weights")
    if getattr(weights, "sharded", False):
        raise ValueError("weights saved per rank are not supported: serve the weights as published")
    if kwargs.get("layerwise_disaggregated"):
        raise ValueError("layerwiseDisaggregated is not supported with bailing_moe: switch it off")
    if kwargs.get("lora_adapter") or kwargs.get("lora_model_config"):
        raise ValueError("LoRA adapters are not supported with bailing_moe: merge them into the weights")
    _refuse_other_parallelism(getattr(weights, "mapping", None))
    _refuse_uneven(config, weights)
    measured_head_width(config, weights)
    for name in getattr(weights, "routing", None) or {}:
        if not _TENSOR.fullmatch(name):
            raise ValueError(
                f"the checkpoint has a tensor {name}, which the graph would leave out: these are not "
                "the bf16 weights of a BailingMoE model as published"
            )
    if getattr(weights, "routing", None):
        refuse_other_contents(config, weights.routing, lambda name: shape_of(weights, name))


def _refuse_other_parallelism(mapping):
    """Only pure tensor parallelism is proved: every other kind deals out heads in another way."""
    kinds = {
        "has_dp": "data parallelism (dp)",
        "has_moe_ep": "expert parallelism (moe_ep)",
        "has_pp": "pipeline parallelism (pp)",
        "has_attn_cp": "context parallelism (cp)",
        "has_attn_inner_sp": "sequence parallelism (sp)",
        "has_attn_o_proj_tp": "o_proj_local_tp",
    }
    for probe, name in kinds.items():
        if getattr(mapping, probe, bool)():
            raise ValueError(f"{name} is not supported with bailing_moe: set it to 1 and raise worldSize/tp")
    for name in ("attn_tp", "mlp_tp", "moe_tp", "lm_head_tp"):
        size = getattr(getattr(mapping, name, None), "group_size", None)
        if size is not None and size != mapping.world_size:
            raise ValueError(
                f"{name} {size} with world size {mapping.world_size} is not supported with bailing_moe: "
                "every layer is split over all ranks; leave it out"
            )


def _refuse_uneven(config, weights):
    """Stock would pad or cut such a dimension without a word."""
    ranks = weights.process_group.size()
    parts = {
        "vocab_size": config.vocab_size,
        "moe_intermediate_size": config.moe_intermediate_size,
    }
    if config.first_k_dense_replace:
        parts["intermediate_size"] = config.intermediate_size
    for name, size in parts.items():
        if size % ranks:
            raise ValueError(f"{name} {size} does not divide by {ranks} ranks: use another worldSize")
    for name in ("model.word_embeddings.weight", "lm_head.weight"):
        found, wanted = shape_of(weights, name), [config.vocab_size, config.hidden_size]
        if found != wanted:
            raise ValueError(f"{name} has shape {found}, config.json makes it {wanted}: correct config.json")
