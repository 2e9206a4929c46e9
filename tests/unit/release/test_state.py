"""What the answers of a node say, and when they do not say it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from lingctl.errors import ConfigurationError, NodeError, WeightsError
from lingctl.release.site import site_of
from lingctl.release.state import NodeState, read_state, state_questions
from lingctl.release.weights_state import WeightsUnknown, each_weights
from lingctl.release.weights_steps import weights_plan
from lingctl.remote.command import command
from lingctl.remote.probe import Answer, Answers
from tests.unit.release.conftest import cluster_of

PATH = "/var/lib/lingctl/ling/release/config.json"
INSPECTED = [
    {"State": {"Status": "running"}, "Config": {"Labels": {"lingctl.spec": "abc"}, "Image": "mindie:1"}}
]
GOOD = {
    f"file:{PATH}": Answer("640 0\n{}", "", 0),
    "runtime": Answer("24.0.7\n", "", 0),
    "image": Answer("sha256:1\n", "", 0),
    "container": Answer(json.dumps(INSPECTED), "", 0),
    "daemon": Answer("alive 42\nd1g35t\n", "", 0),
    "overlay-names": Answer("__init__.py\nrouter.py\n", "", 0),
    "releases": Answer("20260101-000000-aaaa.d1.json\n", "", 0),
    "journal": Answer("", "", 0),
}


def read(complete: bool = True, **changed: Answer):
    names = {name.replace("_", "-"): answer for name, answer in changed.items()}
    return read_state("node1", Answers({**GOOD, **names}, complete), [PATH])


def test_what_a_node_tells():
    state = read()
    assert (state.files[PATH].mode, state.files[PATH].content) == (0o640, b"{}")
    assert state.container is not None and (state.container.status, state.container.spec) == (
        "running",
        "abc",
    )
    assert (state.daemon_pid, state.started) == (42, "d1g35t")
    assert state.image_present and not state.runtime_problem
    assert state.overlay_names == ("__init__.py", "router.py")


def test_what_is_not_there_is_absent():
    state = read(
        container=Answer("[]\n", "Error: No such object: lingctl-ling\n", 1),
        daemon=Answer("dead\n\n", "", 0),
        image=Answer("", "Error: No such image: mindie:1", 1),
        **{f"file:{PATH}": Answer("absent\n", "", 0)},
    )
    assert (state.container, state.daemon_pid, state.started, state.image_present) == (None, None, "", False)
    assert state.files == {}


@pytest.mark.parametrize("name", ["container", "daemon", "releases", f"file:{PATH}"])
def test_what_does_not_answer_is_not_taken_for_absent(name: str):
    with pytest.raises(NodeError) as caught:
        read(**{name: Answer("", "", 124)})
    assert (caught.value.code, caught.value.where) == ("probe-timeout", "node1")
    assert name in caught.value.evidence


def test_an_odd_answer_of_docker_is_not_taken_for_absent():
    with pytest.raises(NodeError) as caught:
        read(container=Answer("", "Error response from daemon: layer store is locked", 1))
    assert caught.value.code == "container-unreadable"
    with pytest.raises(NodeError):
        read(container=Answer("not json", "", 0))


def test_docker_that_is_down_is_told_as_such():
    down = Answer("", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", 1)
    state = read(runtime=down, container=down, image=down, daemon=Answer("dead\n\n", "", 0))
    assert "Cannot connect" in state.runtime_problem
    hung = Answer("", "", 124)
    assert read(runtime=hung, container=hung, image=hung).runtime_problem == "no answer in time"


def test_a_probe_that_was_cut_short_says_nothing():
    with pytest.raises(NodeError) as caught:
        read(complete=False)
    assert caught.value.code == "probe-incomplete"


def test_an_answer_that_did_not_come_is_not_taken_for_absent():
    few = {name: answer for name, answer in GOOD.items() if name != "releases"}
    with pytest.raises(NodeError) as caught:
        read_state("node1", Answers(few, True), [PATH])
    assert (caught.value.code, caught.value.evidence) == ("probe-incomplete", "no answer: releases")


def test_a_file_that_cannot_be_read_is_not_taken_for_absent():
    with pytest.raises(NodeError) as caught:
        read(**{f"file:{PATH}": Answer("640 0\n", f"cat: {PATH}: Input/output error\n", 1)})
    assert caught.value.code == "file-unreadable" and "Input/output error" in caught.value.evidence


def test_a_container_that_is_not_ours_has_no_specification():
    foreign = [replace_labels(INSPECTED[0])]
    state = read(container=Answer(json.dumps(foreign), "", 0))
    assert state.container is not None and state.container.spec == ""
    assert replace(state, node="x").container == state.container


def replace_labels(described: dict) -> dict:
    return {**described, "Config": {**described["Config"], "Labels": None}}


INSPECT = {
    "event": "result",
    "form": "none",
    "complete": False,
    "problem": "no such folder",
    "modes_wrong": [],
    "config": None,
    "config_text": "",
    "has_backup": False,
    "shapes": {"query_key_value": None, "dense": None},
    "digest": "",
    "contradictions": [],
    "in_the_way": [],
    "generation_config": None,
}


def _weights_answers(answer: Answer) -> NodeState:
    """The state where the node's answer to each folder is this one, or there is none but it."""
    try:
        told = [{"event": "folder", "number": n, "answer": json.loads(answer.stdout)} for n in range(2)]
        answer = replace(answer, stdout="".join(f"{json.dumps(one)}\n" for one in told))
    except ValueError:
        pass
    return replace(read(), **each_weights(answer, ["downloaded", "converted"]))


