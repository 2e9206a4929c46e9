"""What the warm-up makes of the memory that is left for the KV cache.

The emulated model is tiny and the cards' memory is a number, so every card has as many blocks as Ling-lite on
one card of 64 GiB (by the vendor's formula). Text: MindIE-LLM v3.0.0 mindie_llm/text_generator/generator.py;
1.0.0 is taken to say the same (inference).
"""

from __future__ import annotations

from lingctl.sandbox.engine.settings.server_config import RawConfig

BLOCKS = 2119


def warm_up_fault(raw: RawConfig) -> str:
    """The exception's line where one request of the longest kind needs more blocks than there are."""
    deploy, schedule = raw.deploy, raw.schedule
    longest = min(deploy["maxSeqLen"], deploy["maxInputTokenLen"] + schedule["maxIterTimes"])
    needed = -(-longest // schedule["cacheBlockSize"])
    if needed <= BLOCKS:
        return ""
    return (
        "RuntimeError: Warmup failed. This could be caused by setting both `max_prefill_tokens` and "
        "`max_input_length` to very large values, or setting insufficient `npu_mem`. Reducing either "
        "`max_prefill_tokens` or `max_input_length` may solve this issue. If `npu_mem` is -1, try "
        "to increase the environment value `NPU_MEMORY_FRACTION`. "
        f"Required block number: {needed}. Left block number: {BLOCKS}."
    )
