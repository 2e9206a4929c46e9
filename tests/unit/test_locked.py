"""What is installed by its hash agrees with what pyproject.toml and the files of requirements call for."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lingctl.flows.files.bundle.locked import Locked, environment, locked_for, read_locked

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MACHINES = [(arch, python) for arch in ("x86_64", "aarch64") for python in ("3.11", "3.12", "3.13", "3.14")]
# Packages by the names of their modules, where these differ.
PACKAGES = {"yaml": "pyyaml"}
# What is imported where it is there, or comes with what is named beside it.
COMES_WITH = {
    "certifi": "requests",
    "modelscope_hub": "modelscope",
    "pydantic_core": "pydantic",
    "typing_extensions": "pydantic",
    "huggingface_hub": None,  # only where somebody installed it
    "torch": None,  # only in the engine's container
    "atb_llm": None,  # likewise
}


def _tests_call_for() -> list[Requirement]:
    lines = [
        line.partition("#")[0].strip()
        for name in ("requirements-test.txt", "requirements-unit.txt")
        for line in (ROOT / name).read_text().splitlines()
    ]
    own = [line for line in lines if line and not line.startswith("-r ")]
    return [Requirement(text) for text in (*own, *PROJECT["optional-dependencies"]["sandbox"])]


def _by_name(found: list[Locked]) -> dict[str, Locked]:
    named = {canonicalize_name(one.name): one for one in found}
    assert len(named) == len(found), "a package is there twice for one machine"
    return {str(name): one for name, one in named.items()}


@pytest.mark.parametrize(("arch", "python"), MACHINES)
def test_what_is_called_for_is_locked_in_a_version_that_is_allowed(arch: str, python: str) -> None:
    run = _by_name(list(locked_for(arch, python)))
    tests = _by_name(read_locked((ROOT / "locked/test.txt").read_text(), environment(arch, python)))
    called = [Requirement(text) for text in PROJECT["dependencies"]]
    for requirement, where in (
        *((one, run) for one in called),
        *((one, tests) for one in (*called, *_tests_call_for())),
    ):
        one = where[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(one.version), f"{requirement}: make locked"
    for name, one in (*run.items(), *tests.items()):
        assert one.hashes, name
    assert "pip" in run
    differing = {name for name in run if name != "pip" and tests[name] != run[name]}
    assert not differing, "tested are other versions than those that a bundle packs"


def test_nothing_that_is_locked_needs_what_is_not() -> None:
    """By what is installed here: what is locked, where `make test` installed it, and not `make lowest`."""
    here = environment("x86_64", f"{sys.version_info.major}.{sys.version_info.minor}")
    run = _by_name(list(locked_for("x86_64", here["python_version"])))
    for name, locked in run.items():
        if name == "pip" or _installed(name) != locked.version:
            continue
        for text in importlib.metadata.requires(name) or ():
            one = Requirement(text)
            if one.marker is None or one.marker.evaluate({**here, "extra": ""}):
                assert canonicalize_name(one.name) in run, f"{name} needs {one}"


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def test_what_is_imported_is_called_for_by_name() -> None:
    named = {
        str(canonicalize_name(Requirement(text).name))
        for text in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["sandbox"])
    }
    imported = {
        module.partition(".")[0]
        for path in (ROOT / "lingctl").rglob("*.py")
        for module in _imports(ast.parse(path.read_text()).body)
    }
    foreign = {name for name in imported if name not in sys.stdlib_module_names} - {"lingctl", "_typeshed"}
    for module in foreign:
        package = COMES_WITH.get(module, PACKAGES.get(module, module))
        assert package is None or str(canonicalize_name(package)) in named, module


def _imports(statements: Iterable[ast.AST]) -> Iterator[str]:
    """Of statements and those within them: an expression imports nothing, and is not looked into."""
    for node in statements:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        for part in ("body", "orelse", "handlers", "finalbody", "cases"):
            inner = getattr(node, part, ())
            yield from _imports(inner if isinstance(inner, list) else ())


def test_the_lowest_versions_are_told_for_every_package() -> None:
    for text in PROJECT["dependencies"]:
        assert re.search(r">=", str(Requirement(text).specifier)), text


@pytest.mark.parametrize(("arch", "python"), MACHINES)
def test_what_builds_the_site_is_locked_by_its_hash(arch: str, python: str) -> None:
    locked = _by_name(read_locked((ROOT / "locked/site.txt").read_text(), environment(arch, python)))
    lines = [line for line in (ROOT / "requirements-site.txt").read_text().splitlines() if line[0] != "#"]
    for requirement in map(Requirement, lines):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)].version)
    assert all(one.hashes for one in locked.values())
