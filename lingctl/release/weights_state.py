"""What the node program says of a weights folder (``weights inspect``), and when it does not say it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lingctl.node.weights.expected import Shapes
from lingctl.program.answers import Said, read_answers, read_result
from lingctl.remote.probe import Answer, Answers


@dataclass(frozen=True, slots=True)
class WeightsState:
    """A weights folder as the node program describes it; see ``node.weights.inspect``."""

    form: Literal["safetensors", "bin", "none"]
    complete: bool
    problem: str
    modes_wrong: tuple[str, ...]
    config: Mapping[str, Any] | None
    config_text: str
    generation_config: Mapping[str, Any] | None
    has_backup: bool
    shapes: Shapes
    digest: str
    contradictions: tuple[str, ...]
    in_the_way: tuple[str, ...]

    @property
    def qkv_rows(self) -> int | None:
        """Rows of layer 0's query_key_value weight."""
        return self.shapes.query_key_value[0] if self.shapes.query_key_value else None

    @property
    def dense_columns(self) -> int | None:
        """Columns of layer 0's dense weight."""
        return self.shapes.dense[1] if self.shapes.dense else None


@dataclass(frozen=True, slots=True)
class WeightsUnknown:
    """What is in a weights folder is not known: neither absent nor incomplete."""

    why: str  # in words


NOT_LOOKED = WeightsUnknown("it was not looked at")


def read_weights(answers: Answers, name: str) -> WeightsState | WeightsUnknown:
    """What the answer of that name says of its folder."""
    answer = answers.get(name)
    if answer is None:
        return NOT_LOOKED
    if answer.timed_out:
        return WeightsUnknown(first_line(answer))
    told = read_answers(answer.stdout)
    if told.result is not None:
        return weights_state(told.result)
    said = [str(told.last.get(part) or "") for part in ("where", "what")]
    return WeightsUnknown(": ".join(part for part in said if part) or first_line(answer))


def each_weights(answer: Answer, names: Sequence[str]) -> dict[str, Answer]:
    """The answer for each folder, by name, of one for several folders in that order (``weights inspect``).

    A folder that it does not tell of has the answer's end: its time limit, or what kept the program from it.
    """
    found: dict[int, Said] = {}

    def hear(said: Said) -> None:
        if said["event"] == "folder" and isinstance(said.get("number"), int):
            found[said["number"]] = said.get("answer") or {}

    told = read_answers(answer.stdout, hear)
    rest = replace(answer, stdout=json.dumps(told.trouble) if told.trouble else "")
    return {
        name: Answer(json.dumps(found[number]), "", 0) if number in found else rest
        for number, name in enumerate(names)
    }


def weights_state(result: Mapping[str, Any]) -> WeightsState | WeightsUnknown:
    """A WeightsState from the node program's result document; every key must be there, in its form."""
    try:
        return read_result(WeightsState, result)
    except ValueError:
        return WeightsUnknown("the node's description of it is not understood")


def first_line(answer: Answer) -> str:
    """The first thing that a command said, for an error."""
    if answer.timed_out:
        return "no answer in time"
    said = (answer.stderr.strip() or answer.stdout.strip()).splitlines()
    return said[0] if said else f"exit status {answer.exit_status}"