@pytest.mark.parametrize(
    "answer",
    [
        Answer("", "", 124),
        Answer("", "Traceback: MemoryError\n", 1),
        Answer("", "", 0),
        Answer('{"event": "error", "what": "the disk cannot read or write this", "where": "/m"}\n', "", 1),
        Answer(json.dumps({**INSPECT, "form": "tape"}) + "\n", "", 0),
        *(
            Answer(json.dumps({key: value for key, value in INSPECT.items() if key != lost}) + "\n", "", 0)
            for lost in INSPECT
            if lost != "event"
        ),
        *(Answer(json.dumps(INSPECT)[:at], "", 0) for at in range(0, len(json.dumps(INSPECT)), 9)),
    ],
)
def test_weights_that_could_not_be_looked_at_are_never_downloaded(answer: Answer) -> None:
    state = _weights_answers(answer)
    assert isinstance(state.downloaded, WeightsUnknown) and state.downloaded.why
    with pytest.raises(WeightsError) as caught:
        weights_plan(cluster_of("node1"), state, lambda *words: command("python3", *words))
    assert caught.value.code == "weights-unknown"
    assert caught.value.evidence and "node1" in caught.value.where


def test_weights_that_nobody_looked_at_are_never_downloaded() -> None:
    with pytest.raises(WeightsError):
        weights_plan(cluster_of("node1"), read(), lambda *words: command("python3", *words))


def test_nothing_is_begun_while_mindie_would_end_at_a_file_beside_the_weights() -> None:
    line = "adapter_model.safetensors: holds 2 tensors that are none of the model's"
    found = {**INSPECT, "form": "safetensors", "complete": True, "config": {}, "in_the_way": [line]}
    state = _weights_answers(Answer(json.dumps(found) + "\n", "", 0))
    with pytest.raises(WeightsError) as caught:
        weights_plan(cluster_of("node1"), state, lambda *words: command("python3", *words))
    assert (caught.value.code, caught.value.evidence) == ("weights-in-the-way", line)
    assert "move them" in caught.value.remedy


def test_weights_that_are_not_there_are_downloaded() -> None:
    state = _weights_answers(Answer(json.dumps(INSPECT) + "\n", "", 0))
    plan = weights_plan(cluster_of("node1"), state, lambda *words: command("python3", *words))
    assert [step.title for step in plan.steps] == ["download inclusionAI/Ling-lite"]


