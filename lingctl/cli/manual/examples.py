"""Two examples of every verb and subverb, for its help and for the errors of whoever leaves something out.

A test parses each with the real command line.
"""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "init": (
        "lingctl init",
        "lingctl init --yes --model Ling-plus --node 192.0.2.11 --node 192.0.2.12",
    ),
    "models": ("lingctl models", "lingctl models --engine vllm"),
    "engines": ("lingctl engines", "lingctl engines vllm --json"),
    "capacity": (
        "lingctl capacity Ling-plus --devices 16",
        "lingctl capacity --max-seq-len 16384",
    ),
    "config check": ("lingctl config check", "lingctl config check --nodes site/hosts.yaml"),
    "config show": ("lingctl config show", "lingctl config show --json"),
    "check-network": (
        "lingctl check-network",
        "lingctl check-network --mesh full --save answers",
    ),
    "download": (
        "lingctl download Ling-lite",
        "lingctl download Ling-plus --source node2:/data/Ling-plus",
    ),
    "verify-weights": (
        "lingctl verify-weights /data/Ling-lite",
        "lingctl verify-weights --full /data/Ling-lite",
    ),
    "convert": (
        "lingctl convert /data/Ling-lite",
        "lingctl convert /data/Ling-lite /data/Ling-lite-safe --max-shard-size 10GB",
    ),
    "render": (
        "lingctl render config",
        "lingctl render --check config.json --mindie 2.3.0",
    ),
    "patch status": ("lingctl patch status", "lingctl patch status --host"),
    "patch verify": ("lingctl patch verify", "lingctl patch verify --host"),
    "patch diff": (
        "lingctl patch diff",
        "lingctl patch diff --root /usr/local/Ascend/atb-models/atb_llm",
    ),
    "patch apply": (
        "lingctl patch apply --host",
        "lingctl patch apply --root /usr/local/Ascend/atb-models/atb_llm --yes",
    ),
    "patch revert": ("lingctl patch revert --host", "lingctl patch revert --host --force"),
    "npu-check": ("lingctl npu-check", "lingctl npu-check --device cpu --cards 2"),
    "deploy": (
        "lingctl deploy --dry-run",
        "lingctl deploy --yes --accept driver-same",
    ),
    "smoke-test": (
        "lingctl smoke-test",
        "lingctl smoke-test --url http://192.0.2.11:1025 --expect Paris",
    ),
    "prove": (
        "lingctl prove",
        "lingctl prove --url http://192.0.2.11:8000 --weights /data/Ling-lite",
    ),
    "chat": ("lingctl chat", "lingctl chat --system 'Answer in one sentence.'"),
    "ask": (
        "lingctl ask 'Who are you?'",
        "lingctl ask --temperature 0 --max-tokens 64 < question.txt",
    ),
    "bench": (
        "lingctl bench --concurrency 16 --requests 200",
        "lingctl bench --sweep --ttft-limit 2000 --tpot-limit 50 --plot bench.html",
    ),
    "bench compare": (
        "lingctl bench compare before.jsonl after.jsonl",
        "lingctl bench compare results.jsonl --json",
    ),
    "batch": (
        "lingctl batch questions.jsonl -o answers.jsonl",
        "lingctl batch questions.jsonl -o answers.jsonl --offline",
    ),
    "status": ("lingctl status", "lingctl status --watch 5 --node node2"),
    "logs": ("lingctl logs --since 10m", "lingctl logs --follow --grep 'ERROR|WARN'"),
    "stop": ("lingctl stop", "lingctl stop --yes --lock-wait 600"),
    "restart": ("lingctl restart", "lingctl restart --yes"),
    "releases": ("lingctl releases", "lingctl releases --json"),
    "rollback": ("lingctl rollback --dry-run", "lingctl rollback 4f1a --yes"),
    "accept": (
        "lingctl accept",
        "lingctl accept --soak 1h --output acceptance --yes",
    ),
    "accept compare": (
        "lingctl accept compare before after",
        "lingctl accept compare before/report.json after/report.json --json",
    ),
    "accept lessons": (
        "lingctl accept lessons acceptance",
        "lingctl accept lessons lessons.json --to samples",
    ),
    "explain": (
        "lingctl explain disk-full",
        "lingctl explain node1.log node2.log",
    ),
    "collect": ("lingctl collect", "lingctl collect --node node2 --to evidence.tar.gz --no-check"),
    "export kubernetes": (
        "lingctl export kubernetes --namespace ling > ling.yaml",
        "lingctl export kubernetes --from answers > ling.yaml",
    ),
    "audit": ("lingctl audit", "lingctl audit --lines 5 --json"),
    "lock status": ("lingctl lock status", "lingctl lock status --json"),
    "lock release": ("lingctl lock release", "lingctl lock release --yes"),
    "bundle": (
        "lingctl bundle",
        "lingctl bundle --arch aarch64 --python 3.11 --to /media/stick",
    ),
    "sandbox up": (
        "lingctl sandbox up",
        "lingctl sandbox up --nodes 1 --model lite --mindie 3.0.0",
    ),
    "sandbox install-vllm": (
        "lingctl sandbox install-vllm",
        "LINGCTL_VLLM=/data/vllm lingctl sandbox install-vllm",
    ),
    "sandbox down": ("lingctl sandbox down", "lingctl sandbox down --dir /tmp/trial"),
    "sandbox status": ("lingctl sandbox status", "lingctl sandbox status --json"),
    "sandbox break": (
        "lingctl sandbox break node1 link-down=3",
        "lingctl sandbox break node2 disk-full",
    ),
    "sandbox heal": ("lingctl sandbox heal", "lingctl sandbox heal node1 link-down"),
    "sandbox faults": ("lingctl sandbox faults", "lingctl sandbox faults --json"),
    "help": ("lingctl help deploy", "lingctl help sandbox up"),
    "version": ("lingctl version", "lingctl --version"),
}


def examples_of(path: str) -> tuple[str, ...]:
    """Examples of a verb or subverb, as it is typed behind ``lingctl``; of a verb with others, theirs."""
    own = EXAMPLES.get(path)
    return (
        own
        if own is not None
        else tuple(shown[0] for other, shown in EXAMPLES.items() if other.startswith(f"{path} "))
    )
