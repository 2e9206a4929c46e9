"""Rules of how requests are scheduled."""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.mindie.json_text import as_integer
from lingctl.mindie.rules.rule import ALL, CODE, Parts, Rule, models, rule, rule_of_3

# Read without a look at their types, with the code's own defaults; the first one may have any size.
_CHUNKS = {
    "prefillChunkSize": 0,
    "maxNumPartialPrefills": 64,
    "maxLongPartialPrefills": 8,
    "longPrefillTokenThreshold": 1024,
}


@rule(
    "config-prefill-tokens",
    "maxPrefillTokens is at least maxInputTokenLen, unless templateType is Mix",
    source=f"{CODE}config_manager_impl.cpp",
    remedy="raise maxPrefillTokens",
)
def _prefill_tokens(parts: Parts) -> Iterator[str]:
    schedule, deploy = parts["ScheduleConfig"], parts["ModelDeployConfig"]
    tokens, longest = schedule.get("maxPrefillTokens"), deploy.get("maxInputTokenLen")
    mixed = schedule.get("templateType") == "Mix"
    if not mixed and type(tokens) is int and type(longest) is int and tokens < longest:
        yield f"maxPrefillTokens is {tokens}, maxInputTokenLen is {longest}"


def _below_batch(check: str, name: str, generations: tuple[int, ...] = ALL) -> Rule:
    def broken(parts: Parts) -> Iterator[str]:
        value, batch = parts["ScheduleConfig"].get(name), parts["ScheduleConfig"].get("maxBatchSize")
        if type(value) is int and type(batch) is int and value > batch:
            yield f"{name} is {value}, maxBatchSize is {batch}"

    return rule(
        check,
        f"{name} is at most maxBatchSize",
        source=f"{CODE}schedule_config.cpp",
        remedy=f"lower {name}",
        generations=generations,
    )(broken)


_PREFILL_BATCH = _below_batch("config-prefill-batch", "maxPrefillBatchSize")
_PREEMPT_COUNT = _below_batch("config-preempt-count", "maxPreemptCount")
_MAX_N = _below_batch("config-max-n", "maxN", generations=(3,))


@rule(
    "config-swap-memory",
    "cpuMemSize is above 0 where maxPreemptCount is",
    source=f"{CODE}config_manager_impl.cpp",
    remedy="set cpuMemSize to 5, or maxPreemptCount to 0",
)
def _swap_memory(parts: Parts) -> Iterator[str]:
    preempt = parts["ScheduleConfig"].get("maxPreemptCount")
    for where, model in models(parts):
        if type(preempt) is int and preempt != 0 and model.get("cpuMemSize") == 0:
            yield f"{where}maxPreemptCount is {preempt}, cpuMemSize is 0"


@rule_of_3(
    "config-partial-prefills",
    (
        "maxNumPartialPrefills is 1 to 64 (64), maxLongPartialPrefills 1 to that (8), threshold 1 to 8192, "
        "prefillChunkSize a number"
    ),
    source=f"{CODE}schedule_config.cpp",
    remedy="set both, or leave all out",
)
def _partial_prefills(parts: Parts) -> Iterator[str]:
    # The code's own defaults stand in for what is left out.
    schedule = parts["ScheduleConfig"]
    read = {}
    for name, default in _CHUNKS.items():
        value = schedule.get(name, default)
        size = as_integer(value, 64, signed=False)
        if size is None:
            yield f"{name} is {value!r}"
        # Compared with 32 bits of it.
        read[name] = None if size is None else size % 2**32
    limits = {"maxNumPartialPrefills": 64, "longPrefillTokenThreshold": 8192}
    limits["maxLongPartialPrefills"] = read["maxNumPartialPrefills"] or 0
    for name, highest in limits.items():
        size = read[name]
        if size is not None and not 1 <= size <= highest:
            yield f"{name} is {size}, the most is {highest}"
