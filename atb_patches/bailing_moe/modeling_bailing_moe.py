"""BailingMoE's decoder as a holder of weights: the ATB graph computes, these modules load.

The submodules are named as stock DeepSeek's ``get_weights`` looks them up (``self_attn``,
``query_key_value``, ``o_proj``, ``mlp``, the norms). The experts are stock DeepSeek's classes: their tensor
names in the checkpoint are the same. Different are the embedding's name, the packed attention and where its
heads go.
"""

import torch
from atb_llm.models.deepseek.modeling_deepseek import DeepseekMLP, DeepseekMoE
from atb_llm.utils.layers import (
    RMSNorm,
    TensorEmbedding,
    TensorParallelColumnLinear,
    TensorParallelRowLinear,
)
from atb_llm.utils.layers.linear import get_linear
from atb_llm.utils.quantize.pack_type import PackType
from torch import nn

from .layout import head_width, place_heads

try:
    from atb_llm.utils.weights import ProcessGroupType
except ImportError:  # 1.0.0 has one process group only
    ProcessGroupType = None

# Stock code asks for the first name, the checkpoint has the second.
EMBEDDING_ALIAS = {"model.embed_tokens.weight": ["model.word_embeddings.weight"]}


def shape_of(weights, name):
    """The shape of a tensor of the checkpoint.

    Raises:
        ValueError: there is no such tensor.
    """
    try:
        return list(weights.get_shape(name))
    except AssertionError as error:
        raise ValueError(
            f"the checkpoint has no tensor {name}: these are not complete weights of a BailingMoE model; "
            "download them again"
        ) from error


def measured_head_width(config, weights):
    """The width of an attention head, from the first layer's tensors.

    Raises:
        ValueError: tensors and config.json contradict each other.
    """
    prefix = "model.layers.0.attention"
    packed, _ = shape_of(weights, f"{prefix}.query_key_value.weight")
    _, columns = shape_of(weights, f"{prefix}.dense.weight")
    return head_width(
        packed, columns, config.num_attention_heads, config.num_key_value_heads, config.head_dim
    )


class FlashBailing_moeAttention(nn.Module):
    """Packed query-key-value projection and output projection of this rank's heads.

    Args:
        prefix: ``model.layers.<n>.attention``.
        config: a Bailing_moeConfig.
        weights: stock loader.
        heads: this rank's heads.
        width: width of a head.
    """

    def __init__(self, prefix, config, weights, heads, width):
        super().__init__()
        self.prefix = prefix
        self.head_size = width
        self.num_heads = len(heads.query)
        self.num_key_value_heads = len(heads.kv)
        self.pack_type = PackType.ALL_FP
        packed, dense = _read_heads(prefix, config, weights, width)
        first_key = config.num_attention_heads
        first_value = first_key + config.num_key_value_heads
        rows = [
            *heads.query,
            *_shifted(heads.kv, first_key),
            *_shifted(heads.kv, first_value),
        ]
        qkv_weight = _picked(packed, rows).flatten(0, 1)
        dense_weight = _picked(dense, heads.query).permute(1, 0, 2).flatten(1, 2)
        self.query_key_value = TensorParallelColumnLinear(
            get_linear(
                qkv_weight.contiguous(),
                None,
                None,
                inter_type=config.torch_dtype,
                prefixes=[f"{prefix}.query_key_value"],
                num_linear_before_pack=3,
                tensor_parallel_dim=0,
                align_size=width,
            )
        )
        self.o_proj = TensorParallelRowLinear(
            get_linear(
                dense_weight.contiguous(),
                None,
                None,
                inter_type=config.torch_dtype,
                prefixes=[f"{prefix}.dense"],
                tensor_parallel_dim=1,
                align_size=width,
            ),
            process_group=weights.process_group,
        )


