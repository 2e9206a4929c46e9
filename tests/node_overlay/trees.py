"""Trees to change: small ones of our own making, with everything that the overlay's manifest asks for."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from lingctl.node.overlay.package import Package, make_package
from lingctl.node.overlay.program import Options, act
from lingctl.release.overlay import package_document

CONTRACT = Path(__file__).parents[1] / "parity" / "contract" / "atb_llm"
UPSTREAM = ("models/__init__.py", "models/deepseek/input_builder_deepseek.py", "utils/file_utils.py")


def upstream_text(path: str) -> str:
    """What the patch of these tests puts in the place of a stock file."""
    return f"# patched {path}\n"


def package(**changes: object) -> Package:
    """The package as shipped, but with the fingerprints of these tests' own upstream patch."""
    document = json.loads(package_document())
    document["upstream"] = {
        path: hashlib.sha256(upstream_text(path).encode()).hexdigest() for path in UPSTREAM
    }
    return make_package({**document, **changes})


def make_tree(folder: Path) -> Path:
    """A stock tree; the same every time."""
    root = folder / "atb_llm"
    shutil.copytree(CONTRACT, root, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (*UPSTREAM, "models/base/flash_causal_lm.py", "utils/data/weight_wrapper.py"):
        file = root / path
        file.parent.mkdir(exist_ok=True)
        if not file.exists():
            file.write_text(f"# stock {path}\n")
    for path in root.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return root


def patch_upstream(root: Path, *paths: str) -> None:
    """Do as Ling's own patch does, to these files or all."""
    for path in paths or UPSTREAM:
        (root / path).write_text(upstream_text(path))


def do(action: str, root: Path, what: Package | None = None, **options: object) -> dict[str, object]:
    """One action of the node program."""
    return act(action, Options(str(root), **options), what or package())


def state_of(root: Path, what: Package | None = None) -> str:
    """The state in one word."""
    return do("status", root, what)["after"]["state"]
