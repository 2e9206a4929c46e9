"""The node program that answers a batch without a service, with a stand-in for vLLM's classes."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lingctl.node.offline.folder import AnswerFile
from lingctl.node.trouble import Trouble
from lingctl.program import pack

# What of vLLM is used, as 0.32 has it: its parser, its arguments, LLM, SamplingParams, its errors.
STAND_IN = """
import argparse, json, os, sys
from types import SimpleNamespace as Some

class SamplingParams:
    def __init__(self, **given):
        if (given.get("temperature") or 0) < 0:
            raise VLLMClientError("temperature must be non-negative")
        self.__dict__.update({"temperature": 0.7, "top_p": 0.8, "top_k": 0, "min_p": 0.0,
                              "repetition_penalty": 1.05, "max_tokens": 16, **given})

class VLLMClientError(Exception):
    pass

class LLM:
    def __init__(self, **given):
        note("start", given)
        if given["model"] == "broken":
            raise RuntimeError("Engine core initialization failed")
    def get_default_sampling_params(self):
        return SamplingParams()
    def chat(self, messages, params, use_tqdm):
        return self._answer([one[-1]["content"] for one in messages], params)
    def generate(self, prompts, params, use_tqdm):
        return self._answer(prompts, params)
    def _answer(self, texts, params):
        note("asked", texts)
        note("params", [p.__dict__ for p in params])
        if any(text == "too long" for text in texts):
            raise ValueError("longer than the maximum model length")
        if any(text == "kills" for text in texts):
            raise RuntimeError("EngineDeadError")
        def output(text):
            told = Some(index=0, text="on " + text, finish_reason="stop", token_ids=[1, 2, 3])
            return Some(prompt_token_ids=[1, 2], outputs=[told])
        return [output(text) for text in texts]

def note(kind, what):
    with open(os.environ["NOTES"], "a") as file:
        file.write(json.dumps([kind, what]) + "\\n")
"""
ARGUMENTS = """
class EngineArgs:
    def __init__(self, model, max_model_len): self.model, self.max_model_len = model, max_model_len
    @staticmethod
    def add_cli_args(parser):
        parser.add_argument("--model")
        parser.add_argument("--max-model-len", type=int)
        return parser
    @classmethod
    def from_cli_args(cls, args): return cls(args.model, args.max_model_len)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A container's Python with the stand-in, our program, and an empty folder of a batch."""
    package = tmp_path / "site" / "vllm"
    for name, text in {
        "__init__.py": STAND_IN,
        "engine/__init__.py": "",
        "engine/arg_utils.py": ARGUMENTS,
        "utils/__init__.py": "",
        "utils/argparse_utils.py": "from argparse import ArgumentParser as FlexibleArgumentParser\n",
        "exceptions.py": "from vllm import VLLMClientError\n",
    }.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "node.pyz").write_bytes(pack.build())
    (tmp_path / "batch").mkdir()
    return tmp_path


def send(place: Path, *texts: str, parts: int = 1, **body: object) -> None:
    lines = [
        json.dumps(
            {
                "number": number,
                "custom_id": f"id-{number}",
                "id": f"batch_req_{number}",
                "url": "/v1/completions" if text.startswith("base") else "/v1/chat/completions",
                "body": {
                    **({"prompt": text} if text.startswith("base") else {}),
                    **({} if text.startswith("base") else {"messages": [{"role": "user", "content": text}]}),
                    **({"temperature": -3} if text == "cold" else {}),
                    **body,
                },
            }
        )
        for number, text in enumerate(texts)
    ]
    for part in range(parts):
        mine = lines[part::parts] if parts > 1 else lines
        (place / "batch" / f"requests-{part:05d}.jsonl").write_text("".join(f"{line}\n" for line in mine))
    (place / "batch" / "asked.json").write_text(json.dumps({"parts": parts, "requests": len(texts)}))


