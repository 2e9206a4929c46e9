"""What a folder holds: read as far as judging it needs, and judged. Quick: no tensor is read."""

from __future__ import annotations

import os
from typing import Dict, List, NamedTuple, Optional, Tuple

from lingctl.node.checkpoint.folder import Checkpoint
from lingctl.node.checkpoint.index import INDEX, TORCH_INDEX, IndexFile, read_index
from lingctl.node.checkpoint.safetensors import read_header
from lingctl.node.files import kind_of
from lingctl.node.trouble import Trouble, shown
from lingctl.node.weights.expected import NOT_COMPARED, ConfigFit, Held
from lingctl.node.weights.judgement import (
    NO_FILE,
    Aside,
    FolderEvidence,
    WeightSet,
    aside_notes,
    companions_that_are_none,
    is_adapter,
    left_aside,
    no_weights,
    sets_of,
)
from lingctl.node.weights.model_config import read_config
from lingctl.node.weights.present import look_at
from lingctl.node.weights.reading import Reading, read_set


class Contents(NamedTuple):
    """What is in a folder."""

    form: str  # ``safetensors``, ``bin`` (PyTorch checkpoint) or ``none``
    files: Tuple[str, ...]  # names of the files of weights
    tensors: Dict[str, Held]  # by name
    size: int  # bytes of all tensors
    problems: Tuple[Trouble, ...]  # why the weights are not whole; empty when they are
    # tokenizer, configuration or code that is something else than its name says
    companions: Tuple[Trouble, ...] = ()
    unknown: Tuple[Trouble, ...] = ()  # what could not be looked into; neither whole nor damaged
    # what comparing with config.json gave; not compared where there are problems
    fit: ConfigFit = NOT_COMPARED
    aside: Tuple[Aside, ...] = ()  # names of weights that are not taken, with the reason
    notes: Tuple[str, ...] = ()  # what is odd but harmless
    checkpoint: Optional[Checkpoint] = None  # what was read of a PyTorch checkpoint that has no problems


def contents_of(folder: str) -> Contents:
    """Look at ``folder``. Damage is told in ``problems``, not raised.

    Raises:
        OSError: a file or the folder cannot be read at all: that is no absence.
    """
    kind = kind_of(folder)
    if kind != "folder":
        missing = Trouble(
            "no such folder" if kind == "absent" else "is no folder",
            where=folder,
            remedy="give the folder of the weights",
            code="no-weights",
            exit_status=2,
        )
        return Contents("none", (), {}, 0, (missing,))
    evidence = _evidence(folder)
    config, _ = read_config(folder)
    sets = sets_of(evidence)
    readings: List[Reading] = []
    for one in sets:
        readings.append(read_set(folder, one, config))
        if readings[-1].sound:
            break
    return _judged(folder, evidence, sets, readings)


def misfits(folder: str, contents: Contents) -> Tuple[Trouble, ...]:
    """Why the weights are not the model that config.json describes, or are none that could be served."""
    fit = contents.fit
    found: List[Trouble] = []
    if fit.missing:
        names = ", ".join(fit.missing_names)
        more = fit.missing - len(fit.missing_names)
        found.append(
            Trouble(
                f"{fit.missing} tensors are missing that config.json calls for",
                where=folder,
                evidence=f"{names} and {more} more" if more else names,
                remedy="config.json and weights are not of one model, or a file of the weights is missing",
                code="tensors-missing",
            )
        )
    remedy = "take config.json and weights from one place, as they were published"
    found += [Trouble(text, where=folder, remedy=remedy, code="config-differs") for text in fit.problems]
    return tuple(found)


def _evidence(folder: str) -> FolderEvidence:
    indexes: Dict[str, IndexFile] = {}
    broken: Dict[str, Trouble] = {}
    seen = look_at(folder)
    for name in (INDEX, TORCH_INDEX):
        if any(one.name == name and one.kind != "absent" for one in seen):
            try:
                indexes[name] = read_index(os.path.join(folder, name))
            except Trouble as trouble:
                broken[name] = trouble
    evidence = FolderEvidence(seen, indexes, broken)
    return evidence._replace(adapters=tuple(name for name in evidence.unlisted if _is_adapter(folder, name)))


def _is_adapter(folder: str, name: str) -> bool:
    try:
        return is_adapter(_names_of(folder, name))
    except Trouble:
        return False


def _names_of(folder: str, name: str) -> List[str]:
    return [entry.name for entry in read_header(os.path.join(folder, name))[0]]


def _judged(
    folder: str, evidence: FolderEvidence, sets: Tuple[WeightSet, ...], readings: List[Reading]
) -> Contents:
    """The reading that is sound, else one that is whole, else the likeliest."""
    companions = companions_that_are_none(evidence.seen)
    if not readings:
        aside = left_aside(evidence, None, ())
        nothing = Contents("none", (), {}, 0, (no_weights(evidence, folder),), companions)
        return nothing._replace(aside=aside, notes=tuple(aside_notes(aside)))
    whole = [reading for reading in readings if reading.whole]
    sound = [reading for reading in whole if reading.sound]
    taken = (sound or whole or readings)[0]
    aside = left_aside(evidence, taken.chosen, [one for one in sets if one is not taken.chosen])
    notes = [*taken.notes, *aside_notes(aside)]
    for reading in readings:
        if reading is not taken and reading.problems:
            notes.append(f"not taken: {reading.problems[0]}")
    problems: List[Trouble] = list(taken.problems)
    if taken.chosen.form == "safetensors" and not problems:
        problems += _in_the_way(folder, evidence, taken)
    return Contents(
        form=taken.chosen.form,
        files=taken.chosen.files,
        tensors=taken.tensors,
        size=taken.size,
        problems=tuple(problems),
        companions=companions,
        unknown=taken.unknown,
        fit=taken.fit,
        aside=aside,
        notes=tuple(notes),
        checkpoint=taken.checkpoint,
    )


def _in_the_way(folder: str, evidence: FolderEvidence, taken: Reading) -> List[Trouble]:
    """Files beside the weights that MindIE ends at: it opens every ``*.safetensors`` but hidden ones.

    Source: atb_llm/utils/hub.py and weights.py of MindIE-LLM 3.0.0.
    """
    found: List[Trouble] = []
    for one in evidence.seen:
        name = one.name
        if not name.endswith(".safetensors") or name.startswith(".") or name in taken.chosen.files:
            continue
        what, line = "", ""
        try:
            if one.kind != "file":
                raise Trouble(NO_FILE[one.kind], where=name)
            twice = [tensor for tensor in _names_of(folder, name) if tensor in taken.tensors]
        except Trouble as trouble:
            what, line, twice = "is none of these weights and cannot be read", str(trouble), []
        if twice:
            what = f"{len(twice)} tensors are in two files"
            line = f"{shown(twice[0])} is in {taken.tensors[twice[0]].file} too"
        if what:
            found.append(
                Trouble(
                    what,
                    where=name,
                    evidence=line,
                    remedy="move it to another folder: MindIE opens every *.safetensors here and ends at it",
                    code="tensor-twice" if twice else "weights-in-the-way",
                )
            )
    return found
