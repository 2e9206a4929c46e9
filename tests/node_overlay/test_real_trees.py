"""Ling's own patch on the real atb_llm, where ``LINGCTL_MINDIE_LLM`` and ``LINGCTL_LING`` name checkouts."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lingctl.node.overlay.package import make_package
from lingctl.node.trouble import Trouble
from lingctl.release.overlay import package_document
from tests.node_overlay import trees

SHIPPED = make_package(json.loads(package_document()))
# How Ling's script names the files that do not keep their name.
_NAMES = {
    "models/__init__.py": "atb_llm-models-__init__.py",
    "models/base/router.py": "atb_llm-models-base-router.py",
    "utils/file_utils.py": "utils-file_utils.py",
    "utils/layers/__init__.py": "utils-layers-__init__.py",
    "utils/layers/linear/__init__.py": "utils-layers-linear-__init__.py",
    "utils/weights.py": "utils-weights.py",
}


@pytest.fixture
def checkouts():
    named = [os.environ.get(name) for name in ("LINGCTL_MINDIE_LLM", "LINGCTL_LING")]
    if not all(named):
        pytest.skip("LINGCTL_MINDIE_LLM and LINGCTL_LING name no checkouts")
    return Path(named[0]) / "examples" / "atb_models" / "atb_llm", Path(
        named[1]
    ) / "inference" / "mindie" / "atb_llm"


def test_there_and_back(tmp_path, checkouts):
    stock, _ = checkouts
    root = Path(shutil.copytree(stock, tmp_path / "atb_llm"))
    found = trees.do("apply", root, SHIPPED)["after"]
    assert (found["state"], found["tested"], found["unknown_stock"]) == ("applied", "tested", [])
    assert trees.do("revert", root, SHIPPED)["identical"] is True
    assert subprocess.run(["diff", "-r", stock, root]).returncode == 0


def test_lings_own_patch_is_seen_and_refused(tmp_path, checkouts):
    stock, ling = checkouts
    root = Path(shutil.copytree(stock, tmp_path / "atb_llm"))
    for path in SHIPPED.upstream:
        shutil.copyfile(ling / _NAMES.get(path, Path(path).name), root / path)
    found = trees.do("status", root, SHIPPED)["after"]
    assert found["state"] == "upstream-patched"
    assert len(found["upstream"]["files"]) == found["upstream"]["of"] == 11
    with pytest.raises(Trouble, match="11 of 11 files"):
        trees.do("apply", root, SHIPPED)
