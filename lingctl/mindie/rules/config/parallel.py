"""Rules of the parallel sizes together, which the workers that load the model insist on.

Sources: MindIE-LLM v3.0.0 src/config_manager/model_deploy_config.cpp; for the sizes' product
src/executor/executor.cpp and communicator.cpp, and atb_llm utils/mapping.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lingctl.findings import Verdict
from lingctl.mindie.json_text import as_integer
from lingctl.mindie.rules.rule import Parts, rule, rule_of_3, several

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


def ranks(parts: Parts) -> int | None:
    """What the parallel sizes multiply to, None where ``tp`` or a sensible size is missing."""
    given = [size_of(parts["ModelConfig"], name) for name in ("tp", "dp", "cp")]
    if given[0] is None:
        return None
    product = 1
    for size in given:
        product *= 1 if size is None else max(size, 0)
    return product or None


def _missing_tensor_parallel(parts: Parts) -> Iterator[str]:
    """Several nodes without ``tp``: the code takes the cards of one node for those of a whole model."""
    model = parts["ModelConfig"]
    if several(parts) and size_of(model, "tp") is None and (size_of(model, "dp") or 1) < 2:
        yield "tp is missing"


def _impossible_product(parts: Parts) -> Iterator[str]:
    """Sizes that cannot multiply to the cards of all nodes, however many nodes there are."""
    model = parts["ModelConfig"]
    tensor, cards, total = size_of(model, "tp"), model.get("worldSize"), ranks(parts)
    if tensor is None or type(cards) is not int or cards < 1:
        return
    if tensor < 1:
        yield f"tp is {model['tp']!r}"
    elif total is None:
        return  # dp or cp is none: ``optional`` names it
    elif not several(parts):
        if total != cards:
            yield f"dp x tp x cp is {total}, worldSize is {cards}"
    elif total % cards or total < 2 * cards:
        yield f"dp x tp x cp is {total}, and a node has {cards} cards (worldSize)"
    elif cards < tensor < total:
        yield f"tp is {tensor}: more than the {cards} cards of a node, and not all {total}"


_TENSOR_PARALLEL = rule_of_3(
    "config-tensor-parallel",
    "with several nodes tp is the number of all cards",
    source="MindIE-LLM v3.0.0 src/executor/executor.cpp; seen: the first node ends, the others hang",
    remedy="set tp in ModelConfig to the number of cards of all nodes",
)(_missing_tensor_parallel)
_TENSOR_PARALLEL_PERHAPS = rule(
    "config-tensor-parallel",
    "whether several nodes need tp is not known before 3.0.0, which does",
    source="published files: the vendor's of 2.0.T3 have none, most later ones have dp and tp",
    remedy="set tp in ModelConfig to the number of cards of all nodes, as published files of 2.x have it",
    verdict=Verdict.UNKNOWN,
    generations=(2,),
)(_missing_tensor_parallel)
_PRODUCT = rule_of_3(
    "config-parallel",
    "dp x tp x cp is the number of cards of all nodes, and tp within a node or all of them",
    source="MindIE-LLM v3.0.0 atb_llm utils/mapping.py; seen: the workers end while they load",
    remedy="leave out dp and cp; tp is the number of cards of all nodes, or is left out on one node",
)(_impossible_product)


@rule(
    "config-parallel",
    "dp x tp x cp is the number of cards of all nodes",
    source="msprechecker; the documents' examples; the server's code was not read",
    remedy="leave out dp, cp and pp; tp is the number of cards of all nodes",
    verdict=Verdict.WARNING,
    generations=(2,),
)
def _product_beside_pipelines(parts: Parts) -> Iterator[str]:
    stages = size_of(parts["ModelConfig"], "pp")
    if stages is None or stages < 2:
        yield from _impossible_product(parts)
