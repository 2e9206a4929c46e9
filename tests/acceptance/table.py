"""Every fault of the sandbox, and which parts of an acceptance notice it; all others pass.

The fault is set on one of two nodes with a service that runs, the second where nothing else is said. A part
that rests on one that did not answer is not reached. What no part notices is harmless, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_LOST = {
    **dict.fromkeys(
        ("network", "versions", "weights", "overlay", "state", "cards", "smoke", "restart"), "unknown"
    ),
    **dict.fromkeys(("proof", "load", "soak"), "not reached"),
}


@dataclass(frozen=True)
class NoticedBy:
    """One fault, and what becomes of the parts that notice it."""

    fault: str  # as it is typed, with its detail
    parts: Mapping[str, str] = field(default_factory=dict)
    harmless: str = ""  # why nothing notices it
    node: str = "node2"


def _by(fault: str, **parts: str) -> NoticedBy:
    return NoticedBy(fault, parts)


def _no(fault: str, why: str) -> NoticedBy:
    return NoticedBy(fault, {}, why)


FAULT_TABLE: tuple[NoticedBy, ...] = (
    _by("link-down", network="failure", cards="failure"),
    _by("link-flaps", network="warning"),
    # The rank table is made of the cards' own addresses: without them nothing tells what is wanted.
    _by("no-address", network="failure", state="failure", cards="failure"),
    _by("duplicate-address", network="failure", state="failure", cards="failure"),
    _by("conf-differs", network="failure"),
    _by("netmask-differs", network="failure"),
    _by("no-gateway", network="warning"),
    _by("no-netdetect", network="warning"),
    _by("tls-on", network="failure", cards="failure"),
    _no("tls-no-certificate", "a certificate is asked for where the switch is on, and it is off"),
    _by("mtu", network="failure"),
    _by("ping-loss", network="failure"),
    _by("lldp-empty", network="warning"),
    _by("retransmissions", network="warning"),
    # smoke: how much memory that card has in use is not known.
    _by("card-missing", network="failure", state="failure", cards="failure", smoke="unknown"),
    # state: whether its questions end before the time of the whole look does depends on the machine.
    _by("card-hang", network="failure", state="failure or unknown", cards="failure"),
    _by("card-alarm", network="failure"),
    _by("card-unavailable", network="failure", smoke="unknown"),
    _by("card-miscomputes", cards="failure"),
    _no("slot-numbers", "npu-smi's own map tells which slot is which card"),
    _by("map-fails", network="unknown", smoke="unknown"),
    NoticedBy("unreachable", _LOST),
    NoticedBy("power-off", _LOST),
    NoticedBy("silent", _LOST),
    NoticedBy("wrong-host-key", _LOST),
    _no("login-noise", "answers are framed: what a login prints is no part of them"),
    _by("clock-skew", network="failure"),
    _by("tool-missing", network="failure", state="failure"),
    _no("slow-tools", "slow is not wrong: each question has its time limit"),
    _no("busy", "it is asked again"),
    _by("conf-missing", network="failure"),
    _by("driver-differs", versions="failure"),
    _by("root-info-stale", network="warning"),
    _by("no-python", weights="unknown", state="unknown"),
    NoticedBy(
        "docker-down",
        {
            **dict.fromkeys(("network", "versions", "overlay", "state", "cards", "smoke"), "unknown"),
            "proof": "not reached",
        },
    ),
    _by("image-missing", versions="failure", state="failure"),
    _by("disk-full", network="failure", proof="unknown"),
    _no("port-taken", "a second node opens no port of the service; on the first the service itself holds it"),
    # Faults of the engine show at its next start, or in its answers, which the first node gives.
    _by("daemon-dies-loading", restart="failure"),
    _by("daemon-prints=hccl-timeout", restart="failure"),
    NoticedBy(
        "daemon-dies-serving",
        {
            **dict.fromkeys(("smoke", "restart"), "failure"),
            **dict.fromkeys(("proof", "load", "soak"), "not reached"),
        },
        node="node1",
    ),
    NoticedBy("tokenizer-cannot-start", {"restart": "failure"}, node="node1"),
    _no("console-cut-short", "it loses last lines of a daemon that ends, and this one does not"),
    _no("follower-takes-its-worker", "what a stop leaves, the next start ends"),
    NoticedBy("slow-first-token", {}, "slow is not wrong where no limit is asked for: --ttft", node="node1"),
    *(
        NoticedBy(
            fault,
            {
                **dict.fromkeys(("smoke", "restart"), "failure"),
                **dict.fromkeys(("load", "soak"), "not reached"),
            },
            node="node1",
        )
        for fault in ("stuck-stream", "truncated-stream", "error-in-stream")
    ),
    NoticedBy("wrong-answer", dict.fromkeys(("smoke", "proof", "restart"), "failure"), node="node1"),
)
