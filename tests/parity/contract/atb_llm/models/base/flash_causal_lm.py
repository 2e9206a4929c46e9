"""What all causal classes with paged attention share: heads per rank, rope, the forward call."""

import torch
from torch import nn

from atb_llm.utils.layers import PositionRotaryEmbedding


class FlashForCausalLM(nn.Module):
    """One rank of a model whose graph runs elsewhere."""

    def __init__(self, config, weights, **kwargs):
        super().__init__()
        self.config = config
        self.num_attention_heads = config.num_attention_heads
        self.num_key_value_heads = config.num_key_value_heads
        self.rope_theta = config.rope_theta
        self.scaling_factor = config.rope_scaling.factor
        self.hidden_size = config.hidden_size
        self.head_size = self.hidden_size // self.num_attention_heads
        self.num_layers = config.num_hidden_layers
        self.device, self.dtype, self.mapping = weights.device, weights.dtype, weights.mapping
        self.tp_rank, self.tp_world_size = weights.process_group.rank(), weights.process_group.size()
        ranks = self.tp_world_size
        repeated = max(1, ranks // self.num_key_value_heads)
        self.num_attention_heads = -(-self.num_attention_heads // ranks)
        self.num_key_value_heads = -(-self.num_key_value_heads * repeated // ranks)
        self.rotary_embedding = PositionRotaryEmbedding.static(
            dim=self.head_size, base=self.rope_theta, device="cpu", scaling_factor=self.scaling_factor
        ).to(self.device)
        self.max_position_embeddings = config.max_position_embeddings
        self.quantize = config.quantize
        self.placeholder = torch.zeros(1, dtype=self.dtype)
        self.ascend_weight = []
        self.kv_cache_id = None
        self.init_ascend_operations(config)

    def forward(
        self,
        input_ids,
        position_ids,
        is_prefill,
        kv_cache,
        block_tables,
        slots,
        input_lengths,
        max_seq_len,
        lm_head_indices=None,
        **kwargs,
    ):
        """Logits of one step."""
        if not self.ascend_weight:
            self.init_ascend_weight()
        if self.kv_cache_id != id(kv_cache[0][0]):
            keys, values = (list(caches) for caches in zip(*kv_cache, strict=True))
            self.acl_encoder_operation.set_kv_cache(keys, values)
            self.acl_decoder_operation.set_kv_cache(keys, values)
            self.kv_cache_id = id(kv_cache[0][0])
        inputs, parameters = self.prepare_inputs_for_ascend(
            input_ids, position_ids, is_prefill, block_tables, slots, input_lengths, lm_head_indices
        )
        operation = self.acl_encoder_operation if is_prefill else self.acl_decoder_operation
        return operation.execute(inputs, parameters)[0]
