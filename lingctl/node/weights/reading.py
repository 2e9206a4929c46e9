"""Reads one set of files that may be the model, and holds it against its index and config.json."""

from __future__ import annotations

import os
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from lingctl.node.checkpoint.folder import Checkpoint, read_checkpoint, refuse_other
from lingctl.node.checkpoint.index import INDEX, TORCH_INDEX
from lingctl.node.checkpoint.record import Held
from lingctl.node.checkpoint.safetensors import read_header
from lingctl.node.trouble import Trouble, shown, some
from lingctl.node.weights.expected import NOT_COMPARED, ConfigFit, judge
from lingctl.node.weights.judgement import WeightSet, is_adapter

# Room in memory for all tensors of a folder: 60,000 of usual names.
_MOST_HELD = 16_000_000
_EACH_HELD = 200
# Of what is more than is read here: it may be right, and nobody looked.
_NOT_LOOKED_INTO = frozenset({"beyond-limits", "pickle-too-large", "too-many-tensors"})

_BOTH_AGAIN = "download index and files again"


class Contents(NamedTuple):
    """What is in a folder, or one set of its files that may be the model."""

    form: str  # ``safetensors``, ``bin`` (PyTorch checkpoint) or ``none``
    files: Tuple[str, ...] = ()  # names of the files of weights
    tensors: Mapping[str, Held] = {}  # by name
    size: int = 0  # bytes of all tensors
    # why the weights are not whole, or nobody knows whether they are; empty when they are
    troubles: Tuple[Trouble, ...] = ()
    unlisted: Mapping[str, Held] = {}  # tensors that the index does not know
    notes: Tuple[str, ...] = ()  # what is odd but harmless
    checkpoint: Optional[Checkpoint] = None  # what was read of a PyTorch checkpoint that has no problems
    # what comparing with config.json gave; not compared where there are troubles
    fit: ConfigFit = NOT_COMPARED
    # files beside the weights that MindIE ends at; the weights themselves may be sound
    in_the_way: Tuple[Trouble, ...] = ()
    # tokenizer, configuration or code that is something else than its name says
    companions: Tuple[Trouble, ...] = ()

    @property
    def problems(self) -> Tuple[Trouble, ...]:
        """What is wrong with the weights."""
        return tuple(trouble for trouble in self.troubles if trouble.code not in _NOT_LOOKED_INTO)

    @property
    def unknown(self) -> Tuple[Trouble, ...]:
        """What could not be looked into; neither whole nor damaged."""
        return tuple(trouble for trouble in self.troubles if trouble.code in _NOT_LOOKED_INTO)

    @property
    def sound(self) -> bool:
        """Whether it is whole and, where that can be compared, the model of config.json."""
        return not self.troubles and not self.fit.missing and not self.fit.problems


def read_set(folder: str, chosen: WeightSet, config: Optional[Dict[str, object]]) -> Contents:
    """Read the files of a set. Raises OSError: a file cannot be read: that is no damage."""
    found = _safetensors(folder, chosen) if chosen.form == "safetensors" else _torch(folder, chosen)
    # Files that could not be read leave gaps that say nothing about the model.
    if found.troubles:
        return found
    where = some(chosen.files)
    if not found.tensors:
        what = "no tensor in it" if len(chosen.files) == 1 else "no tensor in them"
        return _with(found, Trouble(what, where=where, remedy="get the weights again", code="no-tensors"))
    if is_adapter(list(found.tensors)):
        what = "holds an adapter (PEFT, LoRA), which is no model"
        remedy = "give the folder of the model; to serve both as one, merge them first (merge_and_unload)"
        return _with(found, Trouble(what, where=where, remedy=remedy, code="adapter"))
    fit = NOT_COMPARED if config is None else judge(config, found.tensors)
    if _forgets(fit, config, found):
        what = f"{len(found.unlisted)} tensors are not where the index says: it does not list them"
        remedy = "index and files are not of one model: get both again"
        return _with(found, _index_differs(chosen.index_name, what, list(found.unlisted), remedy))
    return found._replace(fit=fit)


def _with(found: Contents, *troubles: Trouble) -> Contents:
    return found._replace(troubles=(*found.troubles, *troubles))


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


