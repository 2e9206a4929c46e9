"""Emulated hccn_tool of an Atlas 800I A2: its grammar, streams and exit statuses.

Texts: captures from A2 servers where there are any, else the format strings of the published driver source.
A link that is down, a failed net_health and netdetect 0.0.0.0 all exit 0, as on the real tool.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lingctl.sandbox.state import Card, NodeState, this_node, update_node
from lingctl.sandbox.tools.hccn_queries import EMULATED, ask
from lingctl.sandbox.tools.hccn_words import BUSY, Refusal, unknown_option, wrong_count

_LOCK = "/run/hccn_tool.lock"
_HEALTH_TRIES = 300
# Commands of the real tool that have no emulation.
_KNOWN = (
    *("arp", "bandwidth", "bond", "dscp_to_tc", "dump", "ecn", "fault_stat", "generic", "hccs_ping_stat"),
    *("lldp_cfg", "pkt_stat", "prbs", "prio_tc", "reset", "roce_port", "roce_test", "scdr", "send_arp"),
    *("shaping", "tc_stat", "udp", "version", "vlan"),
)
_HELP = "Enter [ hccn_tool -h ] for more details."


def main(words: list[str]) -> int:
    """Run one call; returns the exit status that the shell sees."""
    try:
        return _run(words)
    except Refusal as refusal:
        print(refusal, file=sys.stdout if refusal.on_stdout else sys.stderr)
        return refusal.status


def only_looks(words: Sequence[str]) -> bool:
    """Whether a call neither waits nor changes anything, as the node is now."""
    if len(words) < 4 or words[0] != "-i" or words[3] != "-g":
        return False
    node = this_node()
    waits = {"busy", "slow-tools"} & node.faults.keys() or any(card.hang for card in node.cards)
    return not waits


def _run(words: list[str]) -> int:
    if words in (["-h"], ["--help"]):
        print("Usage: hccn_tool [-i devid] [major cmd] [options]\nThe hccn_tool of lingctl's sandbox.")
        return 0
    every = words[:1] == ["-a"]
    if len(words) < (2 if every else 3) or words[0] not in ("-i", "-a"):
        raise Refusal("The total count of input parameters is wrong!", 2)
    if os.geteuid() != 0:
        raise Refusal("permission denied: pls check this cmd run permission.", 12)
    lock = os.open(_LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _locked(words, every=every)
    except BlockingIOError:
        raise Refusal(BUSY, 11, on_stdout=True) from None
    finally:
        os.close(lock)


def _locked(words: list[str], *, every: bool) -> int:
    node = this_node()
    if every:
        if words[1:] != ["-cfg", "recovery"]:
            raise Refusal(f"Get invalid major cmd.\n{_HELP}", 3)
        from lingctl.sandbox.tools.hccn_settings import recover

        return recover(node, [card for card in node.cards if card.present], every=True)
    return _call(node, _card(node, words[1]), words[2], words[3:])


def _card(node: NodeState, text: str) -> Card:
    card = next((card for card in node.cards if str(card.id) == text), None)
    if card is None or not card.present or not Path(f"/dev/davinci{card.id}").exists():
        raise Refusal("Get invalid device id.", 4)
    return card


def _call(node: NodeState, card: Card, command: str, rest: list[str]) -> int:
    _be_busy(node)
    if "slow-tools" in node.faults:
        time.sleep(float(node.faults["slow-tools"]))
    if card.hang:
        time.sleep(_HEALTH_TRIES)
        raise Refusal("Get device health status failed!", 3)
    name = command.removeprefix("-")
    if name == "cfg":
        return _configuration(node, card, rest)
    if name in _KNOWN:
        print(f"hccn_tool: -{name} is not emulated by the sandbox", file=sys.stderr)
        return 3
    if name not in EMULATED:
        raise Refusal(f"Get invalid major cmd.\n{_HELP}", 3)
    if not rest:
        raise wrong_count()
    if rest[0] == "-s":
        from lingctl.sandbox.tools.hccn_settings import set_value

        return set_value(node, card, name, rest[1:])
    if rest[0] != "-g":
        raise unknown_option()
    return ask(node, card, name, rest[1:])


def _configuration(node: NodeState, card: Card, rest: list[str]) -> int:
    if rest == ["recovery"]:
        from lingctl.sandbox.tools.hccn_settings import recover

        return recover(node, [card], every=False)
    if rest == ["status"]:
        print("config status:NONE")
        return 0
    raise unknown_option()


def _be_busy(node: NodeState) -> None:
    """The fault ``busy`` says so as many times as it was told, and then is over."""
    if "busy" not in node.faults:
        return
    left = int(node.faults["busy"]) - 1

    def count(state: NodeState) -> NodeState:
        others = {name: detail for name, detail in state.faults.items() if name != "busy"}
        return replace(state, faults={**others, "busy": str(left)} if left > 0 else others)

    update_node(node.name, count)
    raise Refusal(BUSY, 11, on_stdout=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
