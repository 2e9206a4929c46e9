"""Finds the named tensors in what a checkpoint's pickle describes."""

from __future__ import annotations

from typing import Dict, List, Tuple

from lingctl.node.checkpoint.pickles.builders import refused
from lingctl.node.checkpoint.pickles.stand_ins import Mapping, Tensor
from lingctl.node.trouble import Trouble

# Where training frameworks put the state dict inside a larger checkpoint.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
_DEEPEST = 4


def tensors_of(root: object) -> Tuple[Dict[str, Tensor], Tuple[str, ...]]:
    """The tensors by name in their order, and the names of what was left out.

    Raises:
        Trouble: no state dict of tensors in it.
    """
    left_out: List[str] = []
    prefix = ""
    for _ in range(_DEEPEST):
        if not isinstance(root, Mapping):
            raise Trouble(
                f"the checkpoint holds a {_kind(root)}, not a state dict of named tensors",
                remedy="save it again with torch.save(model.state_dict(), ...)",
                code="not-a-state-dict",
            )
        # A training checkpoint may have tensors beside its state dict (a step, a random state).
        inner = next((name for name in _WRAPPERS if isinstance(root.get(name), Mapping)), None)
        if inner is None:
            break
        left_out += [f"{prefix}{key}" for key in root if key != inner]
        prefix += f"{inner}."
        root = root[inner]
    tensors = _direct(root) if isinstance(root, Mapping) else {}
    if isinstance(root, Mapping):
        left_out += [f"{prefix}{key}" for key, value in root.items() if not isinstance(value, Tensor)]
    if not tensors:
        raise Trouble(
            "no tensor in the checkpoint",
            evidence="entries: " + ", ".join(left_out[:10]),
            code="not-a-state-dict",
        )
    return tensors, tuple(left_out)


def _direct(mapping: Mapping) -> Dict[str, Tensor]:
    found: Dict[str, Tensor] = {}
    for key, value in mapping.items():
        if isinstance(value, Tensor):
            if not isinstance(key, str):
                raise refused(f"names a tensor by {str(key)[:40]}, which is no text")
            if key == "__metadata__":
                raise refused("names a tensor '__metadata__', which safetensors keeps for itself")
            found[key] = value
    return found


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return "single tensor"
    return type(value).__name__