def run(place: Path, *words: str, model: str = "/models/Ling_lite") -> tuple[int, list[dict]]:
    folder, answers = place / "batch", place / "answers.jsonl"
    command = [
        sys.executable,
        place / "node.pyz",
        "offline",
        "--folder",
        folder,
        "--answers",
        answers,
        *words,
    ]
    done = subprocess.run(
        [*command, "--model-name", "ling", "--", "--model", model, "--max-model-len", "512"],
        env={**os.environ, "PYTHONPATH": str(place / "site"), "NOTES": str(place / "notes")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def noted(place: Path, kind: str) -> list:
    lines = (place / "notes").read_text().splitlines() if (place / "notes").exists() else []
    return [what for found, what in map(json.loads, lines) if found == kind]


def answers(events: list[dict]) -> dict[int, int]:
    return {event["number"]: event["status"] for event in events if event["event"] == "answer"}


def test_every_request_is_answered_in_openais_form(place: Path):
    send(place, "one", "two", "base three", parts=2, max_tokens=7)
    status, events = run(place)
    assert status == 0 and events[-1] == {"event": "result", "requests": 3}
    assert answers(events) == {0: 200, 1: 200, 2: 200}
    by_number = {event["number"]: event for event in events if event["event"] == "answer"}
    chat, text = by_number[1], by_number[2]
    assert chat["custom_id"] == "id-1" and chat["id"] == "batch_req_1"
    message = {"role": "assistant", "content": "on two"}
    assert chat["body"]["choices"][0]["message"] == message
    assert chat["body"]["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    assert text["body"]["choices"][0]["text"] == "on base three"
    assert (chat["body"]["object"], text["body"]["object"]) == ("chat.completion", "text_completion")
    assert noted(place, "start") == [{"model": "/models/Ling_lite", "max_model_len": 512}]


def test_what_a_request_leaves_open_is_the_models_own_and_as_long_as_the_window_allows(place: Path):
    send(place, "one", temperature=0, stop=["x"])
    run(place)
    (params,) = noted(place, "params")[0]
    assert params["temperature"] == 0 and params["stop"] == ["x"] and params["max_tokens"] is None
    assert (params["top_p"], params["repetition_penalty"]) == (0.8, 1.05)


def test_one_that_is_refused_takes_no_other_with_it(place: Path):
    send(place, *["good"] * 20, "too long", *["good"] * 20, "cold", *["good"] * 20)
    status, events = run(place)
    assert status == 0
    found = answers(events)
    assert {number for number, said in found.items() if said == 400} == {20, 41} and len(found) == 62
    # By halves: not one call for each request.
    assert len(noted(place, "asked")) < 30


def test_fewer_than_one_request_at_a_time_is_one_and_no_end_without_answers(place: Path):
    send(place, "one", "two")
    for number, chunk in enumerate(("0", "-1")):
        (place / "answers.jsonl").unlink(missing_ok=True)
        status, events = run(place, "--chunk", chunk)
        assert status == 0 and answers(events) == {0: 200, 1: 200}
        assert noted(place, "asked")[2 * number :] == [["one"], ["two"]]


def test_what_was_answered_before_is_told_again_and_not_asked_again(place: Path):
    send(place, "one", "two", "kills", "four")
    status, events = run(place, "--chunk", "1")
    assert status == 1 and events[-1]["event"] == "error" and events[-1]["code"] == "offline-died"
    assert answers(events) == {0: 200, 1: 200}
    kept = place / "answers.jsonl"
    with kept.open("ab") as torn:
        torn.write(b'{"number": 2, "custom_id": "id-2", "id": "batch_')
    before = len(noted(place, "asked"))
    for part in (place / "batch").glob("requests-*"):
        part.write_text(part.read_text().replace("kills", "three"))
    status, events = run(place, "--chunk", "1")
    assert status == 0 and answers(events) == {0: 200, 1: 200, 2: 200, 3: 200}
    assert noted(place, "asked")[before:] == [["three"], ["four"]]
    # All is there: the engine is not even started.
    started = len(noted(place, "start"))
    status, events = run(place)
    assert status == 0 and len(answers(events)) == 4 and len(noted(place, "start")) == started


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda place: (place / "batch" / "asked.json").unlink(), "offline-requests"),
        (lambda place: (place / "batch" / "asked.json").write_text("[]"), "offline-requests"),
        (lambda place: (place / "batch" / "requests-00000.jsonl").unlink(), "offline-requests"),
        (lambda place: (place / "batch" / "requests-00000.jsonl").write_text("{"), "offline-requests"),
        (
            lambda place: (place / "site" / "vllm" / "__init__.py").write_text("import nothing_such"),
            "offline-no-vllm",
        ),
    ],
)
def test_what_is_not_as_it_should_be_is_told(place: Path, spoil, code: str):
    send(place, "one")
    spoil(place)
    status, events = run(place)
    assert status == 1 and events[-1]["event"] == "error" and events[-1]["code"] == code


def test_an_engine_that_does_not_start_says_so(place: Path):
    send(place, "one")
    _, events = run(place, model="broken")
    assert events[-1]["code"] == "offline-start" and "initialization failed" in events[-1]["evidence"]


def test_answers_are_written_through_no_link(tmp_path: Path):
    (tmp_path / "elsewhere").write_text("kept\n")
    (tmp_path / "answers").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Trouble) as caught:
        AnswerFile(str(tmp_path / "answers"))
    assert caught.value.code == "write-failed" and "ls -ld" in caught.value.remedy
    assert (tmp_path / "elsewhere").read_text() == "kept\n"


@pytest.mark.parametrize("name", ["asked.json", "requests-00000.jsonl"])
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(name: str, tmp_path: Path):
    (tmp_path / "asked.json").write_text('{"parts": 1, "requests": 1}')
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    look = f"""
from lingctl.node.offline.folder import read_asked, requests
from lingctl.node.trouble import Trouble
try:
    list(requests({str(tmp_path)!r}, read_asked({str(tmp_path)!r})[0]))
except Trouble as trouble:
    print(trouble.code, trouble.where)
"""
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=20)
    assert done.stdout.split() == ["no-regular-file", str(tmp_path / name)]


def test_a_disk_without_locks_is_not_taken_for_a_batch_that_is_being_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(file: object, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert AnswerFile(str(tmp_path / "answers")).numbers == set()
