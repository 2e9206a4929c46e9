"""A key that hosts.yaml does not have: the one that was meant, where it goes, or what works instead."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lingctl.inventory.cluster import Cluster
from lingctl.inventory.sections import NodeSsh
from lingctl.inventory.yaml_text.source import FieldPath

_JUMP = (
    "jump hosts are read from ~/.ssh/config: ProxyJump BASTION below Host NODE does what ssh -J does; or run "
    "lingctl on a machine inside"
)
_KEYS_ONLY = "passwords are not supported: put your key there once, ssh-copy-id USER@NODE, or use an agent"
_INSTEAD: tuple[tuple[str, str], ...] = (
    (r"(ssh_?)?(proxy_?)?jump(_?(host|server))?|bastion|proxy(_?command)?|gateway|via|tunnel", _JUMP),
    (r"(ssh_?)?(pass(word|wd|phrase)?)|pwd|sshpass", _KEYS_ONLY),
    (r"sudo|become|privilege_escalation", "write ssh: {sudo: true}"),
    (r"host(name|s)?|ip(_?addr(ess)?)?|servers?|machines?", "write nodes: [{address: HOST}]"),
    (r"(ssh_?)?(identity(_?file)?|private_?key|key_?file)", "write ssh: {key: FILE}"),
    (r"(ssh_?)?(user_?name|login)", "write ssh: {user: NAME}"),
    (r"(mindie_?)?version|mindie_?version", 'write mindie: "VERSION", in quotes, at the top'),
    (
        r"vllm(_?(ascend|version))?|backend|engine_?(name|version)",
        'write engine: {name: vllm, version: "VERSION"}',
    ),
    (r"cards?|npus?|device_?ids?|npu_?ids?", "write devices: [0, 1, ...] for a node"),
    (r"(extra_)?(volumes?|mounts?|binds?)", "write container: {extra_mounts: [/source:/target:ro]}"),
    (
        r"env(ironment)?(_?variables)?",
        "lingctl sets the daemon's environment itself: lingctl render environment",
    ),
)
# Names that stand in several parts: the part that is meant where none is given.
_USUAL = {"port": "serving", "name": "", "key": "ssh", "user": "ssh"}


def meant_key(path: FieldPath) -> str:
    """The key that an unknown one was most likely meant for; empty: none is near enough."""
    near = difflib.get_close_matches(str(path[-1]), sorted(known_keys(path[:-1])), n=1, cutoff=0.75)
    return near[0] if near else ""


def what_instead(path: FieldPath) -> str:
    """What to write in the place of an unknown key."""
    key = str(path[-1])
    known = sorted(known_keys(path[:-1]))
    near = meant_key(path)
    if near:
        return f"did you mean {near!r}?"
    listed = f"known keys here: {', '.join(known)}"
    plain = key.lower().replace("-", "_")
    for pattern, instead in _INSTEAD:
        if re.fullmatch(pattern, plain):
            return f"{_seen_from(path, instead)}; {listed}"
    elsewhere = _elsewhere(key, path)
    if elsewhere:
        return f"{elsewhere}; {listed}"
    far = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"did you mean {far[0]!r}?" if far else listed


def _seen_from(path: FieldPath, instead: str) -> str:
    """An advice without the part in which the key stands already."""
    inner = re.fullmatch(rf"write {path[0]}: \[?\{{(.*?)\}}\]?", instead) if len(path) > 1 else None
    return f"write {inner.group(1)}" if inner else instead


def _elsewhere(key: str, path: FieldPath) -> str:
    """Where a key of that very name belongs."""
    if path[:1] == ("nodes",) and len(path) == 3 and key in NodeSsh.model_fields:
        return f"it goes under ssh: ssh: {{{key}: ...}}"
    sections = [
        name
        for name, field in Cluster.model_fields.items()
        if any(key in model.model_fields for model in _models_in(field.annotation))
    ]
    if not sections:
        return (
            "it goes to the top of the file, and not below another key" if key in Cluster.model_fields else ""
        )
    section = _USUAL.get(key, sections[0]) or sections[0]
    if section == "nodes":
        return f"it goes to a node: nodes: [{{address: ..., {key}: ...}}]"
    return f"it goes under {section}: {section}: {{{key}: ...}}"


def known_keys(path: FieldPath) -> set[str]:
    """The keys of the part that a path leads to."""
    model = model_at(path)
    return set(model.model_fields) if model else set()


def model_at(path: FieldPath) -> type[BaseModel] | None:
    """The part of hosts.yaml that a path leads to."""
    model: type[BaseModel] | None = Cluster
    for part in path:
        if isinstance(part, int) or model is None:
            continue
        field = model.model_fields.get(part)
        model = next(_models_in(field.annotation), None) if field else None
    return model


def field_at(path: FieldPath) -> FieldInfo | None:
    """The field that a path leads to, or whose list it leads into; None: there is none."""
    words = [part for part in path if isinstance(part, str)]
    if not words:
        return None
    model = model_at(tuple(words[:-1]))
    return model.model_fields.get(words[-1]) if model else None


def plain_kinds_at(path: FieldPath) -> frozenset[type]:
    """The plain types that a field takes: str, int, float, bool; empty where there is no such field."""
    field = field_at(path)
    return frozenset(_plain_kinds(field.annotation)) if field else frozenset()


def _plain_kinds(annotation: object) -> Iterator[type]:
    if annotation in (str, int, float, bool):
        yield typing.cast("type", annotation)
    for inner in typing.get_args(annotation):
        yield from [str] if isinstance(inner, str) else _plain_kinds(inner)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (tuple, list, typing.Union, types.UnionType, typing.Annotated):
        for inner in typing.get_args(annotation):
            yield from _models_in(inner)
