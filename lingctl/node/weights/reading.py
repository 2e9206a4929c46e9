"""Reads one set of files that may be the model, and holds it against its index and config.json."""

from __future__ import annotations

import os
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from lingctl.node.checkpoint.folder import (
    Checkpoint,
    CheckpointFiles,
    read_checkpoint,
    refuse_other,
)
from lingctl.node.checkpoint.index import INDEX, TORCH_INDEX
from lingctl.node.checkpoint.safetensors import read_header
from lingctl.node.trouble import Trouble, shown, some
from lingctl.node.weights.expected import NOT_COMPARED, ConfigFit, Held, judge
from lingctl.node.weights.judgement import WeightSet, is_adapter

# Room in memory for all tensors of a folder: 60,000 of usual names.
_MOST_HELD = 16_000_000
_EACH_HELD = 200
# Of what is more than is read here: it may be right, and nobody looked.
_NOT_LOOKED_INTO = frozenset({"beyond-limits", "pickle-too-large", "too-many-tensors"})


class Reading(NamedTuple):
    """What one set of files holds; see ``Contents``. ``unlisted``: tensors that its index does not know."""

    chosen: WeightSet
    tensors: Dict[str, Held]
    size: int
    problems: Tuple[Trouble, ...]
    unknown: Tuple[Trouble, ...]
    unlisted: Dict[str, Held]
    notes: Tuple[str, ...]
    checkpoint: Optional[Checkpoint] = None
    fit: ConfigFit = NOT_COMPARED

    @property
    def whole(self) -> bool:
        """Whether all of it could be read and nothing is wrong with it."""
        return not self.problems and not self.unknown

    @property
    def sound(self) -> bool:
        """Whether it is whole and, where that can be compared, the model of config.json."""
        return self.whole and not self.fit.missing and not self.fit.problems


def read_set(folder: str, chosen: WeightSet, config: Optional[Dict[str, object]]) -> Reading:
    """Read the files of a set. Raises OSError: a file cannot be read: that is no damage."""
    if chosen.form == "safetensors":
        reading = _Safetensors(folder, chosen).reading()
    else:
        reading = _torch(folder, chosen)
    if reading.whole and not reading.tensors:
        what = "no tensor in it" if len(chosen.files) == 1 else "no tensor in them"
        empty = Trouble(what, where=some(chosen.files), remedy="get the weights again", code="no-tensors")
        reading = reading._replace(problems=(empty,))
    # Files that could not be read leave gaps that say nothing about the model.
    if reading.whole and is_adapter(list(reading.tensors)):
        what = "holds an adapter (PEFT, LoRA), which is no model"
        remedy = "give the folder of the model; to serve both as one, merge them first (merge_and_unload)"
        reading = reading._replace(
            problems=(Trouble(what, where=some(chosen.files), remedy=remedy, code="adapter"),)
        )
    if not reading.whole:
        return reading
    fit = NOT_COMPARED if config is None else judge(config, reading.tensors)
    if _forgets(fit, config, reading):
        forgotten = Trouble(
            f"{len(reading.unlisted)} tensors are not where the index says: it does not list them",
            where=INDEX if chosen.form == "safetensors" else TORCH_INDEX,
            evidence=some(list(reading.unlisted)),
            remedy="index and files are not of one model: get both again",
            code="index-differs",
        )
        return reading._replace(problems=(forgotten,))
    return reading._replace(fit=fit)


def misfits_of(folder: str, fit: ConfigFit) -> Tuple[Trouble, ...]:
    """Why the weights are not the model that config.json describes, or are none that could be served."""
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


def _forgets(fit: ConfigFit, config: Optional[Dict[str, object]], reading: Reading) -> bool:
    """Whether the index leaves out what the model needs: as config.json has it, else by the names."""
    if config is not None and fit.compared:
        everything = {**reading.unlisted, **reading.tensors}
        return bool(reading.unlisted and fit.missing) and judge(config, everything).missing < fit.missing
    # Buffers, such as inv_freq, are left out of an index on purpose; parameters have these names.
    return any(name.endswith((".weight", ".bias")) for name in reading.unlisted)


