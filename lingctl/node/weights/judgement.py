"""What a folder of weights holds, decided by evidence: names, first bytes, indexes and headers. Pure.

Everything that asks what a folder is (convert, verify, what a deploy and a download look at) asks here.
"""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from lingctl.node.checkpoint.identify import APPLE_DOUBLE, POINTER, other_than_text
from lingctl.node.checkpoint.index import INDEX, TORCH_INDEX, IndexFile
from lingctl.node.checkpoint.safetensors import RECEIPT
from lingctl.node.trouble import Trouble, some
from lingctl.node.weights.names import ADAPTER, COMPANION, TEXTS, WEIGHTS, reason_aside
from lingctl.node.weights.present import Present

SINGLE_SAFETENSORS = "model.safetensors"
SINGLE_TORCH = "pytorch_model.bin"
_INDEXES = {"safetensors": INDEX, "bin": TORCH_INDEX}
_OF_MANY = re.compile(r"-of-0*(\d{1,9})\.(?:safetensors|bin)$")
_LORA = re.compile(
    r"(?:^|[._])lora_(?:[AB]|embedding_[AB]|magnitude_vector|up|down|linear_layer)(?:[._]|$)"
    r"|\.lora\.|^lora_|^base_model\.model\."
)

# What a name is that is no file.
NO_FILE = {
    "folder": "is a folder, no file",
    "absent": "is a link that leads nowhere",
    "other": "is no regular file: a pipe or a device",
}


class FolderEvidence(NamedTuple):
    """What is known of a folder before its weights are read."""

    seen: Tuple[Present, ...]  # its names
    indexes: Mapping[str, IndexFile]  # those that could be read, by name
    broken: Mapping[str, Trouble]  # why the others could not be
    adapters: Tuple[str, ...] = ()  # files of safetensors that are one by the names of their tensors

    @property
    def listed(self) -> Set[str]:
        """Names that an index lists."""
        return {file for index in self.indexes.values() for file in index.weight_map.values()}

    @property
    def unlisted(self) -> Tuple[str, ...]:
        """Files of safetensors that a loader would open although no index lists them."""
        listed, aside = self.listed, names_aside(self)
        return tuple(
            one.name
            for one in self.seen
            if one.name.endswith(".safetensors")
            and one.kind == "file"
            and one.name not in listed
            and one.name not in aside
        )


class WeightSet(NamedTuple):
    """Files that may be the model, together."""

    form: str  # ``safetensors`` or ``bin``
    files: Tuple[str, ...]  # their names
    weight_map: Mapping[str, str] = {}  # what the index says; empty without one
    problems: Tuple[Trouble, ...] = ()  # what is wrong before a file is read
    total_size: Optional[int] = None  # as the index has it

    @property
    def index_name(self) -> str:
        """Name of the index that files of this form have."""
        return _INDEXES[self.form]


def names_aside(evidence: FolderEvidence) -> Dict[str, str]:
    """Names that are none of the weights, with the reason; what an index lists is never among them."""
    found: Dict[str, str] = {}
    listed = evidence.listed
    for one in evidence.seen:
        if one.name in listed:
            continue
        reason = ADAPTER if one.name in evidence.adapters else reason_aside(one.name)
        if not reason and one.name.endswith(WEIGHTS):
            reason = _without_a_name(one)
        if reason:
            found[one.name] = reason
    return found


def _without_a_name(one: Present) -> str:
    if one.name.startswith("."):
        return "hidden: no loader opens it"
    if one.head.startswith(APPLE_DOUBLE):
        return COMPANION
    if one.kind in ("folder", "absent"):
        return "a folder" if one.kind == "folder" else "a link that leads nowhere"
    if one.name.endswith(".bin") and not one.name.startswith("pytorch_model"):
        return f"neither {SINGLE_TORCH} nor in an index"
    return ""


def sets_of(evidence: FolderEvidence) -> Tuple[WeightSet, ...]:
    """The sets of files that may be the model, the likeliest first."""
    aside = names_aside(evidence)
    usable = [one.name for one in evidence.seen if one.name not in aside]
    unfinished = any(one.name == RECEIPT for one in evidence.seen)
    found: List[WeightSet] = []
    for form, single in (("safetensors", SINGLE_SAFETENSORS), ("bin", SINGLE_TORCH)):
        names = [name for name in usable if name.endswith(f".{form}")]
        indexed = list(_indexed(form, evidence))
        found += indexed
        if indexed and single in names and single not in indexed[0].files:
            found.append(WeightSet(form, (single,)))
        elif not indexed:
            found += _without_index(form, names, single, unfinished and form == "safetensors")
    return tuple(sorted(found, key=lambda it: it.form == "safetensors" and not _has_usual_name(it)))