def test_default_sampling_parameters_that_end_the_start_are_told_before_it() -> None:
    model = {
        "architectures": ["BailingMoeForCausalLM"],
        "model_type": "bailing_moe",
        "hidden_size": 2048,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
    }
    there = {**INSPECT, "form": "safetensors", "complete": True, "problem": "", "config": model}
    for defaults, refused in (({"top_k": 20}, False), ({"top_k": "20"}, True), (None, False)):
        answer = Answer(json.dumps({**there, "generation_config": defaults}) + "\n", "", 0)
        cluster, state = cluster_of("node1"), _weights_answers(answer)
        if not refused:
            assert weights_plan(cluster, state, lambda *words: command("python3", *words)).settled
            continue
        with pytest.raises(ConfigurationError) as caught:
            weights_plan(cluster, state, lambda *words: command("python3", *words))
        assert caught.value.where == f"node1: {cluster.converted_weights}/generation_config.json"
        assert (caught.value.code, 'top_k is "20"' in caught.value.evidence) == ("number-as-text", True)


@pytest.mark.parametrize("name", ["overlay-names", "releases", "journal"])
def test_a_listing_that_failed_is_not_empty(name: str) -> None:
    with pytest.raises(NodeError) as caught:
        read(**{name: Answer("", "ls: cannot access: Input/output error\n", 1)})
    assert caught.value.code == "state-unreadable" and "Input/output" in caught.value.evidence


def test_names_with_blanks_are_one_name_each() -> None:
    state = read(
        **{
            "overlay-names": Answer("a b\n__init__.py\n", "", 0),
            "releases": Answer("kept by hand.json\n", "", 0),
        }
    )
    assert state.overlay_names == ("a b", "__init__.py")
    assert state.releases == ("kept by hand.json",)


def test_an_image_that_the_runtime_does_not_tell_of_is_not_absent() -> None:
    with pytest.raises(NodeError) as caught:
        read(image=Answer("", "Error response from daemon: layer store is locked\n", 1))
    assert caught.value.code == "image-unreadable"
    assert not read(image=Answer("", "Error: mindie:1: image not known\n", 125)).image_present


def _asked(name: str, path: Path) -> subprocess.CompletedProcess[str]:
    asked = state_questions(site_of(cluster_of("node1")), "mindie:1", [str(path)], "/secret")
    text = next(question.command.text for question in asked if question.id == name)
    return subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False)


def test_a_file_behind_something_that_is_no_folder_is_absent_and_a_loop_of_links_is_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("x")
    path = tmp_path / "file/below"
    assert _asked(f"file:{path}", path).stdout == "absent\n"
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    seen = _asked(f"file:{loop}", loop)
    assert seen.returncode != 0 and "absent" not in seen.stdout


def test_a_folder_that_did_not_answer_is_unknown_and_the_others_are_what_they_told():
    """As where the disk of one folder hangs, and the program is ended for it."""
    told = {"event": "folder", "number": 1, "answer": {"event": "error", "what": "no disk", "where": "/b"}}
    said = Answer(json.dumps(told) + "\n", "", 124)
    each = each_weights(said, ["a", "b"])
    assert each["a"] == WeightsUnknown("no answer in time")
    assert each["b"] == WeightsUnknown("/b: no disk")


@pytest.mark.parametrize("number", ["1", None, 7, [], True])
def test_an_answer_for_no_folder_that_was_asked_is_nobody_s(number: object):
    told = {"event": "folder", "number": number, "answer": []}
    each = each_weights(Answer(json.dumps(told), "python: no", 1), ["a"])
    assert each["a"] == WeightsUnknown("python: no")


def test_what_kept_the_program_from_answering_is_told_of_every_folder():
    trouble = Answer(json.dumps({"event": "error", "what": "no such option", "where": ""}), "", 2)
    each = each_weights(trouble, ["a", "b"])
    assert set(each.values()) == {WeightsUnknown("no such option")}
