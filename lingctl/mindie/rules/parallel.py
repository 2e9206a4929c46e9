"""What breaks the rules about parallel sizes, and about the plug-in in ``plugin_params``, by model.

Sources: MindIE-LLM v3.0.0 src/config_manager/model_deploy_config.cpp; for the sizes' product
src/executor/executor.cpp and communicator.cpp, and atb_llm utils/mapping.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lingctl.mindie.json_text import NumberTooLarge, as_integer, read_json
from lingctl.mindie.rules.cross import Parts, models, several

_LEADING = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)")


def size_of(model: dict[str, Any], name: str) -> int | None:
    """A parallel size as the code reads it: 0 where it makes none of it, None where it passes it over."""
    value = model.get(name)
    if isinstance(value, str):
        leading = _LEADING.match(value)
        return int(leading[1]) if leading and len(leading[1]) < 12 and abs(int(leading[1])) < 2**31 else 0
    if isinstance(value, int | float):
        return as_integer(value, 32, signed=True) or 0
    return None


def sizes(parts: Parts) -> Iterator[str]:
    """Parallel sizes below 1, or none at all. The code cuts numbers to 32 bits."""
    for where, model in models(parts):
        for name in ("dp", "sp", "cp"):
            size = size_of(model, name)
            if size is not None and size < 1:
                yield f"{where}{name} is {model[name]!r}"


def missing_tensor_parallel(parts: Parts) -> Iterator[str]:
    """Several nodes without ``tp``: the code takes the cards of one node for those of a whole model."""
    model = parts["ModelConfig"]
    if several(parts) and size_of(model, "tp") is None and (size_of(model, "dp") or 1) < 2:
        yield "tp is missing"


def ranks(parts: Parts) -> int | None:
    """What the parallel sizes multiply to, None where ``tp`` or a sensible size is missing."""
    given = [size_of(parts["ModelConfig"], name) for name in ("tp", "dp", "cp")]
    if given[0] is None:
        return None
    product = 1
    for size in given:
        product *= 1 if size is None else max(size, 0)
    return product or None


def product(parts: Parts) -> Iterator[str]:
    """Parallel sizes that cannot multiply to the cards of all nodes, however many nodes there are."""
    model = parts["ModelConfig"]
    tensor, cards, total = size_of(model, "tp"), model.get("worldSize"), ranks(parts)
    if tensor is None or type(cards) is not int or cards < 1:
        return
    if tensor < 1:
        yield f"tp is {model['tp']!r}"
    elif total is None:
        return  # dp or cp is none: ``sizes`` names it
    elif not several(parts):
        if total != cards:
            yield f"dp x tp x cp is {total}, worldSize is {cards}"
    elif total % cards or total < 2 * cards:
        yield f"dp x tp x cp is {total}, and a node has {cards} cards (worldSize)"
    elif cards < tensor < total:
        yield f"tp is {tensor}: more than the {cards} cards of a node, and not all {total}"


def product_with_pipelines(parts: Parts) -> Iterator[str]:
    """The same before 3.0.0, which has pipelines as well."""
    stages = size_of(parts["ModelConfig"], "pp")
    if stages is None or stages < 2:
        yield from product(parts)


def plugin_params(parts: Parts) -> Iterator[str]:
    """A plug-in whose kind is no text, or whose number of tokens is none. What is no JSON is passed over."""
    for where, model in models(parts):
        plugin = model.get("plugin_params")
        if isinstance(plugin, str):
            try:
                # The code's reader ends at the first NUL.
                plugin = read_json(plugin.partition("\0")[0])
            except NumberTooLarge as error:
                yield f"{where}plugin_params: {error}"
                continue
            except ValueError:
                continue
        if not isinstance(plugin, dict) or "plugin_type" not in plugin:
            continue
        kind = plugin["plugin_type"]
        if not isinstance(kind, str):
            yield f"{where}plugin_params: plugin_type is {kind!r}"
        elif "mtp" in kind and "num_speculative_tokens" in plugin:
            tokens = plugin["num_speculative_tokens"]
            if as_integer(tokens, 32, signed=False) is None:
                yield f"{where}plugin_params: num_speculative_tokens is {tokens!r}"
