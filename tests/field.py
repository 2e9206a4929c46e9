"""The field kit where it is: inputs from users' reports, beside this checkout in ``../shared/field``."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

FIELD = Path(__file__).parents[2] / "shared" / "field"


def field_cases(kind: str, verb: str, names: Sequence[str]) -> list[Any]:
    """Cases of a folder whose names begin with one of ``names``, and that say what ``verb`` has to do."""
    path = FIELD / kind / "cases.toml"
    if not path.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason="the field kit is not here"), id="none")]
    found = []
    for table in tomllib.loads(path.read_text())["case"]:
        for name in table.get("names", [table.get("name")]):
            if verb in table and name.startswith(tuple(names)):
                found.append(pytest.param({**table, "name": name}, id=name))
    return found


def make_field_cases(script: str, folder: Path, names: Sequence[str]) -> None:
    """Write cases into ``folder``, in one process; whatever executes one leaves a file ``executed`` there."""
    environment = {**os.environ, "FIELD_CANARY": str(folder)}
    command = [sys.executable, str(FIELD / script), str(folder), *names]
    subprocess.run(command, check=True, capture_output=True, timeout=300, env=environment)


def wanted_tensors(folder: Path) -> Any:
    """The right result of a case."""
    from safetensors.torch import load_file

    return load_file(f"{folder}.wanted.safetensors")
