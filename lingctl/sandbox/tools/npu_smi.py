"""Emulated npu-smi of an Atlas 800I A2: its table and the queries that there are captures or formats of.

Shapes: captures of driver 23.0 to 24.1 servers, else the format strings of the published driver source.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lingctl.sandbox.card_holders import hold
from lingctl.sandbox.state import Card, NodeState, this_node
from lingctl.sandbox.tools.card_processes import CardProcess, card_processes

_NAME = "910B4"
_IDLE_MB, _WORKER_MB = 3418, 52_430
_EDGE = "+------------------------------------------------------------------------------------------------+"
_PARTS = "+---------------------------+---------------+----------------------------------------------------+"
_RULE = _PARTS.replace("-", "=")
_USAGE = "Usage: npu-smi info <watch|proc|-h|-m|-l|-t type> [Options...]"


def main(words: list[str]) -> int:
    """Run one call; returns the exit status that the shell sees."""
    node = this_node()
    cards = [card for card in node.cards if card.present and Path(f"/dev/davinci{card.id}").exists()]
    if words in (["-v"], ["--version"]):
        print(f"npu-smi version: {node.driver}")
        return 0
    if not cards:
        # What a container without cards, or a host without driver, is told.
        print(
            "DrvMngGetConsoleLogLevel failed. (g_conLogLevel=3)\ndcmi module initialize failed. ret is -8005"
        )
        return 187
    if not hold(card.id for card in cards):
        # A user's capture: Ascend/cann-container-image 46.
        text = "dcmi model initialized failed, because the device is used. ret is -8020"
        print(f"DrvMngGetConsoleLogLevel failed. (g_conLogLevel=3)\n{text}")
        return 172
    if words == ["info"]:
        return _table(node, [card for card in cards if card.available])
    if words == ["info", "-l"]:
        return _list(node, [card for card in cards if card.available])
    if words == ["info", "-m"]:
        return _mapping(node, cards)
    if words[:2] == ["info", "-t"] or (words[:1] == ["info"] and "-t" in words):
        return _query(node, cards, words[1:])
    print(_USAGE)
    return 1


def only_looks(words: Sequence[str]) -> bool:
    """Every call of the emulated tool does."""
    return True


def _table(node: NodeState, cards: list[Card]) -> int:
    workers = card_processes()
    print(_EDGE)
    print(f"| npu-smi {node.driver:<24} Version: {node.driver:<53}|")
    print(_PARTS)
    print(
        "| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|"
    )
    print(
        "| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |"
    )
    print(_RULE)
    for card in cards:
        power, heat = f"{90 + card.id * 0.3:.1f}", 36 + card.id % 3
        used = f"{_used(card, workers):<5}/ {card.hbm_mb}"
        first = f"| {_number(node, card):<6}{_NAME:<20}| {card.health:<14}|"
        print(f"{first} {power:<12}{heat:<18}{'0    / 0':<21}|")
        print(f"| {0:<26}| {card.bus:<14}| {0:<12}{'0    / 0':<18}{used:<21}|")
        print(_RULE)
    print(_PARTS)
    print(
        "| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |"
    )
    print(_RULE)
    for card in cards:
        own = [worker for worker in workers if worker.card == card.id]
        for worker in own:
            text = f"{worker.name:<25}| {_WORKER_MB:<24}|"
            print(f"| {_number(node, card):<8}{0:<18}| {worker.pid:<14}| {text}")
        if not own:
            line = f"No running processes found in NPU {_number(node, card)}"
            print(f"| {line:<95}|")
        print(_RULE)
    return 0


def _number(node: NodeState, card: Card) -> int:
    """The NPU ID of a card: its physical id, or the slot that it is in."""
    return 2 * (card.id + 1) if "slot-numbers" in node.faults else card.id


def _list(node: NodeState, cards: list[Card]) -> int:
    print(f"\t{'Total Count':<30} : {len(cards)}\n")
    for card in cards:
        print(f"\t{'NPU ID':<30} : {_number(node, card)}\n\t{'Chip Count':<30} : 1\n")
    return 0


def _mapping(node: NodeState, cards: list[Card]) -> int:
    if "map-fails" in node.faults:
        print("dcmi module initialize failed. ret is -8005")
        return 187
    print("\t" + "".join(f"{title:<31}" for title in ("NPU ID", "Chip ID", "Chip Logic ID", "Chip Name")))
    for logic, card in enumerate(cards):
        npu = _number(node, card) if card.available else -1
        print(f"\t{npu:<31}{0:<31}{logic:<31}{_NAME}")
        print(f"\t{npu:<31}{1:<31}{'-':<31}{'Mcu':<30}")
    return 0


def _query(node: NodeState, cards: list[Card], words: list[str]) -> int:
    options = dict(zip(words[::2], words[1::2], strict=False))
    kind, number = options.get("-t", ""), options.get("-i")
    if kind == "topo" and number is None:
        return _topology(cards)
    if kind not in _QUERIES:
        print(f"npu-smi: info -t {kind} is not emulated, or not a type", file=sys.stderr)
        return 1
    card = next((card for card in cards if card.available and str(_number(node, card)) == number), None)
    if card is None:
        print(f"Invalid card id.\nError parameter of -i\n{_USAGE}")
        return 1
    print(_ask(kind, node, card), end="")
    return 0


def _topology(cards: list[Card]) -> int:
    affinities = ("144-167", "0-23", "144-167", "0-23", "96-119", "48-71", "96-119", "48-71")
    names = [f"NPU{card.id}" for card in cards]
    print(" " * 11 + "".join(f"{name:<11}" for name in names) + "CPU Affinity")
    for place, name in enumerate(names):
        row = "".join(f"{'X' if other == place else 'HCCS':<11}" for other in range(len(names)))
        print(f"{name:<11}{row}{affinities[place % 8]}")
    print("\nLegend:\n\n  X    = Self\n  HCCS = Connection traversing HCCS.")
    return 0


_ZEROS = "[0            0            0]"
_CHIP = "NPU ID={npu}|Chip Count=1|"
# A field after the other; where nothing stands between two bars, an empty line is printed.
_QUERIES: Mapping[str, str] = {
    "health": "Health Status={card.health}|Error Code={error[0]}|Error Information={error[1]}",
    "memory": _CHIP + "DDR Capacity(MB)=0|DDR Clock Speed(MHz)=0|HBM Capacity(MB)={card.hbm_mb}|"
    "HBM Clock Speed(MHz)=1600|HBM Temperature(C)=36|HBM Manufacturer ID=0x56|Chip ID=0",
    "usages": _CHIP + "|DDR Capacity(MB)=0|DDR Usage Rate(%)=0|DDR Hugepages Total(page)=0|"
    "DDR Hugepages Usage Rate(%)=0|HBM Capacity(MB)={card.hbm_mb}|HBM Usage Rate(%)={rate}|"
    "Aicore Usage Rate(%)=0|Aivector Usage Rate(%)=0|Aicpu Usage Rate(%)=0|Ctrlcpu Usage Rate(%)=0|"
    "DDR Bandwidth Usage Rate(%)=0|HBM Bandwidth Usage Rate(%)=0|Chip ID=0",
    "common": _CHIP + "|Chip ID=0|Memory Usage Rate(%)=0|HBM Usage Rate(%)={rate}|Aicore Usage Rate(%)=0|"
    "Aicore Freq(MHZ)=1800|Aicore curFreq(MHZ)=800|Aicore Count=20|Temperature(C)=36|"
    "NPU Real-time Power(W)=93.4||Chip Name=mcu|Temperature(C)=38",
    "board": "NPU ID={npu}|Software Version={node.driver}|Firmware Version=7.5.0.3.220|Compatibility=OK|"
    "Board ID=0x33|PCB ID=A|BOM ID=1|PCIe Bus Info={card.bus}|Slot ID={card.id}|Class ID=NA|"
    "PCI Vendor ID=0x19E5|PCI Device ID=0xD802|Subsystem Vendor ID=0x0200|Subsystem Device ID=0x0100|"
    "Chip Count=1",
    "hccs": "hccs health status=OK|"
    + "|".join(f"hccs {of}={_ZEROS}" for of in ("tx packets", "tx bytes", "rx packets", "rx bytes"))
    + f"|hccs retry count={_ZEROS}|hccs error count={_ZEROS}",
    "temp": "NPU ID={npu}|Temperature(C)=36",
    "power": "NPU ID={npu}|NPU Real-time Power(W)=93.4",
}
_ERRORS = {
    "OK": ("NA", "NA"),
    "Alarm": ("80CD8003", "node type=HBM, sensor type=memory, event state=multi bit ecc error"),
}


def _ask(kind: str, node: NodeState, card: Card) -> str:
    text = _QUERIES[kind]
    rate = round(100 * _used(card, card_processes()) / card.hbm_mb) if "{rate}" in text else 0
    error = _ERRORS[card.health]
    told = text.format(npu=_number(node, card), node=node, card=card, rate=rate, error=error)
    fields = [part.partition("=")[::2] for part in told.split("|")]
    return "".join(f"\t{name:<30} : {value}\n" if name else "\n" for name, value in fields)


def _used(card: Card, workers: list[CardProcess]) -> int:
    return _IDLE_MB - 13 * card.id + sum(_WORKER_MB for worker in workers if worker.card == card.id)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
