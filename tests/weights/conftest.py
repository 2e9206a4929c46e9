"""A hub on loopback with one small repository, and the installed command against it."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import forked
from tests.hub_server import Hub, serve

REPOSITORY = "someone/Tiny-Ling"
LARGE = "model-00001-of-00002.safetensors"
SMALL = "model-00002-of-00002.safetensors"


def contents() -> dict[str, bytes]:
    """Two files of weights, the larger of 3 MB in parts of 1 MB, and their companions."""
    chance = random.Random(7)
    return {
        LARGE: chance.randbytes(3_200_000),
        SMALL: chance.randbytes(300_000),
        "config.json": b'{"model_type": "bailing_moe"}\n',
        "README.md": b"# Tiny\n",
        "assets/logo.svg": b"<svg/>",
        ".gitattributes": b"*.safetensors filter=lfs\n",
        "empty.txt": b"",
    }


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve(Hub(files={REPOSITORY: contents()})) as running:
        yield running


@dataclass
class Ran:
    """What a run of the command said."""

    status: int
    document: dict[str, Any]
    stderr: str


@dataclass
class Lingctl:
    """The command line, with the client's limits made small enough for a test."""

    environment: dict[str, str]

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        return forked.start(
            *words,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str | Path) -> Ran:
        process = self.start(*words)
        stdout, stderr = process.communicate(timeout=300)
        return Ran(process.returncode, json.loads(stdout) if stdout.startswith("{") else {}, stderr)


@pytest.fixture
def lingctl(hub: Hub, tmp_path: Path) -> Lingctl:
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return Lingctl(
        {
            **kept,
            "MODELSCOPE_ENDPOINT": hub.url,
            "MODELSCOPE_HOME": str(tmp_path / "modelscope-home"),
            "MODELSCOPE_DOWNLOAD_PARALLEL_THRESHOLD_MB": "1",
            "MODELSCOPE_DOWNLOAD_PART_SIZE_MB": "1",
            "MODELSCOPE_DOWNLOAD_MAX_RETRIES": "1",
            "NO_COLOR": "1",
        }
    )
