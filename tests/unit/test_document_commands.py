"""Commands in the documents: each block says how it is held true, and what cannot be typed is taken as it is.

What can be typed, tests/documents types.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lingctl.flows.look.explain.own_codes import code_entries
from tests import forked
from tests.documents.blocks import CHECKOUT, Block, all_blocks, blocks_of, inline_commands, pages
from tests.documents.compare import differences, renewed
from tests.documents.parsing import inline_refused, refused

BLOCKS = all_blocks()
every_page = pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(CHECKOUT)))
# What a part of a hosts.yaml is a part of.
WHOLE = {"name": "ling", "model": "Ling-lite-1.5", "nodes": [{"address": "192.0.2.11", "name": "node1"}]}


def of_kind(*kinds: str) -> list[Block]:
    return [block for block in BLOCKS if block.kind in kinds]


def test_what_says_that_it_cannot_be_typed_says_why() -> None:
    assert [block.place for block in of_kind("parsed", "file", "tested") if not block.details] == []


def test_what_is_said_to_hold_no_command_holds_none() -> None:
    wrong = [
        f"{block.place}: {line}"
        for block in of_kind("text", "hosts", "file")
        for line in block.text
        if line.startswith(("$ ", "lingctl ", "make "))
    ]
    assert wrong == []


def test_what_another_test_is_said_to_run_has_that_test() -> None:
    for block in of_kind("tested"):
        test = CHECKOUT / block.details
        assert test.is_file(), block.place
        assert block.page.name in test.read_text(encoding="utf-8"), f"{block.place}: {test} does not name it"


def test_every_command_line_of_a_block_is_one_that_lingctl_takes() -> None:
    wrong = [
        f"{block.place}: {typed.command}: {trouble}"
        for block in of_kind("run", "parsed")
        for typed in block.typed
        if (trouble := refused(typed.command))
    ]
    assert wrong == []


@every_page
def test_every_command_in_prose_is_one_that_lingctl_takes(page: Path) -> None:
    commands = inline_commands(page.read_text(encoding="utf-8"))
    assert [f"{text}: {trouble}" for text in commands if (trouble := inline_refused(text))] == []


@pytest.mark.parametrize("block", of_kind("hosts"), ids=lambda block: block.place)
def test_every_part_of_a_hosts_yaml_is_taken(block: Block, tmp_path: Path) -> None:
    part = yaml.safe_load("\n".join(block.text))
    engine = {} if "engine" in part else {"mindie": "3.0.0"}
    (tmp_path / "hosts.yaml").write_text(yaml.safe_dump({**WHOLE, **engine, **part}))
    said = forked.run("config", "check", cwd=tmp_path)
    assert wrong_but_for_files(said.stderr) == []


def wrong_but_for_files(said: str) -> list[str]:
    """Mistakes that were told; a file that a page only names may be missing."""
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    return [line for line in errors if not re.search(r"there is no file|does not exist|No such file", line)]


@pytest.mark.parametrize("page", ["docs/troubleshooting.md", "docs/zh/troubleshooting.md"])
def test_every_code_that_the_page_of_symptoms_names_is_one_that_lingctl_prints(page: str) -> None:
    cells = re.findall(r"^\| ([^|]*) \|", (CHECKOUT / page).read_text(encoding="utf-8"), re.MULTILINE)
    codes = {code for cell in cells for code in re.findall(r"`([a-z]+(?:-[a-z]+)+)`", cell)}
    assert len(codes) > 15
    assert codes - set(code_entries()) == set()


PAGE = """\
# A page

<!-- run: cluster, first -->
```console
$ lingctl status    # exit status 3
node1  running
...
$ lingctl stop
```

```
lingctl restart
```
"""


def test_a_page_is_cut_into_commands_and_what_they_print() -> None:
    marked, bare = blocks_of(CHECKOUT / "README.md", PAGE)
    assert (marked.kind, marked.where, marked.has("first")) == ("run", "cluster", True)
    assert [(typed.command.split()[1], typed.shown, typed.status) for typed in marked.typed] == [
        ("status", ("node1  running", "..."), 3),
        ("stop", (), 0),
    ]
    assert (bare.kind, [typed.command for typed in bare.typed]) == ("", ["lingctl restart"])


@pytest.mark.parametrize(
    ("line", "trouble"),
    [
        ("lingctl deploy --nodes hosts.yaml --dry-run | head    # shows", ""),
        ("for node in node1 node2; do lingctl logs --node $node; done", ""),
        ("lingctl deploy --dry", "No such option: --dry"),
        ("echo a | lingctl deploi", "no such verb: deploi"),
        ("lingctl bench --requests many", "--requests"),
        ("lingctl convert", "Missing argument"),
        ("make demo tset", "no such rule of the Makefile: tset"),
        ("lingctl status (", "syntax error"),
    ],
)
def test_a_command_line_is_taken_or_not_as_lingctl_itself_would(line: str, trouble: str) -> None:
    said = refused(line)
    assert trouble in said if trouble else not said


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("lingctl convert", ""),
        ("lingctl smoke-test --url URL [--model NAME]", ""),
        ("lingctl bench --requests N", ""),
        ("lingctl bench --requests many", "Invalid value"),
        ("lingctl render conf", "Invalid value"),
        ("lingctl logs --gerp x", "No such option"),
        ("lingctl explain CODE", ""),
    ],
)
def test_a_mention_in_prose_may_leave_out_what_a_command_needs(text: str, trouble: str) -> None:
    said = inline_refused(text)
    assert trouble in said if trouble else not said


ANSWER = "node   state    since\nnode1  running  2026-11-25 08:19:26 UTC\n2 nodes in 3.1 s\n"


@pytest.mark.parametrize(
    ("shown", "wrong"),
    [
        ([], 0),
        (["node  state  since", "node1  running  2026-01-01 00:00:00 UTC", "2 nodes in 12 s"], 0),
        (["connected", "node  state  since", "...", "2 nodes in … s"], 0),
        (["node  state  since", "..."], 0),
        (["node  state  since", "node1  stopped  2026-01-01 00:00:00 UTC", "2 nodes in 12 s"], 1),
        (["node  state  since"], 1),
        (["...", "3 nodes in 12 s"], 1),
        (["node  state", "..."], 1),
    ],
)
def test_what_a_page_shows_is_what_is_printed_but_for_what_is_another_each_time(
    shown: list[str], wrong: int
) -> None:
    assert len(differences(shown, ANSWER, "connected\n")) == wrong


def test_a_page_is_written_anew_with_its_cuts() -> None:
    assert renewed(["old", ""], "a\nb\nc\n") == ["a", "b", "c", ""]
    assert renewed(["old", "...", "end", ""], "a\nb\nc\nd\n") == ["a", "...", "d", ""]
    assert renewed(["a", "...", "b", "...", "c"], "a\nb\n") is None