def _forgets(fit: ConfigFit, config: Optional[Dict[str, object]], found: Contents) -> bool:
    """Whether the index leaves out what the model needs: as config.json has it, else by the names."""
    if config is not None and fit.compared:
        everything = {**found.unlisted, **found.tensors}
        return bool(found.unlisted and fit.missing) and judge(config, everything).missing < fit.missing
    # Buffers, such as inv_freq, are left out of an index on purpose; parameters have these names.
    return any(name.endswith((".weight", ".bias")) for name in found.unlisted)


def _safetensors(folder: str, chosen: WeightSet) -> Contents:
    """Reads a set of safetensors files, and compares them with their index."""
    troubles = list(chosen.problems)
    tensors: Dict[str, Held] = {}
    read: Set[str] = set()
    held = size = 0
    for name in chosen.files:
        path = os.path.join(folder, name)
        try:
            refuse_other(path)
            entries = read_header(path)[0]
        except Trouble as trouble:
            troubles.append(trouble)
            continue
        twice = [entry.name for entry in entries if entry.name in tensors]
        if twice:
            troubles.append(
                Trouble(
                    f"{len(twice)} tensors are in two files",
                    where=name,
                    evidence=f"{shown(twice[0])} is in {tensors[twice[0]].file} too",
                    remedy="remove the file that is not of this model",
                    code="tensor-twice",
                )
            )
        for entry in entries:
            tensors.setdefault(entry.name, Held(name, entry.dtype, entry.shape))
            held += _EACH_HELD + len(entry.name)
            size += entry.end - entry.start
        read.add(name)
        if held > _MOST_HELD:
            tensors.clear()
    found = Contents("safetensors", chosen.files, tensors, size, tuple(troubles))
    if held > _MOST_HELD:
        # What was not kept cannot be compared.
        what = "more tensors than a model has: not compared"
        return _with(found, Trouble(what, where=folder, code="beyond-limits"))
    return _compared(found, chosen, read) if chosen.weight_map else found


def _compared(found: Contents, chosen: WeightSet, read: Set[str]) -> Contents:
    """What was found of files of safetensors, held against their index; ``read``: those that could be."""
    weight_map = chosen.weight_map
    lost = [name for name, file in weight_map.items() if file in read and name not in found.tensors]
    if lost:
        what = f"{len(lost)} tensors of the index are in no file"
        found = _with(found, _index_differs(INDEX, what, lost, _BOTH_AGAIN))
    astray = [
        f"{name} ({held.file}, not {weight_map[name]})"
        for name, held in found.tensors.items()
        if name in weight_map and weight_map[name] != held.file
    ]
    if astray:
        what = f"{len(astray)} tensors are not where the index says"
        found = _with(found, _index_differs(INDEX, what, astray, _BOTH_AGAIN))
    unlisted = {name: held for name, held in found.tensors.items() if name not in weight_map}
    listed = {name: held for name, held in found.tensors.items() if name in weight_map}
    notes = _unlisted_note(INDEX, unlisted)
    said = chosen.total_size
    if said is not None and said != found.size and not found.problems and not unlisted:
        # Loaders ignore it, and published files have it wrong at times.
        notes = (f"{INDEX} gives a total_size of {said}, the tensors have {found.size} bytes",)
    return found._replace(tensors=listed, unlisted=unlisted, notes=notes)


def _index_differs(index: str, what: str, names: Sequence[str], remedy: str) -> Trouble:
    return Trouble(what, where=index, evidence=some(names), remedy=remedy, code="index-differs")


def _unlisted_note(index: str, unlisted: Mapping[str, Held]) -> Tuple[str, ...]:
    names = some([f"{name} ({held.file})" for name, held in unlisted.items()])
    note = f"left out: {len(unlisted)} tensors that {index} does not list for their file: {names}"
    return (note,) if unlisted else ()


def _torch(folder: str, chosen: WeightSet) -> Contents:
    """Reads a set of files that torch saved; more than its index lists is no part of it."""
    paths = [os.path.join(folder, name) for name in chosen.files]
    size = sum(os.path.getsize(path) for path in paths if os.path.isfile(path))
    found = Contents("bin", chosen.files, size=size, troubles=chosen.problems)
    if found.troubles:
        return found
    try:
        checkpoint = read_checkpoint(folder, chosen.files, chosen.weight_map)
    except Trouble as trouble:
        return _with(found, trouble)
    return found._replace(
        tensors={name: held for file in checkpoint.files for name, held in file.held().items()},
        unlisted=checkpoint.unlisted,
        notes=_unlisted_note(TORCH_INDEX, checkpoint.unlisted),
        checkpoint=checkpoint,
    )
