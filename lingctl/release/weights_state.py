"""What the node program says of a weights folder (``weights inspect``), and when it does not say it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lingctl.node.weights.expected import Shapes
from lingctl.program.answers import read_answers, read_result
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
