"""What an acceptance taught: without names, bounded, and made into samples that tests read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lingctl.errors import ConfigurationError
from lingctl.findings import Finding, Verdict
from lingctl.flows.accept import lessons as lessons_module
from lingctl.flows.accept.heard import strange_lines
from lingctl.flows.accept.heard_text import HeardText, beginning, form_of, skeleton
from lingctl.flows.accept.lessons import (
    CONSOLE,
    differences,
    emulated,
    forms_of,
    lessons_of,
    read_lessons,
    write_lessons,
    write_samples,
)
from lingctl.flows.accept.open_questions import ClusterKind, answers_to, open_questions
from lingctl.flows.accept.parts import PARTS
from lingctl.flows.accept.protocol import AcceptancePart, Judged, PartResult, run_part
from lingctl.mindie.logs.log_reader import MINDIE_LOGS
from lingctl.release.evidence.anonymous import Anonymous
from tests.unit.flows.test_accept import HOSTS, cluster, given

KIND = ClusterKind("MindIE 1.0.0", "Ling-lite", 1, 16, privileged=False)


def result(
    name: str, *heard: HeardText, verdict: Verdict = Verdict.PASS, message: str = "fine"
) -> PartResult:
    judged = Judged("fine", (Finding(name, verdict, message),), {"seconds": 3}, heard)
    return run_part(AcceptancePart(name, "x", lambda _: judged), given(), {})


def test_what_was_not_understood_is_kept_without_names_and_once():
    answer = HeardText("answer", "card:tls", "10.9.8.7 of 192.0.2.11, SN: AB1234", 1, "not-understood")
    lessons = lessons_of(cluster(), KIND, {"network": result("network", answer, answer)}, ())
    (text,) = lessons["texts"]
    assert "10.9.8.7" not in json.dumps(lessons)
    assert "AB1234" not in json.dumps(lessons)
    assert (text["kind"], text["what"], text["status"]) == ("answer", "card:tls", 1)


def test_a_name_that_ends_in_a_number_is_in_no_sentence_either():
    named = HOSTS.replace("address", "name: icbc-gpu-07, address")
    said = "icbc-gpu-07 does not reach db7.icbc.local (28:de:e5:aa:bb:cc), SN: 21023DXW10P80, of /data/icbc7"
    results = {part.name: result(part.name, message=said, verdict=Verdict.WARNING) for part in PARTS}
    lessons = lessons_of(cluster(named), KIND, results, ())
    text = json.dumps(lessons)
    assert lessons["differs_from_emulated"]
    assert any(answer["figures"].get("findings") for answer in lessons["answers"])
    assert not [one for one in ("icbc", "gpu", "aa:bb", "DXW") if one in text]


def test_a_name_that_one_text_tells_for_one_is_in_no_other_either():
    told = HeardText("line", "console", "error: hostname=icbc-x9, USER=zhangsan, /home/lisi4/x: failed")
    bare = HeardText("line", "console", "error: ICBC-X9 was lost, said zhangsan to lisi4")
    results = {"network": result("network", told, message="icbc-x9 does not answer")}
    for lines in ([bare, told], [bare]):
        text = json.dumps(lessons_of(cluster(), KIND, results, lines)).lower()
        assert not [one for one in ("icbc", "zhangsan", "lisi") if one in text]


def test_what_is_said_of_emulated_clusters_is_of_forms_that_are_still_made():
    for part, said in emulated().items():
        forms = said if part == CONSOLE else [form_of(one) for one in said]
        assert sorted(forms) == sorted(said)
        assert part == CONSOLE or all(one.partition(": ")[0].endswith((" pass", " note")) for one in said)
    here = result("memory", message="12 % in use on each of 8 cards")
    assert not list(differences({"smoke": replace(here, sentences=forms_of(here.sentences, Anonymous()))}))


def test_the_file_is_small_whatever_was_said():
    texts = [HeardText("line", "console", f"{number} " + "x" * 4000) for number in range(120)]
    lessons = lessons_of(cluster(), KIND, {"smoke": result("smoke")}, texts)
    assert len(json.dumps(lessons)) < 300_000
    assert lessons["texts_left_out"] == 120 - len(lessons["texts"])


def test_what_could_not_be_judged_answers_no_question_and_another_cluster_answers_others():
    results = {part.name: result(part.name) for part in PARTS}
    numbers = {one["number"] for one in answers_to(KIND, results)}
    assert {1, 2, 4, 7, 12} <= numbers
    assert not {3, 8, 11, 17, 25} & numbers, "of another model, several nodes, another engine"
    results["smoke"] = result("smoke", verdict=Verdict.UNKNOWN)
    assert 1 not in {one["number"] for one in answers_to(KIND, results)}


def test_every_question_names_a_part_or_says_what_would_answer_it():
    names = {part.name for part in PARTS}
    numbers = [one.number for one in open_questions()]
    assert numbers == sorted(set(numbers))
    for one in open_questions():
        assert (one.part in names) != bool(one.how), one.number
        assert one.source


def test_every_figure_of_an_answer_is_one_that_a_part_gives():
    room = Path(lessons_module.__file__).parent
    source = "".join(path.read_text(encoding="utf-8") for path in room.glob("*.py"))
    figures = {figure for one in open_questions() for figure in one.figures}
    assert {one for one in figures - {"seconds", "findings"} if f'"{one}":' not in source} == set()


def test_lines_that_nothing_explains_are_kept_one_of_a_form():
    lines = [
        "2026-11-28 [INFO] loaded",
        "2026-11-28 [ERROR] the frobnicator 7 failed",
        "2026-11-28 [ERROR] the frobnicator 8 failed",
        "EI0006: wait socket establish timeout, role[0] rank[0] timeout[120 s] failed",
    ]
    assert [text.said for text in strange_lines(lines, MINDIE_LOGS)] == [lines[1]]


def test_a_long_text_is_cut_between_words_where_half_a_token_would_not_be_known():
    long = "x " * 1985 + "error: hf_abcdefghijklmnopqrstuvwxyz0123456789 failed"
    (text,) = strange_lines([long], MINDIE_LOGS)
    assert text.said.endswith("error:")
    assert beginning("x" * 5000) == ""
    assert beginning("x\n" * 10) == "x\n" * 10


def test_a_sentence_without_its_numbers_is_the_same_on_another_machine():
    assert skeleton("'bailing_moe' answered in 0.25 s") == skeleton("'x' answered in 12 s")
    assert skeleton("free: 1025, 1026 at 10.0.0.1") == skeleton("free: 7 at 10.0.0.2:80")
    assert skeleton("files 0d1be2e94f…") == skeleton("files cbff1fa77a…")
    assert skeleton("refused with 422") != skeleton("refused with 400")


def test_samples_are_named_by_content_and_never_written_over(tmp_path):
    lessons = lessons_of(cluster(), KIND, {"n": result("n", HeardText("answer", "card:tls", "odd", 0))}, ())
    write_lessons(tmp_path, lessons)
    (path,) = write_samples(read_lessons(tmp_path), tmp_path / "to")
    path.write_text(path.read_text().replace('"read"', '"unread"'))
    assert write_samples(read_lessons(tmp_path / "lessons.json"), tmp_path / "to") == [path]
    assert json.loads(path.read_text())["expected"] == "unread"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"document": "lessons"}', '{"document": "lessons", "texts": [{"a": 1}]}', "null"],
)
def test_what_is_no_file_of_lessons_is_refused(tmp_path, text):
    (tmp_path / "lessons.json").write_text(text)
    with pytest.raises(ConfigurationError):
        read_lessons(tmp_path)
    with pytest.raises(ConfigurationError):
        read_lessons(tmp_path / "none")
