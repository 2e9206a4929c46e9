"""Whether a checkpoint holds what config.json names. Plain arithmetic: imports neither torch nor atb_llm.

Stock builds as many layers and experts as config.json names and leaves the others of the checkpoint out
without a word: the answers would be another model's.
"""

from __future__ import annotations

import re

_PART = re.compile(r"model\.layers\.(\d+)\.(?:mlp\.experts\.(\d+)\.)?")
_SAME_DOWNLOAD = "take config.json from the same download as the weights"


def refuse_other_contents(config, names, shape_of):
    """Refuse a checkpoint of other layers, experts or widths than config.json's.

    Args:
        config: a Bailing_moeConfig.
        names: of all tensors of the checkpoint.
        shape_of: gives a tensor's shape by its name.

    Raises:
        ValueError: names the key of config.json, its value, and what the checkpoint has.
    """
    layers = {}
    for name in names:
        part = _PART.match(name)
        if part:
            experts = layers.setdefault(int(part[1]), set())
            if part[2]:
                experts.add(int(part[2]))
    _refuse_count("num_hidden_layers", config.num_hidden_layers, layers, "layers")
    for layer in range(config.num_hidden_layers):
        _refuse_other_layer(config, layer, layers[layer], shape_of)


def _refuse_other_layer(config, layer, experts, shape_of):
    dense = layer < config.first_k_dense_replace
    if dense == bool(experts):
        found = "has experts" if experts else "has none"
        raise ValueError(
            f"config.json says first_k_dense_replace {config.first_k_dense_replace}: layer {layer} is "
            f"{'dense' if dense else 'to have experts'}, and in the checkpoint it {found}: {_SAME_DOWNLOAD}"
        )
    prefix, hidden = f"model.layers.{layer}.mlp.", config.hidden_size
    if dense:
        _refuse_rows(f"{prefix}gate_proj", "intermediate_size", config.intermediate_size, hidden, shape_of)
        return
    _refuse_count("num_experts", config.n_routed_experts, experts, f"experts in layer {layer}")
    width = config.moe_intermediate_size
    _refuse_rows(f"{prefix}gate", "num_experts", config.n_routed_experts, hidden, shape_of)
    _refuse_rows(f"{prefix}experts.0.gate_proj", "moe_intermediate_size", width, hidden, shape_of)
    shared = "num_shared_experts x moe_intermediate_size"
    rows = config.n_shared_experts * width
    _refuse_rows(f"{prefix}shared_experts.gate_proj", shared, rows, hidden, shape_of)


def _refuse_count(key, stated, numbers, things):
    if set(numbers) != set(range(stated)):
        found = f"{len(numbers)} {things}"
        if len(numbers) == stated:
            found += f", and not the numbers 0 to {stated - 1}"
        raise ValueError(f"config.json says {key} {stated}, the checkpoint has {found}: {_SAME_DOWNLOAD}")


def _refuse_rows(tensor, key, rows, columns, shape_of):
    name = f"{tensor}.weight"
    found = list(shape_of(name))
    if found != [rows, columns]:
        raise ValueError(
            f"config.json says {key} {rows}, and {name} has shape {found}, not {[rows, columns]}: "
            f"{_SAME_DOWNLOAD}"
        )