def _read_heads(prefix, config, weights, width):
    """Both projections by head: [q, then k, then v heads, width, hidden] and [q heads, hidden, width]."""
    names = f"{prefix}.query_key_value.weight", f"{prefix}.dense.weight"
    heads, kv_heads, hidden = config.num_attention_heads, config.num_key_value_heads, config.hidden_size
    wanted = [(heads + 2 * kv_heads) * width, hidden], [hidden, heads * width]
    for name, shape in zip(names, wanted, strict=False):
        found = shape_of(weights, name)
        if found != shape:
            raise ValueError(
                f"{name} has shape {found}, config.json makes it {shape}: take config.json from the same "
                "download as the weights"
            )
    packed, dense = (weights.get_whole_tensor(name, dim=0) for name in names)
    return packed.view(-1, width, hidden), dense.view(hidden, heads, width).transpose(0, 1)


def _picked(heads, slots):
    """The heads of ``slots`` in that order, zeros for empty slots: [slots, ...]."""
    picked = heads.new_zeros((len(slots), *heads.shape[1:]))
    for slot, head in enumerate(slots):
        if head is not None:
            picked[slot] = heads[head]
    return picked


def _shifted(slots, by):
    return [None if head is None else head + by for head in slots]


class FlashBailing_moeLayer(nn.Module):
    """One decoder layer: our attention, stock DeepSeek's experts (or MLP in the first dense layers)."""

    def __init__(self, layer_id, config, weights, heads, width):
        super().__init__()
        prefix = f"model.layers.{layer_id}"
        _switch(weights, "ATTN")
        self.self_attn = FlashBailing_moeAttention(f"{prefix}.attention", config, weights, heads, width)
        _switch(weights, "MLP")
        if layer_id < config.first_k_dense_replace:
            self.mlp = DeepseekMLP(prefix=f"{prefix}.mlp", config=config, weights=weights)
        else:
            self.mlp = DeepseekMoE(
                prefix=f"{prefix}.mlp", config=config, weights=weights, shared_mlp_cls=DeepseekMLP
            )
        eps = config.rms_norm_eps
        self.input_layernorm = RMSNorm(prefix=f"{prefix}.input_layernorm", weights=weights, eps=eps)
        self.post_attention_layernorm = RMSNorm(
            prefix=f"{prefix}.post_attention_layernorm", weights=weights, eps=eps
        )


class FlashBailing_moeModel(nn.Module):
    """Embedding, layers and final norm of one rank; takes the place of stock ``FlashDeepseekModel``."""

    def __init__(self, config, weights):
        super().__init__()
        self.tp_rank = weights.process_group.rank()
        self.tp_world_size = weights.process_group.size()
        width = measured_head_width(config, weights)
        heads = place_heads(config.num_attention_heads, config.num_key_value_heads, self.tp_world_size)
        mine = heads[self.tp_rank]
        self.head_size = width
        self.num_heads = len(mine.query)
        self.num_key_value_heads = len(mine.kv)
        self.embed_tokens = TensorEmbedding(prefix="model.embed_tokens", weights=weights)
        self.layers = nn.ModuleList(
            FlashBailing_moeLayer(layer_id, config, weights, mine, width)
            for layer_id in range(config.num_hidden_layers)
        )
        self.norm = RMSNorm(prefix="model.norm", weights=weights, eps=config.rms_norm_eps)


def column_norms(weights, name, rows_at_once=8192):
    """Euclidean norm of every column of a [vocabulary, hidden] tensor, over the whole vocabulary: [hidden].

    Every rank reads the whole tensor, a part at a time: a rank's own shard does not hold its columns' norms.
    """
    rows, columns = shape_of(weights, name)
    whole = weights._get_slice(name)
    total = torch.zeros(columns, dtype=torch.float64)
    for start in range(0, rows, rows_at_once):
        part = whole[start : min(start + rows_at_once, rows)].to(weights.dtype)
        total += part.float().square().sum(dim=0, dtype=torch.float64)
    return total.sqrt().float()


def _switch(weights, group):
    """3.0 keeps one process group per kind of layer; 1.0.0 knows no such thing."""
    if ProcessGroupType is not None and hasattr(weights, "switch_process_group"):
        weights.switch_process_group(getattr(ProcessGroupType, group))
