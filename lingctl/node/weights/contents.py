"""What a folder holds: read as far as judging it needs, and judged. Quick: no tensor is read."""

from __future__ import annotations

import os
from typing import Dict, List, Tuple

from lingctl.node.checkpoint.index import INDEX, TORCH_INDEX, IndexFile, read_index
from lingctl.node.checkpoint.safetensors import read_header
from lingctl.node.folders import need_folder
from lingctl.node.trouble import Trouble, shown, some
from lingctl.node.weights.expected import is_buffer
from lingctl.node.weights.judgement import (
    NO_FILE,
    FolderEvidence,
    WeightSet,
    companions_that_are_none,
    is_adapter,
    left_aside,
    no_weights,
    sets_of,
)
from lingctl.node.weights.model_config import read_config
from lingctl.node.weights.present import Present, look_at
from lingctl.node.weights.reading import Contents, misfits, read_set


def contents_of(folder: str) -> Contents:
    """Look at ``folder``. Damage is told in ``problems``, not raised.

    Raises:
        OSError: a file or the folder cannot be read at all: that is no absence.
    """
    try:
        need_folder(folder)
    except Trouble as missing:
        return Contents("none", troubles=(missing,))
    evidence = _evidence(folder)
    config, _ = read_config(folder)
    sets = sets_of(evidence)
    readings: List[Contents] = []
    for one in sets:
        readings.append(read_set(folder, one, config))
        if readings[-1].sound:
            break
    return _judged(folder, evidence, sets, readings)


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
    folder: str, evidence: FolderEvidence, sets: Tuple[WeightSet, ...], readings: List[Contents]
) -> Contents:
    """The reading that is sound, else one that is whole, else the likeliest."""
    companions = companions_that_are_none(evidence.seen)
    if not readings:
        troubles, notes = (no_weights(evidence, folder),), left_aside(evidence, None, ())
        return Contents("none", troubles=troubles, companions=companions, notes=tuple(notes))
    whole = [reading for reading in readings if not reading.troubles]
    sound = [reading for reading in whole if reading.sound]
    taken = (sound or whole or readings)[0]
    chosen = next(one for one, reading in zip(sets, readings) if reading is taken)
    notes = left_aside(evidence, chosen, [one for one in sets if one is not chosen])
    for reading in readings:
        if reading is not taken:
            why = (*reading.problems, *reading.unknown, *misfits(folder, reading))
            names = some(reading.files) or (why[0].where if why else "")
            notes += [f"not taken: {names}: {why[0].what}"] if why else []
    return taken._replace(
        troubles=(*taken.problems, *taken.unknown),
        notes=(*taken.notes, *notes),
        in_the_way=_in_the_way(folder, evidence, taken),
        companions=companions,
    )


def _in_the_way(folder: str, evidence: FolderEvidence, taken: Contents) -> Tuple[Trouble, ...]:
    """Files beside the weights that MindIE ends at: it opens every ``*.safetensors`` but hidden ones, and our
    overlay refuses tensors that it would leave out.

    Source: atb_llm/utils/hub.py and weights.py of MindIE-LLM 3.0.0.
    """
    if taken.form != "safetensors" or taken.troubles:
        return ()
    found: List[Trouble] = []
    for one in evidence.seen:
        if not one.name.endswith(".safetensors") or one.name.startswith(".") or one.name in taken.files:
            continue
        what = _why_in_the_way(folder, one, taken)
        if what:
            remedy = "move it to another folder: MindIE opens every *.safetensors here and ends at it"
            found.append(Trouble(what, where=one.name, remedy=remedy, code="weights-in-the-way"))
    return tuple(found)


def _why_in_the_way(folder: str, one: Present, taken: Contents) -> str:
    """What is wrong with a file beside the weights; empty where it does no harm."""
    if one.kind != "file":
        return NO_FILE[one.kind]
    try:
        tensors = _names_of(folder, one.name)
    except Trouble as trouble:
        return f"cannot be read: {trouble.what}"
    twice = [name for name in tensors if name in taken.tensors]
    if twice:
        return f"holds {len(twice)} tensors that the weights have too, such as {shown(twice[0])}"
    others = [name for name in tensors if not is_buffer(name)]
    if taken.fit.compared and others:
        return f"holds {len(others)} tensors that are none of the model's, such as {shown(others[0])}"
    return ""
