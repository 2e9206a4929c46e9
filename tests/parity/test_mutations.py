"""The proof must be able to fail: each likely mistake in the overlay is made on purpose and noticed."""

import re

import pytest

from tests.parity.checkpoints import case
from tests.parity.engine import contract_tree, edited_overlay, load_rank, run_ranks, worst_difference

pytestmark = pytest.mark.torch

_MODELING, _CAUSAL, _CONFIG, _LAYOUT = (
    "modeling_bailing_moe.py",
    "flash_causal_bailing_moe.py",
    "config_bailing_moe.py",
    "layout.py",
)
# Equal slices of rows and columns, as stock makes them; q heads are padded to whole ones behind.
_HALF_HEADS = """
    kept = config.num_attention_heads * width
    ranks, rank = weights.process_group.size(), weights.process_group.rank()
    rows = packed.flatten(0, 1)[:kept].chunk(ranks)[rank]
    lack = len(heads.query) * width - len(rows)
    rows = nn.functional.pad(rows, (0, 0, 0, lack))
    others = _picked(packed, [*_shifted(heads.kv, first_key), *_shifted(heads.kv, first_value)]).flatten(0, 1)
    qkv_weight = torch.cat([rows, others])
    columns = dense.permute(1, 0, 2).flatten(1, 2).chunk(ranks, dim=1)[rank]
    dense_weight = nn.functional.pad(columns, (0, lack))
"""
_DENSE = "_picked(dense, heads.query)"

MUTATIONS = {
    "head normalised by row": (
        "plus",
        (_CAUSAL, "part.float() / norms", "part.float() / part.float().norm(dim=1, keepdim=True)"),
    ),
    "no head normalisation": ("plus", (_CAUSAL, "if config.norm_head:", "if False:")),
    "head always normalised": ("lite-1.5", (_CAUSAL, "if config.norm_head:", "if True:")),
    "head norm of this rank's shard only": (
        "plus",
        (
            _CAUSAL,
            'column_norms(weights, "lm_head.weight")',
            "shard.float().norm(dim=0 if self.lm_head.linear.trans_flag else 1)",
        ),
    ),
    "heads cut in half": (
        "plus",
        (
            _MODELING,
            "        self.query_key_value = TensorParallelColumnLinear(",
            _HALF_HEADS.replace("\n    ", "\n        ")
            + "        self.query_key_value = TensorParallelColumnLinear(",
        ),
    ),
    "KV heads dealt round robin": (
        "plus",
        (
            _LAYOUT,
            "_share(groups[rank // sharers], rank % sharers, sharers)",
            "_share(RankHeads(groups[rank // sharers].query, groups[rank % len(groups)].kv), "
            "rank % sharers, sharers)",
        ),
    ),
    "dense columns not permuted with the heads": (
        "plus",
        (
            _MODELING,
            _DENSE,
            "_picked(dense, [head if head < len(dense) else None for head in range("
            "weights.process_group.rank() * len(heads.query), "
            "(weights.process_group.rank() + 1) * len(heads.query))])",
        ),
    ),
    "top-k not renormalised": (
        "plus-head-dim-unstated",
        (_CONFIG, "super().__init__(**values)", 'super().__init__(**{**values, "norm_topk_prob": False})'),
    ),
    "top-k always renormalised": (
        "no-topk-renorm",
        (_CONFIG, "super().__init__(**values)", 'super().__init__(**{**values, "norm_topk_prob": True})'),
    ),
    "shared experts dropped": (
        "plus",
        (_CONFIG, "super().__init__(**values)", 'super().__init__(**{**values, "n_shared_experts": 0})'),
    ),
    "head size from the hidden size": (
        "plus",
        (_CAUSAL, "self.head_size = self.model.head_size", "self.head_size = self.head_size"),
    ),
    "rope table of the stock width": (
        "lite-wide-heads",
        (_CAUSAL, "dim=self.head_size", "dim=self.hidden_size // self.config.num_attention_heads"),
    ),
    "k and v exchanged": (
        "plus",
        (
            _MODELING,
            "first_value = first_key + config.num_key_value_heads\n",
            "first_value, first_key = first_key, first_key + config.num_key_value_heads\n",
        ),
    ),
    "the head's storage not heeded": (
        "lite-wide-heads",
        (_CAUSAL, "shard if self.lm_head.linear.trans_flag else shard.t()", "shard"),
    ),
}
# Where heads are dealt out, sixteen ranks show it; a turned head exists where the shard divides by 256.
_RANKS = {"the head's storage not heeded": 1, "head always normalised": 1}


# Mistakes that the graph or torch refuses; all others must show in the logits.
_REFUSED = {
    "shared experts dropped": "num_shared_experts x moe_intermediate_size 0",
    "head size from the hidden size": "split",
    "rope table of the stock width": "must match",
    "the head's storage not heeded": "must match",
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_is_caught(tmp_path, checkpoints, name):
    model, edit = MUTATIONS[name]
    ranks = _RANKS.get(name, 16)
    served, reference = checkpoints(model)
    with contract_tree(tmp_path / "site"):
        edited_overlay(tmp_path / "site" / "atb_llm" / "models" / "bailing_moe", [edit])
        try:
            found = run_ranks([load_rank(served, rank, ranks) for rank in range(ranks)])
        except (ValueError, RuntimeError) as error:
            assert name in _REFUSED, error
            assert re.search(_REFUSED[name], str(error)), error
            return
    assert name not in _REFUSED
    assert worst_difference(found, reference.logits) > 20 * case(model).tolerance


def test_padding_slots_are_inert(tmp_path, checkpoints):
    """Another place of the empty slot within the rank is another overlay, and the same model."""
    served, reference = checkpoints("plus-head-dim-unstated")
    old = "RankHeads(mine + (None,) * (slots - len(mine)), group.kv)"
    with contract_tree(tmp_path / "site"):
        edited_overlay(
            tmp_path / "site" / "atb_llm" / "models" / "bailing_moe",
            [("layout.py", old, "RankHeads((None,) * (slots - len(mine)) + mine, group.kv)")],
        )
        found = run_ranks([load_rank(served, rank, 16) for rank in range(16)])
    assert worst_difference(found, reference.logits) <= case("plus-head-dim-unstated").tolerance
