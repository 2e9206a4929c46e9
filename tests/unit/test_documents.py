"""What the documents say of the tree is there: files, links, rooms."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.documents.blocks import KINDS, all_blocks

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for path in (*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md"))
    if path.name != "mindie-rules.md"  # it names files of MindIE's own source
)
# `remote/putting.py` is meant below lingctl/; these are the first folders of what stands in the checkout.
TOPS = (
    "lingctl/",
    "tests/",
    "docs/",
    "templates/",
    "examples/",
    "atb_patches/",
    "benchmarks/",
    "demo/",
    ".ci/",
)
PRODUCT = CHECKOUT / "lingctl"

every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))


def named_paths(text: str) -> set[str]:
    """Paths in the text: of Python files wherever they are, and of all below a folder of the checkout."""
    words = re.findall(r"(?<![\w/.<-])\.?\w[\w./-]*/[\w./-]*(?![\w<*{-])", text)
    return {word.rstrip(".") for word in words if word.rstrip(".").endswith(".py") or word.startswith(TOPS)}


@every_document
def test_every_file_that_a_document_names_is_there(path: Path):
    text = re.sub(r"\]\([^)]*\)|https?://\S+", "", path.read_text(encoding="utf-8"))
    missing = [
        name for name in named_paths(text) if not any((root / name).exists() for root in (CHECKOUT, PRODUCT))
    ]
    assert not missing


@every_document
def test_every_link_between_documents_leads_somewhere(path: Path):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert not [link for link in links if not (path.parent / link).exists()]


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub and `make site` make them."""
    text = re.sub(r"^( *)```.*?^\1```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title) for title in titles]
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in plain}


@every_document
def test_every_anchor_that_a_link_names_is_a_heading_of_that_page(path: Path):
    links = re.findall(r"\]\(([^):#]*)#([^)]+)\)", path.read_text(encoding="utf-8"))
    wrong = [
        f"{page}#{anchor}"
        for page, anchor in links
        if (path.parent / page).suffix == ".md" or not page
        if anchor not in anchors(path.parent / page if page else path)
    ]
    assert not wrong


def test_every_fenced_block_says_how_it_is_held_true():
    """tests/documents/blocks.py tells the marks; one of them stands above each."""
    assert [block.place for block in all_blocks() if block.kind not in KINDS] == []


def test_a_path_in_prose_is_seen():
    text = "see `remote/ssh.py`, tests/unit, (`docs/a.md`). Not `/var/lib/x.py`, `out/node1`, `tests/<room>`"
    assert named_paths(text) == {"remote/ssh.py", "tests/unit", "docs/a.md"}


ARCHITECTURE = (CHECKOUT / "docs/architecture.md").read_text(encoding="utf-8")


def rooms_of_the_table() -> list[str]:
    rows = re.findall(r"^\| (`[^|]*`) \|", ARCHITECTURE.split("## Rooms")[1].split("\n## ")[0], re.MULTILINE)
    return [name.rstrip("/") for row in rows for name in re.findall(r"`([a-z_/]+)`", row)]


def test_the_table_of_rooms_holds_all_of_them():
    folders = {path.parent.relative_to(PRODUCT).as_posix() for path in PRODUCT.glob("*/__init__.py")}
    folders |= {path.parent.relative_to(PRODUCT).as_posix() for path in PRODUCT.glob("flows/*/__init__.py")}
    modules = {path.stem for path in PRODUCT.glob("[a-z]*.py")}
    assert set(rooms_of_the_table()) == folders | modules


def test_the_table_of_rooms_has_the_order_of_the_import_contract():
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    contracts = {one["name"]: one for one in settings["tool"]["importlinter"]["contracts"]}
    layers = contracts["Rooms point down only"]["layers"]
    floor = {
        room.strip().removeprefix("lingctl."): number
        for number, layer in enumerate(layers)
        for room in re.split("[|:]", layer)
    }
    floors = [floor[room] for room in rooms_of_the_table() if room in floor]
    assert floors == sorted(floors)
    assert set(floor) <= set(rooms_of_the_table())
