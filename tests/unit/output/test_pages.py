"""The page of check-network: whole, harmless whatever was found, and never over a file that is not ours."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lingctl.ascend.unread import Unread
from lingctl.errors import UsageError
from lingctl.findings import Finding, Verdict
from lingctl.flows.network.check import NetworkReport
from lingctl.flows.run.page_file import check_page, write_page
from lingctl.output.pages.network import PageHead, network_page
from lingctl.output.pages.sheet import safe
from lingctl.output.verbs.network import network_rows
from tests.unit.checks.test_mesh import _hits
from tests.unit.checks.world import World
from tests.unit.output.test_acceptance import EVIL, Tags


def report(text: str) -> NetworkReport:
    world = World.healthy(3)
    facts = {
        name: replace(seen, hostname=text, driver=Unread("not-understood", text, text))
        for name, seen in world.facts.items()
    }
    found = Finding("link", Verdict.FAILURE, text, "node2", 1, evidence=text, remedy=text)
    hits = tuple(_hits(world, {("node2", 1)}))
    return NetworkReport(world.scope, facts, (*world.judged(), found), hits)


def page(text: str = "fine") -> str:
    found = report(text)
    return network_page(found, PageHead(text, f"lingctl {text}", "now", "1.2.3"), *network_rows(found))


@pytest.mark.parametrize("text", ["fine", EVIL])
def test_a_page_nests_loads_nothing_and_runs_nothing(text: str):
    made = page(text)
    tags = Tags()
    tags.feed(made)
    assert not tags.open
    assert not tags.seen & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"(src|href)=|url\(|@import", made)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", made)
    assert made.count(safe(text)) > 8


def test_a_page_has_findings_with_remedies_mesh_facts_versions_time_and_command():
    made = page("look at the cable")
    for part in ("node2 card 1", "look at the cable", "6/8", "10.1.2.2", "400GE1/2/1:1", "1.2.3", "now"):
        assert part in made
    assert "not known: look at the cable" in made  # a driver that could not be read
    assert (
        made.count("&rarr; node2/") == 2 and made.count("&rarr; node1/") == 1
    )  # the pairs that are not whole


def test_a_node_that_was_not_asked_is_not_known_on_its_page():
    found = report("fine")
    facts = {name: seen for name, seen in found.facts.items() if name != "node3"}
    made = network_page(replace(found, facts=facts), PageHead("x", "x", "x", "x"), *network_rows(found))
    assert "node3: nothing is known of its cards" in made


def test_a_page_is_written_over_an_earlier_one_of_ours_alone(tmp_path: Path):
    path = tmp_path / "network.html"
    check_page(path, "--html", over="check-network")
    write_page(path, "--html", page())
    check_page(path, "--html", over="check-network")
    for other in (page().replace("lingctl check-network", "lingctl accept"), "<html>mine</html>"):
        path.write_text(other)
        with pytest.raises(UsageError) as refused:
            check_page(path, "--html", over="check-network")
        assert refused.value.code == "file-exists"
    check_page(path, "--html")
    assert path.read_text() == "<html>mine</html>"


def test_a_page_that_cannot_be_written_is_told(tmp_path: Path):
    folder = tmp_path / "folder.html"
    folder.mkdir()
    with pytest.raises(UsageError) as refused:
        write_page(folder, "--html", "text")
    assert refused.value.code == "output"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        (".", "--html page.html"),
        ("/", "--html /page.html"),
        ("..", "--html ../page.html"),
        ("my report", "--html 'my report.html'"),
        ("no such/folder/x.html", "mkdir -p 'no such/folder'"),
    ],
)
def test_the_remedy_for_a_page_that_cannot_be_can_be_pasted(given: str, remedy: str):
    with pytest.raises(UsageError) as raised:
        check_page(Path(given), "--html")
    assert raised.value.remedy == remedy
