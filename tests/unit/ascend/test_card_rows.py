"""Which row of npu-smi is which card: numberings that were seen, and some that nobody wants to see."""

from __future__ import annotations

import pytest

from lingctl.ascend.cards.card_rows import card_rows
from lingctl.ascend.cards.npu_map import MappedChip, read_map
from lingctl.ascend.cards.npu_smi import Chip, NpuTable, read_table
from lingctl.ascend.unread import Unread
from lingctl.remote.probe import Answer

NONE = Unread("failed", "the tool itself failed", "dcmi module initialize failed. ret is -8005")
Row = tuple[int | None, int, int | None, int | None]
"""NPU ID, Chip ID, Chip Logic ID, Chip Phy-ID."""


def _map(*rows: Row) -> tuple[MappedChip, ...]:
    return tuple(MappedChip(*row, "910B3") for row in rows)


def _table(*rows: Row) -> NpuTable:
    chips = tuple(
        Chip(npu, chip, physical, "910B3", "OK", "0000:01:00.0", logic=logic)
        for npu, chip, logic, physical in rows
        if npu is not None
    )
    return NpuTable("24.1.0", "24.1.0", chips, whole=True)


A2 = [(n, 0, n, None) for n in range(4)]
SLOTS = [(10 + 2 * n, 0, n, None) for n in range(4)]
A3 = [(n // 2, n % 2, n, n) for n in range(8)]
DUO = [(2 + n // 2, n % 2, n, None) for n in range(4)]


def _plain(rows: list[Row]) -> list[Row]:
    """As a table without a second number shows them."""
    return [(npu, chip, None, None) for npu, chip, _, _ in rows]


@pytest.mark.parametrize(
    ("table", "chips", "dev", "places"),
    [
        pytest.param(_plain(A2), A2, range(4), {n: (n, 0) for n in range(4)}, id="A2"),
        pytest.param(_plain(A2), None, range(4), {}, id="A2, -m fails"),
        pytest.param(_plain(A2), A2, None, {n: (n, 0) for n in range(4)}, id="A2, /dev unread"),
        pytest.param(_plain(SLOTS), SLOTS, range(4), {n: (10 + 2 * n, 0) for n in range(4)}, id="slots"),
        pytest.param(_plain(SLOTS), None, range(4), {}, id="slots, -m fails"),
        pytest.param(_plain(SLOTS), SLOTS, None, {}, id="slots, /dev unread"),
        pytest.param(_plain(SLOTS), SLOTS[:3], range(4), {}, id="slots, a card has dropped"),
        pytest.param(
            [(n, 0, None, None) for n in (2, 4, 6, 8)],
            [(2 + 2 * n, 0, n, None) for n in range(4)],
            (0, 1, 2, 3),
            {0: (2, 0), 1: (4, 0), 2: (6, 0), 3: (8, 0)},
            id="slots that are cards too",
        ),
        pytest.param(A3, A3, range(8), {n: (n // 2, n % 2) for n in range(8)}, id="A3"),
        pytest.param(A3, None, range(8), {n: (n // 2, n % 2) for n in range(8)}, id="A3, -m fails"),
        pytest.param(
            A3,
            [(npu, chip, logic, None) for npu, chip, logic, _ in A3],
            range(8),
            {n: (n // 2, n % 2) for n in range(8)},
            id="A3, -m without Phy-ID",
        ),
        pytest.param(DUO, DUO, range(4), {n: (2 + n // 2, n % 2) for n in range(4)}, id="310P, two chips"),
        pytest.param(DUO, None, range(4), {}, id="310P, -m fails"),
        pytest.param(
            _plain(DUO), None, range(4), {}, id="two chips of one NPU and nothing that tells them apart"
        ),
        pytest.param(
            _plain(A2),
            [(0, 0, 3, None), (1, 0, 2, None), (2, 0, 1, None), (3, 0, 0, None)],
            range(4),
            {},
            id="two whole numberings that differ",
        ),
        pytest.param(
            _plain(A2[:3]), A2[:3], range(4), {n: (n, 0) for n in range(3)}, id="a card has dropped"
        ),
        pytest.param(
            _plain([(4, 0, 0, None), (5, 0, 1, None)]),
            [(4, 0, 0, None), (5, 0, 1, None)],
            (4, 5),
            {4: (4, 0), 5: (5, 0)},
            id="a machine that was given cards 4 and 5",
        ),
        pytest.param(
            _plain(A2[:3]),
            [*A2[:3], (None, 0, 3, None)],
            range(4),
            {n: (n, 0) for n in range(3)},
            id="one is unavailable",
        ),
        pytest.param([], None, range(4), {}, id="nothing"),
    ],
)
def test_a_card_is_the_row_that_dev_bears_out(
    table: list[Row], chips: list[Row] | None, dev: range | None, places: dict[int, tuple[int, int]]
) -> None:
    rows = card_rows(
        _table(*table) if table else NONE,
        NONE if chips is None else _map(*chips),
        NONE if dev is None else tuple(dev),
    )
    assert rows.places == places
    assert {card: (row.npu, row.chip) for card, row in rows.chips.items()} == places
    assert all(rows.why(card) for card in range(8))


def test_a_chip_with_two_numbers_is_no_cards_row() -> None:
    rows = card_rows(_table((0, 0, 1, None), (1, 0, 0, None)), _map((0, 0, 0, None), (1, 0, 1, None)), (0, 1))
    assert not rows.chips
    assert "differently" in rows.why(0)


def test_an_unavailable_chip_is_named_where_its_card_is_known() -> None:
    known = card_rows(NONE, _map((0, 0, 0, 0), (None, 1, None, 1)), (0, 1))
    assert (known.unavailable, known.unavailable_somewhere) == (frozenset({1}), 0)
    nameless = card_rows(NONE, _map((0, 0, 0, None), (None, 0, None, None)), (0, 1))
    assert (nameless.unavailable, nameless.unavailable_somewhere) == (frozenset(), 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "NPU ID  Chip ID  Chip Logic ID  Chip Name\n-1  0  7  910B4\n",
            MappedChip(None, 0, 7, None, "910B4"),
        ),
        ("NPU ID  Chip ID  Chip Logic ID  Chip Phy-ID  Chip Name\n-1  1  -  -  Ascend910\n", None),
        (
            "NPU ID  Slot ID  Chip ID  Chip Phy-ID  Chip Name\n3  5  0  4  950\n",
            MappedChip(3, 0, None, 4, "950"),
        ),
    ],
)
def test_a_row_of_the_map_is_read_with_what_it_lacks(text: str, expected: MappedChip | None) -> None:
    found = read_map(Answer(text, "", 0))
    assert found == ((expected or MappedChip(None, 1, None, None, "Ascend910")),)


@pytest.mark.parametrize(
    "text",
    [
        "NPU ID  Chip ID  Chip Logic ID  Chip Name\n2  0  0  910B4\n2  0  1  910B4\n",
        "NPU ID  Chip ID  Chip Logic ID  Chip Name\ntwo  0  0  910B4\n",
        "NPU ID  Chip ID  Chip Logic ID  Chip Name\n2  0  0x0  910B4\n",
        "NPU ID  NPU ID  Chip ID  Chip Name\n2  0  0  910B4\n",
        "NPU ID  Card  Chip Logic ID  Chip Name\n2  0  0  910B4\n",
        "NPU ID  Chip ID  Chip Phy-ID  Chip Name\n2  0  -  910B4\n",
        "NPU ID  Chip ID  Chip Logic ID  Chip Name\n",
    ],
)
def test_a_map_of_odd_rows_is_not_read_in_part(text: str) -> None:
    assert isinstance(read_map(Answer(text, "", 0)), Unread)


def test_the_second_number_of_a_310p_table_is_the_chips_own() -> None:
    table = read_table(
        Answer(
            "| npu-smi 25.2.0     Version: 25.2.0 |\n"
            "| NPU  Name   | Health  | Power(W)  Temp(C)  Hugepages-Usage(page) |\n"
            "| Chip Device | Bus-Id  | AICore(%) Memory-Usage(MB) |\n"
            "+======+======+======+\n"
            "| 5    310P3  | OK      | NA  45  0 / 0 |\n| 0    0 | 0000:01:00.0 | 0  1529 / 44280 |\n"
            "| 5    310P3  | OK      | NA  43  0 / 0 |\n| 1    1 | 0000:01:00.0 | 0  1412 / 43693 |\n"
            "+======+======+======+\n",
            "",
            0,
        )
    )
    assert isinstance(table, NpuTable)
    assert [(chip.npu, chip.chip, chip.logic, chip.hbm_total_mb) for chip in table.chips] == [
        (5, 0, 0, None),
        (5, 1, 1, None),
    ]


@pytest.mark.parametrize(
    ("table", "found"),
    [(_plain(A2), True), (DUO, True), (_plain(SLOTS), False), (_plain(A2[:3]), False), (_plain(DUO), False)],
)
def test_a_table_alone_is_believed_where_the_tool_has_no_map_and_dev_bears_it_out(
    table: list[Row], found: bool
) -> None:
    rows = card_rows(_table(*table), Unread("unsupported", "no such query"), (0, 1, 2, 3))
    assert (set(rows.chips) == {0, 1, 2, 3}) is found


def test_a_map_with_tabs_between_its_columns_is_read() -> None:
    found = read_map(Answer("\tNPU ID\tChip ID\tChip Logic ID\tChip Name\n\t4\t0\t1\t910B4\n", "", 0))
    assert found == (MappedChip(4, 0, 1, None, "910B4"),)