def _indexed(form: str, evidence: FolderEvidence) -> Iterator[WeightSet]:
    name = _INDEXES[form]
    if name in evidence.broken:
        yield WeightSet(form, (), problems=(evidence.broken[name],))
    if name not in evidence.indexes:
        return
    index = evidence.indexes[name]
    kinds = {one.name: one.kind for one in evidence.seen}
    files = sorted(set(index.weight_map.values()))
    missing = [file for file in files if kinds.get(file, "absent") == "absent"]
    problems: Tuple[Trouble, ...] = ()
    if missing:
        starts = tuple(f"{file}." for file in missing)
        begun = [one.name for one in evidence.seen if one.name.lstrip(".").startswith(starts)]
        problems = (
            Trouble(
                f"the index names {len(missing)} files that are missing",
                where=name,
                evidence=some(missing) + (f"; begun: {some(begun)}" if begun else ""),
                remedy="finish the download",
                code="file-missing",
            ),
        )
    there = tuple(file for file in files if file not in missing)
    yield WeightSet(form, there, index.weight_map, problems, index.total_size)


def _without_index(form: str, names: Sequence[str], single: str, unfinished: bool) -> Iterator[WeightSet]:
    """Files of one form for which there is no index: one is whole in itself, of many nobody knows."""
    index = _INDEXES[form]
    many = [name for name in names if int((_OF_MANY.findall(name) or ["1"])[0]) > 1]
    if unfinished and names:
        what = "the conversion into it was not finished"
        trouble = Trouble(what, where=index, remedy="convert again: it goes on", code="conversion-unfinished")
        yield WeightSet(form, tuple(names), problems=(trouble,))
        return
    if single in names:
        yield WeightSet(form, (single,))
    others = [name for name in names if name != single and name not in many]
    if many:
        yield WeightSet(form, tuple(many), problems=(_no_index(form, many, index),))
    elif len(others) == 1:
        yield WeightSet(form, tuple(others))
    elif others and single not in names:
        yield WeightSet(form, tuple(others), problems=(_no_index(form, others, index),))


def _no_index(form: str, names: Sequence[str], index: str) -> Trouble:
    kind = "safetensors" if form == "safetensors" else "weights"
    return Trouble(
        f"{len(names)} files of {kind} but no {index}",
        evidence=some(names),
        remedy=f"download {index}: without it nobody can tell whether a file is missing",
        code="index-missing",
    )


def _has_usual_name(one: WeightSet) -> bool:
    return bool(one.weight_map or one.problems) or any(name.startswith("model") for name in one.files)


def is_adapter(tensors: Sequence[str]) -> bool:
    """Whether tensors of these names are an adapter."""
    return bool(tensors) and all(_LORA.search(name) for name in tensors)


def left_aside(
    evidence: FolderEvidence, chosen: Optional[WeightSet], others: Sequence[WeightSet]
) -> List[str]:
    """What is not of the chosen set of weights, in words: one line for each reason."""
    aside = names_aside(evidence)
    elsewhere = {file for one in others for file in one.files}
    for one in evidence.seen:
        if chosen is None or one.name in aside or one.name in chosen.files:
            continue
        if one.name in (INDEX, TORCH_INDEX):
            if one.name != chosen.index_name or not (chosen.weight_map or chosen.problems):
                aside[one.name] = "an index of files that are not taken"
        elif one.name.endswith((".safetensors", ".bin")):
            aside[one.name] = "another set of weights" if one.name in elsewhere else "in no set of weights"
    by_reason: Dict[str, List[str]] = {}
    for name, reason in sorted(aside.items()):
        by_reason.setdefault(reason, []).append(name)
    return [f"left aside: {some(names)} ({reason})" for reason, names in by_reason.items()]


def companions_that_are_none(seen: Sequence[Present]) -> Tuple[Trouble, ...]:
    """Tokenizer, configuration and code that are something else than their name says."""
    found: List[Trouble] = []
    for one in seen:
        if not one.name.endswith(TEXTS) or one.name.startswith(".") or one.name in (INDEX, TORCH_INDEX):
            continue
        if one.kind != "file":
            what, remedy = NO_FILE[one.kind], "put the file there"
            found.append(Trouble(what, where=one.name, remedy=remedy, code="no-regular-file"))
            continue
        other = other_than_text(one.head, one.size, one.name)
        if other and (one.name.endswith(".json") or other.code in (POINTER, "web-page")):
            found.append(other)
    return tuple(found)


def no_weights(evidence: FolderEvidence, folder: str) -> Trouble:
    """Why there is nothing to take."""
    aside = names_aside(evidence)
    adapter = [name for name, reason in aside.items() if reason == ADAPTER and name.endswith(WEIGHTS)]
    if adapter:
        return Trouble(
            "an adapter (PEFT, LoRA) is no model",
            where=folder,
            evidence=some(adapter),
            remedy="give the folder of the model; to serve both as one, merge them first (merge_and_unload)",
            code="no-weights",
            exit_status=2,
        )
    weights = [f"{name} ({reason})" for name, reason in aside.items() if name.endswith(WEIGHTS)]
    return Trouble(
        f"no weights in it: neither safetensors nor {SINGLE_TORCH} nor {TORCH_INDEX}",
        where=folder,
        evidence=some(weights or [one.name for one in evidence.seen]),
        remedy="give the folder of the weights",
        code="no-weights",
        exit_status=2,
    )
