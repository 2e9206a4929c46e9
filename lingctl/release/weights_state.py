"""What the node program says of a weights folder (``weights inspect``), and when it does not say it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lingctl.node.weights.expected import Shapes
from lingctl.program.answers import Said, read_answers, read_result
from lingctl.remote.probe import Answer


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


_ODD = "the node's description of it is not understood"
NOT_LOOKED = WeightsUnknown("it was not looked at")


def each_weights(answer: Answer | None, names: Sequence[str]) -> dict[str, WeightsState | WeightsUnknown]:
    """What is in each folder, by name, as an answer for several in that order says (``weights inspect``).

    Of a folder that it does not tell of, its end is told: its time limit, or what kept the program from it.
    """
    if answer is None:
        return dict.fromkeys(names, NOT_LOOKED)
    found: dict[int, Said] = {}

    def hear(said: Said) -> None:
        if said["event"] == "folder" and isinstance(said.get("number"), int):
            found[said["number"]] = said.get("answer") or {}

    trouble = read_answers(answer.stdout, hear).trouble
    end = first_line(replace(answer, stdout=""))
    kept_from = WeightsUnknown(end if answer.timed_out else _said(trouble) or end)
    return {
        name: _understood(found[number]) if number in found else kept_from
        for number, name in enumerate(names)
    }


def _understood(said: object) -> WeightsState | WeightsUnknown:
    if isinstance(said, Mapping) and said.get("event") != "result":
        return WeightsUnknown(_said(said) or _ODD)
    return weights_state(said) if isinstance(said, Mapping) else WeightsUnknown(_ODD)


def _said(trouble: Said | None) -> str:
    words = [str((trouble or {}).get(part) or "") for part in ("where", "what")]
    return ": ".join(word for word in words if word)


def weights_state(result: Mapping[str, Any]) -> WeightsState | WeightsUnknown:
    """A WeightsState from the node program's result document; every key must be there, in its form."""
    try:
        return read_result(WeightsState, result)
    except ValueError:
        return WeightsUnknown(_ODD)


def first_line(answer: Answer) -> str:
    """The first thing that a command said, for an error."""
    if answer.timed_out:
        return "no answer in time"
    said = (answer.stderr.strip() or answer.stdout.strip()).splitlines()
    return said[0] if said else f"exit status {answer.exit_status}"
