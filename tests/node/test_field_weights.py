"""Folders of weights from the field, by the table beside this checkout: what lingctl says of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.field import FIELD, Case, cases, judge, lingctl
from tests.node.checkpoints import assert_same, load

pytestmark = pytest.mark.torch

# What pickles hold is another file's matter: tests/node/test_field_pickles.py.
_PICKLES = ("pickle-", "view", "zip-", "legacy", "npu-", "attribute-", "buffer", "deepspeed", "half-nested")
_TABLE: dict[str, Case] = {
    name: case for case in cases("weights") for name in case.get("names", [case.get("name")])
}
VERIFY = {name: case["verify"] for name, case in _TABLE.items() if "verify" in case}
CONVERT = {
    name: case["convert"]
    for name, case in _TABLE.items()
    if "convert" in case and not name.startswith(_PICKLES)
}
MOST_MB = 64


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All folders, made in one process; what executes one leaves a file ``executed`` there."""
    folder = tmp_path_factory.mktemp("field")
    command = [sys.executable, FIELD / "weights" / "make_weights.py", folder, *{*VERIFY, *CONVERT}]
    environment = {**os.environ, "FIELD_CANARY": str(folder)}
    subprocess.run(command, check=True, capture_output=True, timeout=300, env=environment)
    return folder


@pytest.mark.parametrize("name", VERIFY)
def test_what_verify_weights_says_of_it(name: str, field: Path) -> None:
    case = VERIFY[name]
    options = ["--full"] if case.get("full") else []
    assert judge({"output": 20_000, **case}, lingctl("verify-weights", field / name, *options)) == []
    assert not (field / "executed").exists()


@pytest.mark.parametrize("name", CONVERT)
def test_what_convert_makes_of_it(name: str, field: Path, tmp_path: Path) -> None:
    case = CONVERT[name]
    assert judge(case, lingctl("convert", field / name, tmp_path / "out")) == []
    assert not (field / "executed").exists()
    if case.get("tensors"):
        assert_same(load(tmp_path / "out"), load_file(f"{field / name}.wanted.safetensors"))


@pytest.mark.skipif(not VERIFY, reason="the field kit is not beside this checkout")
@pytest.mark.parametrize("words", [("weights", "verify", "--full"), ("weights", "inspect"), ("convert",)])
def test_no_folder_takes_much_memory(words: tuple[str, ...], field: Path, tmp_path: Path, pyz: Path) -> None:
    """One process of the node program looks at all of them: what they take together, each takes at most."""
    names = CONVERT if words == ("convert",) else VERIFY
    places = [part for name in names for part in (name, f"{field / name}", f"{tmp_path / name}")]
    command = [sys.executable, "-S", "-c", _PEAKS, pyz, " ".join(words), *places]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    peaks = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("peak ")]
    assert len(peaks) == len(names)
    assert [peak for peak in peaks if int(peak[1]) >= MOST_MB][:1] == []
    assert '"code":"internal"' not in done.stdout


# VmHWM and not ru_maxrss: the latter counts what the tests' own process had before it started this one.
_PEAKS = """
import sys
sys.path.insert(0, sys.argv[1])
from lingctl.node.main import main
words, places = sys.argv[2].split(), sys.argv[3:]
for name, folder, target in zip(places[::3], places[1::3], places[2::3]):
    main([*words, folder] + ([target] if words == ["convert"] else []))
    high = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("peak", name, int(high.split()[1]) // 1024)
"""
