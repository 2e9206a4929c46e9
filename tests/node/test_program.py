"""node.pyz: the same bytes everywhere, standard library only, and at home on Python 3.9."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lingctl.program import pack as node_program
from tests.node.checkpoints import assert_same, ling, load, model, run, save
from tests.pythons import node_python

NODE = Path(node_program.__file__).parent.parent / "node"
SOURCES = sorted(NODE.rglob("*.py"))

CLIENTS = {"modelscope_hub", "huggingface_hub", "tqdm"}


@pytest.fixture(scope="module")
def python39() -> Path:
    return node_python()


def ask(python: Path | str, pyz: Path, *words: str, **options: object) -> tuple[int, dict]:
    """Exit status and last event of the program, which is run with nothing installed."""
    done = subprocess.run(
        [python, "-I", "-S", pyz, *words], capture_output=True, text=True, timeout=300, **options
    )
    assert not done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def test_the_same_bytes_whatever_the_day_and_the_disk(tmp_path: Path) -> None:
    """A second checkout, with other times, modes and leftovers in it."""
    shutil.copytree(NODE.parent, tmp_path / "lingctl", ignore=shutil.ignore_patterns("sandbox", "_assets"))
    for path in (tmp_path / "lingctl").rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    (tmp_path / "lingctl" / "node" / "notes.txt").write_text("left over")
    text = (
        "import hashlib; from lingctl.program import pack as n; "
        "print(hashlib.sha256(n.build()).hexdigest()); print(n.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path, check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    digest, place = done.stdout.split()
    assert place.startswith(str(tmp_path))
    assert digest == hashlib.sha256(node_program.build()).hexdigest()


def test_holds_what_runs_on_a_node_and_nothing_else() -> None:
    with zipfile.ZipFile(io.BytesIO(node_program.build())) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    packed = {f"lingctl/node/{path.relative_to(NODE).as_posix()}" for path in SOURCES}
    assert set(names) == packed | {"__main__.py", "lingctl/__init__.py"}
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(NODE)))
def test_standard_library_only_and_syntax_of_python39(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules = [node.module or ""]
        for module in modules:
            top = module.split(".")[0]
            known = top in sys.stdlib_module_names or module.startswith("lingctl.node")
            # The hubs' own clients are used where they are installed, by two modules that nothing imports;
            # their list of authorities comes with them, and is done without elsewhere.
            client = path.stem.endswith("_client") and top in CLIENTS
            assert known or client or (path.stem, top) == ("trust", "certifi"), module
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "zip":
            assert not node.keywords, "zip(strict=...) came with Python 3.10"
    # Annotations such as `int | None` are then never evaluated.
    has_annotations = any(isinstance(node, (ast.AnnAssign, ast.arg)) for node in ast.walk(tree))
    assert not has_annotations or "from __future__ import annotations" in path.read_text()


def test_every_module_loads_on_python39(python39: Path, pyz: Path) -> None:
    modules = [".".join(("lingctl.node", *path.relative_to(NODE).with_suffix("").parts)) for path in SOURCES]
    wanted = [name.removesuffix(".__init__") for name in modules if not name.endswith("__main__")]
    text = (
        "import sys, importlib as i; sys.path.insert(0, sys.argv[1]); [*map(i.import_module, sys.argv[2:])]"
    )
    subprocess.run([python39, "-I", "-S", "-c", text, str(pyz), *wanted], check=True)


def test_converts_and_checks_on_python39(python39: Path, pyz: Path, tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    status, result = ask(python39, pyz, "convert", str(source), "--max-shard-size", "30KB")
    assert (status, result["event"], result["state"]) == (0, "result", "converted")
    assert_same(load(tmp_path / "in_safetensor"), model())
    run(source, tmp_path / "here", max_shard_size=30_000)
    for path in (tmp_path / "here").glob("model*"):
        assert (tmp_path / "in_safetensor" / path.name).read_bytes() == path.read_bytes()
    folder = ling(tmp_path / "ling", "lite", "bin")
    for action in ("inspect", "verify", "manifest", "modes"):
        status, result = ask(python39, pyz, "weights", action, str(folder))
        assert (status, result["event"]) == (0, "result"), result
    assert ask(python39, pyz, "weights", "verify", "--full", str(folder))[1]["state"] == "sound"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([], 2),
        (["dance"], 2),
        (["convert"], 2),
        (["convert", "/nowhere"], 2),
        (["convert", "/nowhere", "--max-shard-size", "large"], 2),
        (["weights"], 2),
        (["weights", "admire", "/nowhere"], 2),
        (["weights", "verify", "/nowhere"], 2),
        (["weights", "modes", "/nowhere"], 2),
        (["weights", "manifest", "/nowhere"], 2),
        (["prove", "run", "/nowhere/one", "/nowhere/two"], 2),
        (["weights", "inspect", "/nowhere", "--json"], 0),
    ],
)
def test_mistakes_are_events_too(words: list[str], status: int, pyz: Path) -> None:
    found, event = ask(sys.executable, pyz, *words)
    assert found == status
    assert event["event"] == ("error" if status else "result")
    assert not status or (event["code"] and event["exit_status"] == status)


def test_what_the_system_refuses_is_no_defect_of_ours(pyz: Path) -> None:
    status, event = ask(sys.executable, pyz, "fetch", "list", "/dev/null/weights")
    assert (status, event["code"], event["where"]) == (1, "system", "/dev/null/weights")
    assert event["what"] == "Not a directory"


def test_defects_are_events_too_and_show_a_traceback_on_demand(pyz: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pyz"
    with zipfile.ZipFile(pyz) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "lingctl/node/weights/inspect.py":
                data = data.replace(b"contents = contents_of(folder)", b"contents = len(7)")
            new.writestr(name, data)
    status, event = ask(sys.executable, broken, "weights", "inspect", str(tmp_path))
    assert (status, event["code"]) == (1, "internal")
    assert "TypeError" in event["what"]
    done = subprocess.run(
        [sys.executable, broken, "weights", "inspect", tmp_path], capture_output=True, text=True,
        env={**os.environ, "LINGCTL_DEBUG": "1"},
    )  # fmt: skip
    assert "Traceback" in done.stderr


def test_a_reader_that_goes_away_is_no_traceback(pyz: Path, tmp_path: Path) -> None:
    folder = save(tmp_path / "in", model())
    done = subprocess.run(
        ["sh", "-c", '"$1" "$2" weights inspect "$3" | head -c 1', "sh", sys.executable, pyz, folder],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "{"
    assert "Traceback" not in done.stderr
