"""Every code that can be printed is in the catalogue, and the catalogue holds nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeGuard

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import lingctl
from lingctl import errors
from lingctl.cli.app import VERBS, app, register_verbs
from lingctl.codes.catalogue import CodeEntry, check_names, usual_remedy
from lingctl.engines import file_rules, readers
from lingctl.errors import NodeError
from lingctl.flows.look.explain.own_codes import PREFIXES, code_entries, code_entry, known_codes, own_meaning
from lingctl.inventory.mistakes.in_words import CODES
from lingctl.inventory.runtime import RUNTIMES
from lingctl.mindie.logs.log_reader import MindieLogs
from lingctl.mindie.rules.fields import PATHS, REMOVED_IN_3
from lingctl.nearest import did_you_mean
from lingctl.node.fetch.hubs.words import WORDS
from lingctl.serving.proof.verdicts import CONTROLS
from lingctl.vllm.logs.log_reader import VllmLogs
from tests.unit.codes_in_source import codes_in_source

_ROOT = Path(lingctl.__file__).parent
_CODE = re.compile(r'"([a-z]+(?:-[a-z]+)+)"')


def _in_module(path: str, *, but: Collection[str] = ()) -> Callable[[], set[str]]:
    """Every word of a module that has the form of a code."""
    return lambda: set(_CODE.findall((_ROOT / path).read_text(encoding="utf-8"))) - set(but)


def _node_lost() -> set[str]:
    verbs = set()
    for path in _ROOT.rglob("*.py"):
        verbs |= set(re.findall(r'need_no_lost_node\(.*?"(\w+)"\)', path.read_text(encoding="utf-8")))
    assert verbs
    return {f"{verb}-node-lost" for verb in verbs}


# What is written in the place of a code and is no constant, by its module: the codes that it may be. What is
# not here fails the test: see what it can be, and say so.
_ACCOUNTED: dict[tuple[str, str], Callable[[], Collection[str]]] = {
    ("checks.nodes", "check"): lambda: ("disk", "shm"),
    ("flows.accept.protocol", "part.name"): tuple,  # of an event, and of a part of the report: no code
    ("flows.change.preflight", "f'check-{first.check}'"): lambda: {f"check-{name}" for name in check_names()},
    ("flows.change.prove", "f'smoke-{first.check}'"): lambda: {
        f"smoke-{entry.code}" for entry in code_entries().values() if entry.meaning.startswith("rung")
    },
    ("flows.change.watch_start", "f'{about.name}-{known.id}'"): lambda: ("mindie-C1",),
    ("flows.look.explain.answers", "word"): tuple,  # a code that somebody asks about
    ("flows.look.running", "f'{verb}-node-lost'"): _node_lost,
    ("flows.look.runtime", "f'{runtime.program}-down'"): lambda: {f"{name}-down" for name in RUNTIMES},
    ("flows.run.execute", "f'step-{first.id}'"): lambda: ("step-G4",),
    ("inventory.mistakes.in_words", "CODES.get(detail['type'], _OTHER)"): lambda: {
        *CODES.values(),
        "hosts-form",
    },
    ("mindie.rules.check", "f'config-{section}'"): lambda: {f"config-{one}" for one in PATHS if one},
    ("mindie.rules.check", "f'config-{name}'"): lambda: {f"config-{name}" for _, name in REMOVED_IN_3},
    ("node.fetch.hubs.causes", "code"): _in_module(
        "node/fetch/hubs/causes.py", but=("retry-after", "proxy-authenticate")
    ),
    ("node.fetch.hubs.source", "code"): lambda: WORDS,
    ("program.translate", "code"): tuple,  # the node program's own
    ("remote.ssh.login.keys.login_keys", "code"): _in_module("remote/ssh/login/keys/login_keys.py"),
    ("remote.ssh.login.refusals", "code"): _in_module("remote/ssh/login/refusals.py", but=("ssh-copy-id",)),
    ("serving.proof.verdicts", "f'control-{name}'"): lambda: {f"control-{name}" for name in CONTROLS},
}
# Rows of vendors' codes and of the failures' catalogue have their own registers.
_OTHER_REGISTERS = ("engine.words.failure_catalogue", "output.verbs.explained")


def _written() -> set[tuple[str, str]]:
    places = {
        (place.rpartition(":")[0].removeprefix("lingctl."), expression)
        for expression, found in codes_in_source().written.items()
        for place in found
    }
    return {one for one in places if one[0] not in _OTHER_REGISTERS}


def _possible() -> dict[str, str]:
    """Every code that can be printed, with a place where it comes from."""
    found = {code: places[0] for code, places in codes_in_source().constants.items()}
    for (module, expression), codes in _ACCOUNTED.items():
        found |= dict.fromkeys(codes(), f"{module}: {expression}")
    return found


def _is_known(code: str) -> bool:
    return own_meaning(code, readers()) is not None


def test_every_expression_that_becomes_a_code_is_accounted_for() -> None:
    assert _written() == set(_ACCOUNTED)


def test_every_code_that_can_be_printed_is_known() -> None:
    possible = _possible()
    assert len(possible) > 500
    assert {code: place for code, place in possible.items() if not _is_known(code)} == {}


def test_the_catalogue_holds_no_code_that_nothing_gives() -> None:
    assert set(code_entries()) - set(_possible()) == set()
    assert (
        set(file_rules()) - set(_possible()) - {code for code in file_rules() if code.startswith("config-")}
        == set()
    )


def test_every_row_of_the_failures_is_known_as_the_end_of_a_daemon_and_of_a_step() -> None:
    for engine, reader in {"mindie": MindieLogs(), "vllm": VllmLogs()}.items():
        rows = [failure.id for failure in reader.catalogue.rows]
        assert len(rows) > 40
        unknown = {code for row in rows for code in (f"{engine}-{row}", f"step-{row}") if not _is_known(code)}
        assert unknown == set()


def test_an_entry_says_what_to_do_and_names_a_page_that_is_there() -> None:
    def faults(entry: CodeEntry) -> list[str]:
        rules = {
            "says nothing": not (entry.meaning and entry.remedy),
            "is more than one line": entry.meaning.endswith(".") or "\n" in f"{entry.meaning}{entry.remedy}",
            "names no page": not (_ROOT.parent / "docs" / entry.page).is_file(),
        }
        return [fault for fault, has in rules.items() if has]

    assert {entry.code: found for entry in code_entries().values() if (found := faults(entry))} == {}


def test_what_a_remedy_tells_to_type_is_a_verb_with_that_option() -> None:
    if not app.registered_commands:
        register_verbs()
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    seen = 0
    for entry in code_entries().values():
        for verb, rest in re.findall(r"(?:^|[;:,] (?:or )?)lingctl ([a-z-]+)([^;,:()]*)", entry.remedy):
            assert verb in VERBS, f"{entry.code}: lingctl {verb}"
            command = root.commands[verb]
            if isinstance(command, TyperGroup):
                inner = next((word for word in rest.split() if word in command.commands), None)
                command = command.commands[inner] if inner else command
            assert isinstance(command, TyperCommand | TyperGroup)
            options = {option for one in command.params for option in one.opts}
            assert set(re.findall(r"--[a-z-]+", rest)) <= options, f"{entry.code}: {entry.remedy}"
            seen += 1
    assert seen > 100


def test_a_code_of_a_check_is_explained_with_the_way_around_it() -> None:
    told = code_entry("check-link")
    assert told is not None
    assert "lingctl deploy --accept link" in told.remedy
    assert all(code_entry(f"{prefix}nothing-of-that-name") is None for prefix in PREFIXES)


def test_only_checks_before_a_start_are_waived_by_name() -> None:
    assert {"link", "driver-same", "capacity", "overlay"} <= set(check_names())
    assert not {"npu-product", "disk-full", "stream"} & set(check_names())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("disc-full", "disk-full"),
        ("Disk-Full", "disk-full"),
        ("hosts-rnge", "hosts-range"),
        ("ei006", "EI0006"),
    ],
)
def test_a_mistyped_code_names_its_neighbours(typed: str, meant: str) -> None:
    near = did_you_mean(typed, known_codes(), 5).removeprefix("did you mean ").removesuffix("?")
    assert meant in near.replace(" or ", ", ").split(", ")


def test_a_row_of_the_failures_is_a_code_behind_a_step_or_an_engine_alone() -> None:
    assert own_meaning("C1", readers()) is own_meaning("other-C1", readers()) is None


def test_what_is_like_no_code_has_no_neighbours() -> None:
    assert did_you_mean("qqqqqqqq", known_codes()) == ""


def test_an_error_without_a_remedy_of_its_own_has_that_of_its_code() -> None:
    full = NodeError("no room", code="disk-full")
    assert full.remedy == code_entries()["disk-full"].remedy
    assert full.but(remedy="make room").remedy == NodeError("", code="disk-full", remedy="make room").remedy
    assert NodeError("of no special kind").remedy == NodeError("", code="of-nobody").remedy == ""


def test_no_error_says_again_what_the_catalogue_says_of_its_code() -> None:
    again = []
    for path in _ROOT.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            kind = getattr(errors, call.func.id, None) if _is_named_call(call) else None
            if isinstance(kind, type) and issubclass(kind, errors.LingctlError):
                told = {
                    one.arg: one.value.value for one in call.keywords if isinstance(one.value, ast.Constant)
                }
                code, remedy = str(told.get("code", "")), told.get("remedy")
                if remedy and code not in ("", kind.default_code) and remedy == usual_remedy(code):
                    again.append(f"{path.relative_to(_ROOT)}:{call.lineno}: {code}")
    assert again == []


def _is_named_call(node: ast.AST) -> TypeGuard[Any]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
