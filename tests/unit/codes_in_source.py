"""Every code and every name of a check that lingctl's source can give, found by reading the source itself.

A code reaches an error by an argument named ``code``, a name reaches a finding by one named ``check``; either
may be handed on by functions in between. What is no constant in the end is returned as it is written, to be
accounted for.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import lingctl

_ROOT = Path(lingctl.__file__).parent
_PARAMETERS = ("code", "check")
# These have a code that is not one of lingctl's errors.
_FOREIGN = frozenset({"CodeMeaning"})
# What an emulated node prints is not lingctl's: the sandbox's rooms, but what installs the real vLLM.
_SANDBOX, _INSTALLS = "sandbox", "vllm"
_CATALOGUE = "codes"

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class _Sink:
    """A function or class, and which of its arguments becomes a code."""

    module: str
    name: str
    parameter: str
    index: int | None  # None where it is given by its name alone


@dataclass(frozen=True)
class _Module:
    """What counts of a module: its tree is walked once, and not kept."""

    name: str
    imported: dict[str, str]  # name: module that it comes from
    constants: dict[str, str]
    sinks: list[_Sink]
    calls: list[
        tuple[_Function | None, ast.Call, str]
    ]  # with the function around it, and the last name called
    defaults: list[tuple[_Function | None, ast.expr]]  # of ``default_code``


@dataclass
class CodesFound:
    """What the source gives."""

    constants: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # code: places
    written: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # expression: places


@cache
def codes_in_source() -> CodesFound:
    """Walk lingctl's source."""
    modules = [_read(path) for path in sorted(_ROOT.rglob("*.py")) if _of_lingctl(path)]
    sinks = {sink for module in modules for sink in module.sinks}
    while True:
        found, handed_on = CodesFound(), set[_Sink]()
        named = defaultdict(list)
        for sink in sinks:
            named[sink.name].append(sink)
        for module in modules:
            _look(module, named, found, handed_on)
        if handed_on <= sinks:
            return found
        sinks |= handed_on


def _of_lingctl(path: Path) -> bool:
    parts = path.relative_to(_ROOT).parts
    emulated = parts[0] == _SANDBOX and len(parts) > 2 and parts[1] != _INSTALLS
    return not emulated and parts[0] != _CATALOGUE


def _read(path: Path) -> _Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = ".".join(("lingctl", *path.relative_to(_ROOT).with_suffix("").parts))
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    module = _Module(name, {}, constants, [], [], [])
    inner: list[tuple[_Function | None, ast.AST]] = [(None, tree)]
    while inner:
        scope, node = inner.pop()
        _keep(module, scope, node)
        below = node if isinstance(node, _Function) else scope
        inner += [(below, child) for child in reversed([*ast.iter_child_nodes(node)])]
    return module


def _keep(module: _Module, scope: _Function | None, node: ast.AST) -> None:
    if isinstance(node, ast.Call):
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        module.calls.append((scope, node, name))
    elif isinstance(node, ast.AnnAssign | ast.Assign):
        targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
        if node.value and any(isinstance(one, ast.Name) and one.id == "default_code" for one in targets):
            module.defaults.append((scope, node.value))
    elif isinstance(node, ast.ImportFrom):
        module.imported.update({alias.asname or alias.name: node.module or "" for alias in node.names})
    elif isinstance(node, ast.ClassDef):
        module.sinks.extend(_fields_of(node, module.name))
    elif isinstance(node, _Function):
        module.sinks.extend(sink for one in _PARAMETERS for sink in _parameter_of(node, one, module.name))


def _fields_of(node: ast.ClassDef, module: str) -> Iterator[_Sink]:
    """What holds a code or a name of a check: errors of all kinds, findings, rules."""
    fields = [
        one.target.id
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]
    for parameter in _PARAMETERS:
        if parameter in fields and node.name not in _FOREIGN:
            yield _Sink(module, node.name, parameter, fields.index(parameter))


def _parameter_of(node: _Function, parameter: str, module: str) -> Iterator[_Sink]:
    positional = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
    bound = positional[1:] if positional[:1] in (["self"], ["cls"]) else positional
    if parameter in bound:
        yield _Sink(module, node.name, parameter, bound.index(parameter))
    elif parameter in [one.arg for one in node.args.kwonlyargs]:
        yield _Sink(module, node.name, parameter, None)


def _look(module: _Module, sinks: dict[str, list[_Sink]], found: CodesFound, handed_on: set[_Sink]) -> None:
    given = [
        *module.defaults,
        *(
            (scope, value)
            for scope, call, name in module.calls
            for value in _values(call, name, module, sinks)
        ),
    ]
    for scope, value in given:
        for one in _ends(value):
            place = f"{module.name}:{one.lineno}"
            if isinstance(one, ast.Constant):
                if isinstance(one.value, str) and one.value:
                    found.constants[one.value].append(place)
            elif isinstance(one, ast.Name) and one.id in module.constants:
                found.constants[module.constants[one.id]].append(place)
            elif (
                isinstance(one, ast.Name)
                and scope
                and (passed := [*_parameter_of(scope, one.id, module.name)])
            ):
                handed_on |= set(passed)
            elif not _is_handed_on(one):
                found.written[ast.unparse(one)].append(place)


def _is_handed_on(value: ast.expr) -> bool:
    """Whether it is the code of something that has one: an error's, a finding's, a document's of one."""
    if isinstance(value, ast.Subscript):
        return isinstance(value.slice, ast.Constant) and value.slice.value in _PARAMETERS
    return isinstance(value, ast.Attribute) and value.attr in _PARAMETERS


def _values(call: ast.Call, name: str, module: _Module, sinks: dict[str, list[_Sink]]) -> Iterator[ast.expr]:
    named = {one.arg: one.value for one in call.keywords if one.arg}
    if "code" in named and name not in _FOREIGN:
        yield named["code"]
    for sink in sinks.get(name, ()):
        if not _means(call.func, sink, module):
            continue
        if sink.parameter in named:
            yield from [] if sink.parameter == "code" else [named[sink.parameter]]
        elif sink.index is not None and sink.index < len(call.args):
            yield call.args[sink.index]


def _means(called: ast.expr, sink: _Sink, module: _Module) -> bool:
    """Whether a call can be one of the sink's."""
    if sink.module == module.name:
        return True
    if isinstance(called, ast.Name):
        return module.imported.get(called.id, "") == sink.module
    return sink.module in module.imported.values()


def _ends(value: ast.expr) -> Iterator[ast.expr]:
    """What an expression may be in the end: both sides of a choice."""
    inner = [value.body, value.orelse] if isinstance(value, ast.IfExp) else []
    for one in value.values if isinstance(value, ast.BoolOp) else inner:
        yield from _ends(one)
    if not isinstance(value, ast.IfExp | ast.BoolOp):
        yield value
