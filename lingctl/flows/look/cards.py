"""What npu-smi shows of a node's cards, with each row at the card that it is of."""

from __future__ import annotations

from collections.abc import Mapping

from lingctl.ascend import devices
from lingctl.ascend.cards import npu_map, npu_smi
from lingctl.ascend.cards.card_rows import CardRows, card_rows
from lingctl.ascend.unread import Unread
from lingctl.remote.probe import Answer, Question

ROWS_ASKED = (
    Question("dev", devices.DEV, 10),
    Question("npus", npu_smi.TABLE, 60),
    Question("chips", npu_map.MAP, 30),
)


def rows_in(answers: Mapping[str, Answer]) -> CardRows | Unread:
    """The rows in the answers to ``ROWS_ASKED``; why there is no table, where it could not be read."""
    table = npu_smi.read_table(answers.get("npus"))
    if isinstance(table, Unread):
        return table
    return card_rows(table, npu_map.read_map(answers.get("chips")), devices.read_dev(answers.get("dev")))
