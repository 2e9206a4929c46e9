"""verify: whether the overlay in a tree is whole, and whether it can be imported by the service's Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from typing import Dict

from lingctl.node.overlay.package import Package
from lingctl.node.overlay.state import look
from lingctl.node.overlay.store import Store
from lingctl.node.overlay.tree import Tree

# The causal class needs torch_npu; the router only what atb_llm itself needs.
_IMPORT = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
def tried(name, attribute):
    try:
        return "loaded" if hasattr(importlib.import_module(name), attribute) else "no " + attribute
    except Exception as error:
        missing = getattr(error, "name", None)
        if isinstance(error, ModuleNotFoundError) and not str(missing).startswith("atb_llm"):
            return "skipped: there is no " + str(missing) + " here"
        return type(error).__name__ + ": " + str(error)
here = "atb_llm.models.bailing_moe."
print(json.dumps({
    "router": tried(here + "router_bailing_moe", "Bailing_moeRouter"),
    "model": tried(here + "flash_causal_bailing_moe", "FlashBailing_moeForCausalLM"),
}))
"""


def verify(tree: Tree, package: Package, store: Store) -> Dict[str, object]:
    """Everything that ``look`` finds, and an import in a process of its own; ``good`` is the verdict.

    An import that is skipped for want of the device's packages is told, and is no failure.
    """
    state = look(tree, package, store)
    imports = _imports(tree) if state.delivery else {}
    failed = [
        f"importing the {what}: {said}"
        for what, said in imports.items()
        if said != "loaded" and not said.startswith("skipped")
    ]
    state = replace(state, problems=[*state.problems, *failed], good=state.good and not failed)
    return {"after": asdict(state), "imports": imports}


def _imports(tree: Tree) -> Dict[str, str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT, os.path.dirname(tree.root)],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
    except subprocess.TimeoutExpired:
        return {"model": "no end within 300 s"}
    lines = done.stdout.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else {}
    except ValueError:
        answer = {}
    if not isinstance(answer, dict) or not answer:
        return {"model": f"Python ended with status {done.returncode}: {done.stderr.strip()[-300:]}"}
    return {str(what): str(said) for what, said in answer.items()}