class _Safetensors:
    """Reads a set of safetensors files and compares them with their index."""

    def __init__(self, folder: str, chosen: WeightSet) -> None:
        self._folder = folder
        self._chosen = chosen
        self._tensors: Dict[str, Held] = {}
        self._unlisted: Dict[str, Held] = {}
        self._held = 0
        self._size = 0
        self._problems, self._unknown = _parted(chosen.problems)
        self._notes: List[str] = []

    def reading(self) -> Reading:
        """Read all files of the set."""
        unread = {name for name in self._chosen.files if not self._take(name)}
        # What was not kept cannot be compared.
        if self._chosen.weight_map and self._held <= _MOST_HELD:
            self._compare(self._chosen.weight_map, unread)
        return Reading(
            self._chosen,
            self._tensors,
            self._size,
            tuple(self._problems),
            tuple(self._unknown),
            self._unlisted,
            tuple(self._notes),
        )

    def _take(self, name: str) -> bool:
        """Add the tensors of one file; false when it cannot be read as what it should be."""
        path = os.path.join(self._folder, name)
        try:
            refuse_other(path)
            entries = read_header(path)[0]
        except Trouble as trouble:
            (self._unknown if trouble.code in _NOT_LOOKED_INTO else self._problems).append(trouble)
            return False
        twice = [entry.name for entry in entries if entry.name in self._tensors]
        if twice:
            self._problems.append(
                Trouble(
                    f"{len(twice)} tensors are in two files",
                    where=name,
                    evidence=f"{shown(twice[0])} is in {self._tensors[twice[0]].file} too",
                    remedy="remove the file that is not of this model",
                    code="tensor-twice",
                )
            )
        for entry in entries:
            self._tensors.setdefault(entry.name, Held(name, entry.dtype, entry.shape))
            self._held += _EACH_HELD + len(entry.name)
            self._size += entry.end - entry.start
        if self._held > _MOST_HELD:
            self._tensors.clear()
            what = "more tensors than a model has: not compared"
            self._unknown.append(Trouble(what, where=self._folder, code="beyond-limits"))
            return False
        return True

    def _compare(self, weight_map: Mapping[str, str], unread: Set[str]) -> None:
        there = set(self._chosen.files) - unread
        lost = [name for name, file in weight_map.items() if file in there and name not in self._tensors]
        if lost:
            self._differs(f"{len(lost)} tensors of the index are in no file", some(lost))
        astray = [
            f"{name} ({held.file}, not {weight_map[name]})"
            for name, held in self._tensors.items()
            if name in weight_map and weight_map[name] != held.file
        ]
        if astray:
            self._differs(f"{len(astray)} tensors are not where the index says", some(astray))
        self._unlisted = {name: held for name, held in self._tensors.items() if name not in weight_map}
        for name in self._unlisted:
            del self._tensors[name]
        if self._unlisted:
            self._notes.append(_unlisted_note(INDEX, self._unlisted))
        said = self._chosen.total_size
        if said is not None and said != self._size and not self._problems and not self._unlisted:
            # Loaders ignore it, and published files have it wrong at times.
            self._notes.append(f"{INDEX} gives a total_size of {said}, the tensors have {self._size} bytes")

    def _differs(self, what: str, evidence: str) -> None:
        remedy = "download index and files again"
        self._problems.append(
            Trouble(what, where=INDEX, evidence=evidence, remedy=remedy, code="index-differs")
        )


def _unlisted_note(index: str, unlisted: Mapping[str, Held]) -> str:
    names = some([f"{name} ({held.file})" for name, held in unlisted.items()])
    return f"left out: {len(unlisted)} tensors that {index} does not list for their file: {names}"


def _parted(troubles: Sequence[Trouble]) -> Tuple[List[Trouble], List[Trouble]]:
    """What is wrong, and what is not known."""
    unknown = [trouble for trouble in troubles if trouble.code in _NOT_LOOKED_INTO]
    return [trouble for trouble in troubles if trouble not in unknown], unknown


def _torch(folder: str, chosen: WeightSet) -> Reading:
    """Reads a set of files that torch saved; more than its index lists is no part of it."""
    size = _bytes(folder, chosen.files)
    troubles: Tuple[Trouble, ...] = chosen.problems
    if not troubles:
        try:
            checkpoint = read_checkpoint(CheckpointFiles(folder, chosen.files, dict(chosen.weight_map)))
        except Trouble as trouble:
            troubles = (trouble,)
    if troubles:
        problems, unknown = _parted(troubles)
        return Reading(chosen, {}, size, tuple(problems), tuple(unknown), {}, ())
    tensors: Dict[str, Held] = {}
    for file in checkpoint.files:
        for name, tensor in file.tensors.items():
            held = Held(os.path.basename(file.path), str(tensor.dtype.safetensors), tensor.header_shape)
            tensors[name] = held
    unlisted = {one.name: Held(one.file, one.dtype, one.shape) for one in checkpoint.unlisted}
    notes = [_unlisted_note(TORCH_INDEX, unlisted)] if unlisted else []
    return Reading(chosen, tensors, size, (), (), unlisted, tuple(notes), checkpoint)


def _bytes(folder: str, names: Sequence[str]) -> int:
    paths = (os.path.join(folder, name) for name in names)
    return sum(os.path.getsize(path) for path in paths if os.path.isfile(path))
