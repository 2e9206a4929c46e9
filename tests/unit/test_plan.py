"""Plans as data: the differences of many nodes, each once."""

from __future__ import annotations

from lingctl.findings import in_short
from lingctl.plan import Difference, differences_of


def shown(difference: Difference) -> list[object]:
    """Its lines; one that nodes have for themselves with their names."""
    return [line[0][0] if len(line) == 1 else dict(line) for line in difference.lines]


def test_the_same_difference_of_many_nodes_is_one_with_their_names():
    found = [(f"node{number}", "write x", "-a\n+b") for number in range(64)]
    (only,) = differences_of(found)
    assert only.nodes == tuple(node for node, _, _ in found) and shown(only) == ["-a", "+b"]


def test_what_nodes_have_for_themselves_is_told_line_by_line():
    texts = {node: f"@@\n+# on {node}\n+same\n+same" for node in ("a", "b", "c")}
    texts["d"] = texts["c"]
    (only,) = differences_of((node, "write x", text) for node, text in texts.items())
    own = {"+# on a": ("a",), "+# on b": ("b",), "+# on c": ("c", "d")}
    assert only.nodes == ("a", "b", "c", "d")
    assert shown(only) == ["@@", own, "+same", "+same"]


def test_differences_of_another_file_length_sign_or_of_mostly_other_lines_stay_apart():
    first = ("a", "write x", "@@\n+one\n+two\n+three")
    others = (
        ("b", "write y", first[2]),
        ("b", "write x", "@@\n+one\n+two"),
        ("b", "write x", "@@\n+one\n-two\n+three"),
        ("b", "write x", "@@\n+1\n+2\n+3"),
    )
    for other in others:
        assert len(differences_of((first, other))) == 2
    of_files = [one.title for one in differences_of((first, others[0], ("c", "write x", "+other")))]
    assert of_files == ["write x", "write x", "write y"]
    assert differences_of([("a", "write x", "")]) == ()


def test_nodes_in_short():
    assert in_short(["a", "b", "c"]) == "a, b, c"
    assert in_short([f"n{number}" for number in range(64)], 64) == "all 64 nodes"
    assert in_short([f"n{number}" for number in range(64)]) == "n0, n1 ... (64 nodes)"
    assert in_short([f"n{number}" for number in range(63)], 64) == "n0, n1 ... (63 nodes)"
    long = [f"production-ascend-rack07-{number}" for number in range(2)]
    assert in_short(long) == "production-ascend-rack07-0 ... (2 nodes)"
