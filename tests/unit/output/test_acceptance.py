"""The page of an acceptance: whole, in both languages, and harmless whatever was found."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from lingctl.flows.accept.parts import PARTS
from lingctl.output.acceptance.page import acceptance_page
from lingctl.output.pages.wording import wording

EVIL = '</pre><script>alert(1)</script>\x1b]0;x\x07\u202e"&'


def report(text: str = "fine") -> dict:
    finding = {
        "check": "link",
        "verdict": "failure",
        "message": text,
        "node": "node1",
        "device": 3,
        "evidence": text,
        "remedy": text,
    }
    part = {"verdict": "failure", "what": text, "command": "lingctl x", "begun": "t", "seconds": 61.0}
    data = {
        "network": {"nodes": ["node1", "node2"], "matrix": [["node1", "-", "63/64"], ["node2", text, "-"]]},
        "versions": {"nodes": {"node1": {"driver": "24.1", "image": "sha256:" + "a" * 64}, text: {}}},
        "weights": {"nodes": {"node1": {"digest": "b" * 64}}},
        "load": {
            "trials": [
                {
                    "concurrency": n,
                    "output_tokens_per_second": 1.0,
                    "ttft_p90_ms": 2.0,
                    "tpot_p90_ms": 3.0,
                    "broken": "",
                }
                for n in (1, 2)
            ]
        },
        "soak": {"windows": [{"at": n, "tpot_p50_ms": 1.0, "output_tokens_per_second": 2.0} for n in (1, 2)]},
        "smoke": {"prompt": text, "answer": text},
    }
    twin = {**finding, "device": 4}
    return {
        "cluster": text,
        "model": "Ling-plus",
        "engine": "MindIE 3.0.0",
        "world_size": 16,
        "begun": "t",
        "ended": "t",
        "by": "me@here",
        "lingctl": "0",
        "configuration": "c",
        "verdict": "failure",
        "parts": [
            {**part, "name": one.name, "findings": [finding, twin], "data": data.get(one.name, {})}
            for one in PARTS
        ],
        "not_tested": [{"what": "soak", "why": text}, {"what": text, "why": text}],
    }


class Tags(HTMLParser):
    """Every tag that was opened and closed, and whether they nest."""

    void = frozenset({"meta", "br", "line", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("text", ["fine", EVIL])
def test_a_page_nests_loads_nothing_and_runs_nothing(language, text):
    page = acceptance_page(report(text), language)
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    assert not tags.seen & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"(src|href)=|url\(|@import", page)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)
    assert wording(language, "shared")["verdict.failure"] in page
    assert "63/64" in page


def test_what_is_said_of_several_cards_is_told_once():
    page = acceptance_page(report("the link is down"))
    assert page.count("node1 cards 3-4") == len(PARTS)


def test_both_languages_have_every_word_and_every_part():
    english, chinese = (wording(language, "shared", "acceptance") for language in ("en", "zh"))
    assert english.keys() == chinese.keys() and all(english.values()) and all(chinese.values())
    assert {f"part.{part.name}" for part in PARTS} <= english.keys()
