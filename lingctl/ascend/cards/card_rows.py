"""Which row of npu-smi is which card of /dev. Pure.

hccn_tool, /dev/davinci and the containers count cards by their physical id. npu-smi names them by that only
with newer drivers (Chip Phy-ID); else its NPU ID is the same number on most servers, and the number of a slot
on others (2, 4, 6 ... for cards 0, 1, 2 ...), while the Chip Logic ID counts the chips that the driver found.
No column is believed that /dev does not bear out: a card without a row is unknown, and is never judged by
another chip's row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lingctl.ascend.cards.npu_map import MappedChip
from lingctl.ascend.cards.npu_smi import Chip, NpuTable
from lingctl.ascend.unread import Unread

NpuPlace = tuple[int, int]
"""NPU ID and Chip ID: what npu-smi takes after ``-i`` and ``-c``."""


@dataclass(frozen=True, slots=True)
class CardRows:
    """Which card is which row."""

    places: Mapping[
        int, NpuPlace
    ]  # by physical id; without cards that could not be found or told from another
    chips: Mapping[
        int, Chip
    ]  # the rows of ``npu-smi info`` by physical id, of those in ``places`` that it shows
    unavailable: frozenset[int] = field(default_factory=frozenset)  # physical ids of chips without an NPU ID
    unavailable_somewhere: int = 0  # how many more of them there are, of which no card is known
    crossed: frozenset[int] = field(default_factory=frozenset)  # cards whose chip has two numbers
    reason: str = "npu-smi does not list the card"  # why the other cards that are not in ``places`` are not
    evidence: str = ""  # what that rests on

    def why(self, card: int) -> str:
        """Why a card has no row in ``chips``."""
        if card in self.unavailable:
            return "npu-smi calls the card unavailable"
        if card in self.crossed:
            return "npu-smi info and npu-smi info -m number its chip differently"
        return "npu-smi info does not show the card" if card in self.places else self.reason


def card_rows(
    table: NpuTable | Unread, chips: tuple[MappedChip, ...] | Unread, dev: tuple[int, ...] | Unread
) -> CardRows:
    """Find each card's row.

    Args:
        table: ``npu-smi info``.
        chips: ``npu-smi info -m``. Where the tool has no such query, or nobody asked, the table's own numbers
            have to do; where it failed, only physical ids do.
        dev: the cards of /dev.
    """
    if isinstance(chips, Unread):
        if isinstance(table, Unread):
            return CardRows({}, {}, reason=f"npu-smi info: {table.text}", evidence=table.quote)
        mapped, why, evidence = _of_table(table), f"npu-smi info -m: {chips.text}", chips.quote
        alone = chips.reason in ("no-tool", "unsupported", "not-asked")
    else:
        mapped, why, evidence, alone = chips, "npu-smi does not list the card", "", True
    ids = _cards_of(mapped, dev) if alone or any(chip.physical is not None for chip in mapped) else None
    if ids is None:
        if isinstance(chips, Unread):
            said = f"nothing tells which row of npu-smi is which card ({why})"
            return CardRows({}, {}, reason=said, evidence=evidence or _said(mapped, dev))
        said = "npu-smi numbers its chips otherwise than /dev, and nothing tells which is which"
        return CardRows({}, {}, reason=said, evidence=_said(mapped, dev))
    placed = [(card, chip) for card, chip in zip(ids, mapped, strict=True) if card is not None]
    out = frozenset(card for card, chip in placed if chip.npu is None)
    places = {card: (chip.npu, chip.chip) for card, chip in placed if chip.npu is not None}
    rows = {} if isinstance(table, Unread) else {(row.npu, row.chip): row for row in table.chips}
    logic = {(chip.npu, chip.chip): chip.logic for chip in mapped}
    shown = {card: rows[place] for card, place in places.items() if place in rows}
    crossed = frozenset(
        card
        for card, row in shown.items()
        if row.physical not in (None, card) or row.logic not in (None, logic[places[card]])
    )
    places = {card: place for card, place in places.items() if card not in crossed}
    shown = {card: row for card, row in shown.items() if card not in crossed}
    lost = sum(chip.npu is None for chip in mapped) - len(out)
    return CardRows(places, shown, out, lost, crossed, why, evidence)


def _of_table(table: NpuTable) -> tuple[MappedChip, ...]:
    """What the table alone tells of the numbering."""
    return tuple(MappedChip(row.npu, row.chip, row.logic, row.physical, row.name) for row in table.chips)


def _cards_of(chips: Sequence[MappedChip], dev: tuple[int, ...] | Unread) -> list[int | None] | None:
    """The card of each chip, None for a chip of no known card; or None where no numbering can be believed."""
    there = [chip for chip in chips if chip.npu is not None]
    if any(chip.physical is not None for chip in chips):
        by_physical = [chip.physical for chip in chips]
        return by_physical if _distinct(by_physical) else None
    by_npu: list[int | None] = [chip.npu for chip in chips]
    if len({chip.npu for chip in there}) != len(there):
        by_npu = []  # several chips in one package: its number names no card
    by_logic: list[int | None] = [chip.logic for chip in chips]
    if any(chip.logic is None for chip in there) or not _distinct(by_logic):
        by_logic = []
    alike = bool(by_npu and by_logic) and all(
        npu == logic for npu, logic in zip(by_npu, by_logic, strict=True) if npu is not None
    )
    if alike:
        return (
            by_logic  # two columns that say the same; all of /dev need not be there, a card may have dropped
        )
    if isinstance(dev, Unread):
        return None
    whole = [ids for ids in (by_npu, by_logic) if ids and set(ids) == set(dev)]
    return whole[0] if len(whole) == 1 else None


def _distinct(ids: Sequence[int | None]) -> bool:
    known = [one for one in ids if one is not None]
    return len(set(known)) == len(known)


def _said(chips: Sequence[MappedChip], dev: tuple[int, ...] | Unread) -> str:
    numbers = ", ".join("-1" if chip.npu is None else str(chip.npu) for chip in chips[:32])
    cards = dev.text if isinstance(dev, Unread) else ", ".join(map(str, dev[:32])) or "none"
    return f"NPU IDs: {numbers}; cards in /dev: {cards}"
