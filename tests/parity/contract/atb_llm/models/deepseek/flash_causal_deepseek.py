"""DeepSeek-MoE's causal class: registers weights, states the graph's parameters, prepares its inputs."""

import json

import torch

from atb_llm.models.base.flash_causal_lm import FlashForCausalLM
from atb_llm.models.deepseek.modeling_deepseek import FlashDeepseekModel
from atb_llm.utils.layers import TensorEmbedding, load_column_multi

_SIX = 6


class FlashDeepseekForCausalLM(FlashForCausalLM):
    """One rank."""

    def __init__(self, config, weights, **kwargs):
        super().__init__(config, weights, **kwargs)
        self.model = FlashDeepseekModel(config, weights)
        self.lm_head = load_column_multi(
            config, prefixes=["lm_head"], weights=weights, head_size=1, lm_head=True
        )
        self.embed_tokens = TensorEmbedding(prefix="model.embed_tokens", weights=weights)
        self.n_shared_experts = config.n_shared_experts or 0
        self.first_k_dense_replace = config.first_k_dense_replace or 0
        self.norm_topk_prob = config.norm_topk_prob or False

    def init_ascend_operations(self, config):
        """The two graphs, for prefill and for decode."""
        self.acl_encoder_operation = torch.classes.ModelTorch.ModelTorch("deepseek_DecoderModel")
        self.acl_decoder_operation = torch.classes.ModelTorch.ModelTorch("deepseek_DecoderModel")

    def init_ascend_weight(self):
        """Hand weights and parameters to both graphs."""
        register = _Register(self.placeholder)
        register.weights.append(self.model.embed_tokens.weight.data)
        for index, layer in enumerate(self.model.layers):
            register.layer(layer, index < self.first_k_dense_replace, self.n_shared_experts > 0)
        register.weights += [self.model.norm.weight.data, self.lm_head.linear.weight.data]
        self.ascend_weight = register.weights
        parameters = self._graph_parameters(register)
        for operation, prefill in ((self.acl_encoder_operation, True), (self.acl_decoder_operation, False)):
            operation.set_param(json.dumps({**parameters, "isPrefill": prefill}))
            operation.set_weight(self.ascend_weight)

    def _graph_parameters(self, register):
        layers = self.config.num_hidden_layers
        return {
            "normEps": self.config.rms_norm_eps,
            "normType": 0,
            "numAttentionHeadsPerRank": self.num_attention_heads,
            "hiddenSizePerAttentionHead": self.head_size,
            "numHiddenLayers": layers,
            "numKeyValueHeadsPerRank": self.num_key_value_heads,
            "isUnpadInputs": True,
            "isFA": False,
            "isBF16": self.dtype == torch.bfloat16,
            "packQuantType": [[1, 1]] * layers,
            "linearTransposeType": register.attention,
            "mlpLinearTransposeType": register.mlp,
            "moeLinearTransposeType": register.moe,
            "lmHeadTransposeType": self.lm_head.linear.trans_flag,
            "hasSharedExpert": self.n_shared_experts > 0,
            "hasSharedExpertGate": False,
            "rank": self.tp_rank,
            "worldSize": self.tp_world_size,
            "backend": "hccl",
            "expertParallelDegree": 0,
            "numOfExperts": self.config.n_routed_experts,
            "numOfSelectedExperts": [self.config.num_experts_per_tok],
            "numOfSharedExperts": self.n_shared_experts,
            "routingMethod": "integratedSoftmaxTopK",
            "processLogits": "normalization" if self.norm_topk_prob else "none",
            "firstKDenseReplace": self.first_k_dense_replace,
        }

    def prepare_inputs_for_ascend(
        self, input_ids, position_ids, is_prefill, block_tables, slots, input_lengths, lm_head_indices
    ):
        """The graph's inputs and its parameters of this step."""
        rope = self.rotary_embedding
        rope.update_cos_sin_cache_total(self.dtype, self.device, self.max_position_embeddings)
        if lm_head_indices is None:
            lm_head_indices = torch.arange(len(input_ids))
        inputs = [
            input_ids,
            position_ids.to(torch.int64),
            rope.get_cos_cached_total(),
            rope.get_sin_cached_total(),
            self.placeholder,
            block_tables.to(torch.int32),
            slots.to(torch.int32),
            *[self.placeholder] * 3,
            input_lengths.to(torch.int32),
            lm_head_indices.to(torch.int64),
        ]
        return inputs, json.dumps({"seqLen": input_lengths.tolist(), "qLen": []})


class _Register:
    """Weights in the graph's order, six places a linear and four a norm, and how each is stored."""

    def __init__(self, placeholder):
        self.placeholder = placeholder
        self.weights, self.attention, self.mlp, self.moe = [], [], [], []

    def layer(self, layer, dense, shared):
        self._norm(layer.input_layernorm)
        qkv = self._linear(layer.self_attn.query_key_value.linear)
        self._skip(2 * _SIX)
        out = self._linear(layer.self_attn.o_proj.linear)
        self.attention.append([qkv, -1, -1, out, -1, -1, -1])
        if dense or shared:
            part = layer.mlp if dense else layer.mlp.shared_experts
            self._norm(layer.post_attention_layernorm)
            gate_up = self._linear(part.gate_up_proj.linear)
            self.mlp.append([gate_up, -1, self._linear(part.down_proj.linear), -1])
            self._skip(_SIX)
        else:
            self._norm(layer.post_attention_layernorm)
            self.mlp.append([-1] * 4)
        if dense:
            self._skip(3 * _SIX)
            self.moe.append([-1] * 4)
            return
        router = self._linear(layer.mlp.gate)
        gate_up = self._linear(layer.mlp.gate_up_proj.linear)
        self.moe.append([router, gate_up, -1, self._linear(layer.mlp.down_proj.linear)])

    def _norm(self, norm):
        self.weights.append(norm.weight.data)
        self._skip(3)

    def _linear(self, linear):
        self.weights.append(linear.weight.data)
        self._skip(_SIX - 1)
        return int(linear.trans_flag)

    def _skip(self, places):
        self.weights += [self.placeholder] * places
