"""DeepSeek-MoE's decoder as a holder of weights."""

from torch import nn

from atb_llm.utils.layers import (
    RMSNorm,
    TensorEmbedding,
    TensorParallelColumnLinear,
    TensorParallelRowLinear,
    load_column_multi,
)
from atb_llm.utils.layers.linear import FastLinear
from atb_llm.utils.quantize.pack_type import PackType


class DeepseekMLP(nn.Module):
    """Gate and up projection packed, and down projection."""

    def __init__(self, prefix, config, weights, intermediate_size=None):
        super().__init__()
        self.pack_type = PackType.ALL_FP
        names = [f"{prefix}.gate_proj", f"{prefix}.up_proj"]
        self.gate_up_proj = load_column_multi(config, prefixes=names, weights=weights, head_size=1)
        self.down_proj = TensorParallelRowLinear.load(
            config, prefix=f"{prefix}.down_proj", weights=weights, bias=False
        )


class DeepseekMoE(nn.Module):
    """Router, experts stacked to [experts, out, in], shared experts."""

    def __init__(self, prefix, config, weights, shared_mlp_cls, layer_id=None):
        super().__init__()
        self.pack_type = PackType.ALL_FP
        self.gate = FastLinear.load(prefix=f"{prefix}.gate", weights=weights, bias=False)
        experts = range(config.n_routed_experts)
        names = [[f"{prefix}.experts.{i}.gate_proj", f"{prefix}.experts.{i}.up_proj"] for i in experts]
        self.gate_up_proj = TensorParallelColumnLinear.load_moe(config, names, weights, bias=False)
        downs = [f"{prefix}.experts.{i}.down_proj" for i in experts]
        self.down_proj = TensorParallelRowLinear.load_moe(
            config, downs, process_group=weights.process_group, weights=weights, bias=False
        )
        if config.n_shared_experts:
            self.shared_experts = shared_mlp_cls(
                prefix=f"{prefix}.shared_experts", config=config, weights=weights
            )


class FlashDeepseekAttention(nn.Module):
    """Separate q, k, v in the checkpoint, packed for the graph."""

    def __init__(self, prefix, config, weights):
        super().__init__()
        self.pack_type = PackType.ALL_FP
        self.head_size = config.hidden_size // config.num_attention_heads
        ranks = weights.process_group.size()
        if config.num_attention_heads % ranks:
            raise ValueError(f"`num_heads` must be divisible by `num_shards` ({ranks})")
        self.num_heads = config.num_attention_heads // ranks
        self.num_key_value_heads = max(1, config.num_key_value_heads // ranks)
        names = [f"{prefix}.{name}_proj" for name in "qkv"]
        self.query_key_value = load_column_multi(
            config, prefixes=names, weights=weights, head_size=self.head_size
        )
        self.o_proj = TensorParallelRowLinear.load(
            config, prefix=f"{prefix}.o_proj", weights=weights, bias=False, gqa_size=self.head_size
        )


class FlashDeepseekLayer(nn.Module):
    """One layer."""

    def __init__(self, layer_id, config, weights):
        super().__init__()
        prefix = f"model.layers.{layer_id}"
        self.self_attn = FlashDeepseekAttention(f"{prefix}.self_attn", config, weights)
        if layer_id >= config.first_k_dense_replace:
            self.mlp = DeepseekMoE(f"{prefix}.mlp", config, weights, DeepseekMLP, layer_id=layer_id)
        else:
            self.mlp = DeepseekMLP(f"{prefix}.mlp", config, weights)
        self.input_layernorm = RMSNorm(f"{prefix}.input_layernorm", weights, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(
            f"{prefix}.post_attention_layernorm", weights, config.rms_norm_eps
        )


class FlashDeepseekModel(nn.Module):
    """Embedding, layers, norm."""

    def __init__(self, config, weights):
        super().__init__()
        self.embed_tokens = TensorEmbedding(prefix="model.embed_tokens", weights=weights)
        self.layers = nn.ModuleList(
            FlashDeepseekLayer(index, config, weights) for index in range(config.num_hidden_layers)
        )
        self.norm = RMSNorm(prefix="model.norm", weights=weights, eps=config.rms_norm_eps)
