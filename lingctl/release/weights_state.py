"""What the node program says of a weights folder (``weights inspect``), and when it does not say it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lingctl.program.answers import read_answers
from lingctl.remote.probe import Answer, Answers


@dataclass(frozen=True, slots=True)
class WeightsState:
    """A weights folder as the node program describes it (``weights inspect``)."""

    form: str
    complete: bool
    problem: str = ""
    modes_wrong: tuple[str, ...] = ()
    config: Mapping[str, Any] | None = None
    config_text: str = ""
    has_backup: bool = False
    qkv_rows: int | None = None
    dense_columns: int | None = None
    digest: str = ""
    contradictions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WeightsUnknown:
    """What is in a weights folder is not known: neither absent nor incomplete.

    Attributes:
        why: in words.
    """

    why: str


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
        form, complete, modes_wrong = result["form"], result["complete"], result["modes_wrong"]
        config, shapes = result["config"], result["shapes"]
        if (
            form not in ("safetensors", "bin", "none")
            or not isinstance(complete, bool)
            or not isinstance(modes_wrong, list)
            or not isinstance(config, dict | None)
        ):
            return WeightsUnknown("the node's description of it is not understood")
        qkv, dense = shapes["query_key_value"], shapes["dense"]
        return WeightsState(
            form=form,
            complete=complete,
            problem=str(result["problem"]),
            modes_wrong=tuple(modes_wrong),
            config=config,
            config_text=str(result["config_text"]),
            has_backup=bool(result["has_backup"]),
            qkv_rows=int(qkv[0]) if qkv else None,
            dense_columns=int(dense[1]) if dense else None,
            digest=str(result["digest"]),
            contradictions=tuple(map(str, result["contradictions"])),
        )
    except (LookupError, TypeError, ValueError):
        return WeightsUnknown("the node's description of it is not understood")


def first_line(answer: Answer) -> str:
    """The first thing that a command said, for an error."""
    if answer.timed_out:
        return "no answer in time"
    said = (answer.stderr.strip() or answer.stdout.strip()).splitlines()
    return said[0] if said else f"exit status {answer.exit_status}"
