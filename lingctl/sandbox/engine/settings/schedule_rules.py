"""The values of ScheduleConfig, in the order in which 3.0.0 looks at them.

Source: MindIE-LLM v3.0.0 src/config_manager/schedule_config.cpp: most checks stand behind "so far well &&",
so that only the first of them speaks; three are made in any case.
"""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.sandbox.engine.settings.sections import Section
from lingctl.sandbox.engine.settings.server_config import PARTIAL_PREFILLS, between


def schedule_faults(schedule: Section) -> Iterator[str]:
    """What is wrong."""
    spoken = False
    for text, guarded in _rules(schedule):
        if text and not (guarded and spoken):
            spoken = True
            yield text


def _rules(schedule: Section) -> Iterator[tuple[str, bool]]:
    """Every rule as (sentence or empty, guarded)."""

    def bounds(name: str, low: int, high: int) -> tuple[str, bool]:
        text = between(f"scheduleParam.{name}", schedule[name], low, high) if name in schedule else ""
        return text, True

    batch = schedule["maxBatchSize"]
    yield bounds("cacheBlockSize", 1, 128)
    yield _policy(schedule, "decodePolicyType")
    yield bounds("decodeTimeMsPerReq", 0, 1000)
    yield bounds("maxBatchSize", 1, 819200)
    yield _at_most_batch("maxPreemptCount", "maxBatchsize", schedule["maxPreemptCount"], batch), False
    yield bounds("maxPrefillTokens", 1, 4194304)
    prefill = schedule["maxPrefillBatchSize"] or batch
    yield between("scheduleParam.maxPrefillBatchSize", prefill, 1, batch), True
    yield bounds("maxQueueDelayMicroseconds", 500, 1000000)
    yield bounds("maxFirstTokenWaitTime", 0, 3600000)
    yield _policy(schedule, "prefillPolicyType")
    policy = schedule.get("policyType", 0)
    text = f"The scheduleParam.policyType [{policy}] is outside the expected range: 0 or 4~7."
    yield "" if policy in (0, 4, 5, 6, 7) else text, True
    yield bounds("prefillTimeMsPerReq", 0, 1000)
    yield from _partial_prefills(schedule)
    kind, name = schedule["templateType"], schedule["templateName"]
    text = f"The templateType must be Standard or Mix, but is {kind}"
    yield "" if kind in ("Standard", "Mix") else text, False
    text = f"The templateName must be Standard_LLM, but is {name}"
    yield "" if name == "Standard_LLM" else text, False
    # supportSelectBatch overrides the policy; without it 16 bits of it are read.
    if "stageSelectPolicy" in schedule and not schedule["supportSelectBatch"]:
        stage = schedule["stageSelectPolicy"] % 2**16
        yield between("scheduleParam.stageSelectPolicy", stage, 0, 2), True
    yield bounds("prefillExpectedTime", 1, 10000)
    yield bounds("decodeExpectedTime", 1, 10000)
    most = schedule.get("maxN", min(128, batch))
    yield between("scheduleParam.maxN", most, 1, 8192), True
    yield _at_most_batch("maxN", "maxBatchSize", most, batch), True


def _policy(schedule: Section, name: str) -> tuple[str, bool]:
    text = (
        f"scheduleParam.{name} [{schedule[name]}] is outside the expected schedule policy range: 0, 1, 2, 3"
    )
    return ("" if schedule[name] in range(4) else text), True


def _at_most_batch(name: str, limit: str, value: int, batch: int) -> str:
    if value <= batch:
        return ""
    advice = f"please set '{name}' to be not greater than '{limit}' in config.json."
    return f"The {name} cannot be set greater than {limit}, {advice}"


def _partial_prefills(schedule: Section) -> Iterator[tuple[str, bool]]:
    """Chunked prefill: what is left out counts with its default, so 4 partial prefills alone are refused."""
    # Cut to 32 bits where they are compared.
    given = {n: int(schedule.get(n, default)) % 2**32 for n, default in PARTIAL_PREFILLS.items()}
    limits = {
        "maxNumPartialPrefills": 64,
        "maxLongPartialPrefills": given["maxNumPartialPrefills"],
        "longPrefillTokenThreshold": 8192,
    }
    for name, high in limits.items():
        yield between(f"scheduleParam.{name}", given[name], 1, high), True
