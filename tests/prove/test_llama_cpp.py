"""The reference beside llama.cpp, which other hands wrote: opt-in, needs xllamacpp and gguf of PyPI."""

from __future__ import annotations

import numpy as np
import pytest

from lingctl.node.prove.arrays import NumpyArrays

torch = pytest.importorskip("torch")
llama = pytest.importorskip("xllamacpp", reason="pip install xllamacpp gguf")
gguf = pytest.importorskip("gguf", reason="pip install xllamacpp gguf")

from tests.parity.checkpoints import case, write_checkpoint  # noqa: E402  (only where torch is)
from tests.prove.test_reference import TOKENS, logits_of, tensors_of  # noqa: E402  (as above)

pytestmark = pytest.mark.torch

VOCABULARY = 1024
YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
MODELS = {
    "lite": case("lite").config,
    "lite-1.5": case("lite-1.5").config,
    "wide heads": case("lite-wide-heads").config,
    "plus": {**case("plus").config, "hidden_size": 128},
    "no renormalisation": case("no-topk-renorm").config,
    "yarn": {**case("lite-1.5").config, "rope_scaling": YARN},
}


def turned(rows, heads: int, width: int):
    """llama.cpp turns neighbours, the published code halves: rows in the other order."""
    return rows.reshape(heads, 2, width // 2, -1).swapaxes(1, 2).reshape(heads * width, -1)


def write_gguf(path, config, tensors) -> None:
    """The model in llama.cpp's own format, in float32."""
    arrays = {name: tensor.float().numpy() for name, tensor in tensors.items()}
    heads, kv, width = (config[key] for key in ("num_attention_heads", "num_key_value_heads", "head_dim"))
    out = gguf.GGUFWriter(str(path), "bailingmoe")
    out.add_context_length(config["max_position_embeddings"])
    out.add_embedding_length(config["hidden_size"])
    out.add_block_count(config["num_hidden_layers"])
    out.add_feed_forward_length(config["intermediate_size"])
    out.add_head_count(heads)
    out.add_head_count_kv(kv)
    out.add_key_length(width)
    out.add_value_length(width)
    out.add_layer_norm_rms_eps(config["rms_norm_eps"])
    out.add_rope_dimension_count(width)
    out.add_rope_freq_base(config["rope_theta"])
    if config["rope_scaling"]:
        out.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        out.add_rope_scaling_factor(config["rope_scaling"]["factor"])
        out.add_rope_scaling_orig_ctx_len(config["rope_scaling"]["original_max_position_embeddings"])
    out.add_leading_dense_block_count(config["first_k_dense_replace"])
    out.add_vocab_size(VOCABULARY)
    out.add_expert_count(config["num_experts"])
    out.add_expert_used_count(config["num_experts_per_tok"])
    out.add_expert_shared_count(config["num_shared_experts"])
    out.add_expert_feed_forward_length(config["moe_intermediate_size"])
    out.add_expert_weights_scale(1.0)
    out.add_expert_weights_norm(config["norm_topk_prob"])
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("bailingmoe")
    out.add_token_list([f"t{number}" for number in range(VOCABULARY)])
    out.add_token_types([gguf.TokenType.NORMAL] * VOCABULARY)
    out.add_token_merges(["t 0"])
    out.add_eos_token_id(VOCABULARY - 1)
    head = arrays["lm_head.weight"]
    if config["norm_head"]:
        head = head / (np.linalg.norm(head, axis=0, keepdims=True) + 1e-7)
    out.add_tensor("token_embd.weight", arrays["model.word_embeddings.weight"])
    out.add_tensor("output_norm.weight", arrays["model.norm.weight"])
    out.add_tensor("output.weight", np.ascontiguousarray(head))
    for layer in range(config["num_hidden_layers"]):
        _write_layer(out, config, arrays, layer)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def _write_layer(out, config, arrays, layer: int) -> None:
    heads, kv, width = (config[key] for key in ("num_attention_heads", "num_key_value_heads", "head_dim"))
    mine, theirs = f"model.layers.{layer}.", f"blk.{layer}."

    def add(name: str, array) -> None:
        out.add_tensor(f"{theirs}{name}.weight", np.ascontiguousarray(array))

    add("attn_norm", arrays[f"{mine}input_layernorm.weight"])
    add("ffn_norm", arrays[f"{mine}post_attention_layernorm.weight"])
    packed = arrays[f"{mine}attention.query_key_value.weight"]
    first, second = heads * width, (heads + kv) * width
    add("attn_q", turned(packed[:first], heads, width))
    add("attn_k", turned(packed[first:second], kv, width))
    add("attn_v", packed[second:])
    add("attn_output", arrays[f"{mine}attention.dense.weight"])
    for part in ("gate", "up", "down"):
        if layer < config["first_k_dense_replace"]:
            add(f"ffn_{part}", arrays[f"{mine}mlp.{part}_proj.weight"])
            continue
        experts = range(config["num_experts"])
        add(f"ffn_{part}_exps", [arrays[f"{mine}mlp.experts.{one}.{part}_proj.weight"] for one in experts])
        add(f"ffn_{part}_shexp", arrays[f"{mine}mlp.shared_experts.{part}_proj.weight"])
    if layer >= config["first_k_dense_replace"]:
        add("ffn_gate_inp", arrays[f"{mine}mlp.gate.weight"])


def likelihoods(server, tokens) -> np.ndarray:
    """llama.cpp's log likelihood of every token behind these."""
    asked = {"prompt": list(tokens), "max_tokens": 1, "temperature": 0, "logprobs": VOCABULARY}
    said = server.handle_completions({**asked, "cache_prompt": False})
    told = np.full(VOCABULARY, np.nan)
    for one in said["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
        told[one["id"]] = one["logprob"]
    return told


@pytest.mark.parametrize("name", MODELS)
def test_llama_cpp_agrees(tmp_path, name):
    config = MODELS[name]
    tensors = tensors_of(config)
    folder = write_checkpoint(tmp_path / "model", config, tensors)
    logits, _, _ = logits_of(folder, config, NumpyArrays(), wanted=range(VOCABULARY))
    write_gguf(tmp_path / "model.gguf", config, tensors)
    parameters = llama.CommonParams()
    parameters.model.path = str(tmp_path / "model.gguf")
    parameters.n_ctx, parameters.n_parallel, parameters.warmup = 256, 1, False
    parameters.cpuparams.n_threads = 1
    # It keeps keys and values in fp16 otherwise.
    parameters.cache_type_k = parameters.cache_type_v = llama.ggml_type.GGML_TYPE_F32
    parameters.flash_attn_type = llama.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    server = llama.Server(parameters)
    for place in (3, len(TOKENS) - 2):
        theirs = likelihoods(server, TOKENS[: place + 1])
        mine = logits[place].log_softmax(-1).numpy()
        assert np.nanmax(np.abs(mine - theirs)) < 2e-5
        assert int(np.nanargmax(theirs)) == int(mine.argmax())
