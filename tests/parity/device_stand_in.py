"""Lets the real atb_llm be imported and run where there is no Ascend software: no file of it is changed.

Stands in for the device's packages (``torch_npu``, ``acl``, ``_libatb_torch``), for ``torch.npu``, and sends
every tensor meant for a card to the processor. For a process of its own: it renames torch's spare backend and
leaves modules behind.
"""

from __future__ import annotations

import enum
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch
from torch.overrides import TorchFunctionMode

# What torch_npu says on an Atlas 800I A2; 200 to 205 are cards without bf16, on which stock takes other ways.
SOC_VERSION = 225


class OnProcessor(TorchFunctionMode):
    """Tensors asked for on ``npu`` are made on the processor. To be entered in every thread."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*map(_here, args), **{key: _here(value) for key, value in (kwargs or {}).items()})


def _here(value: object) -> object:
    on_card = (isinstance(value, str) and value.split(":")[0] == "npu") or (
        isinstance(value, torch.device) and value.type == "npu"
    )
    return torch.device("cpu") if on_card else value


class _Anything(ModuleType):
    """A module in which every name is a function that does nothing and returns its first argument."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: args[0] if args else None


@contextmanager
def _nothing():
    yield


def install(home: Path) -> None:
    """Put the stand-ins in place.

    Args:
        home: an empty folder for what atb_llm expects on disk, and for its logs.
    """
    # transformers looks for torch_npu on import; it must have looked before ours is there.
    import transformers.generation.utils
    import transformers.modeling_outputs
    import transformers.models.auto  # noqa: F401

    torch.utils.rename_privateuse1_backend("npu")
    npu = _Anything("torch_npu.npu")
    npu.config = SimpleNamespace(allow_internal_format=False)
    npu.is_available = lambda: True
    npu.stream = lambda stream: _nothing()
    npu.mem_get_info = lambda *device: (60 << 30, 64 << 30)
    core = _Anything("torch_npu._C")
    core._npu_get_soc_version = lambda: SOC_VERSION
    profiler = _Anything("torch_npu.profiler")
    profiler.ProfilerLevel = enum.Enum("ProfilerLevel", ["Level_none", "Level0", "Level1", "Level2"])
    torch_npu = _Anything("torch_npu")
    torch_npu.npu, torch_npu._C, torch_npu.profiler = npu, core, profiler
    torch.npu = npu
    plugins = ModuleType("mindie_llm.text_generator.plugins.plugin_manager")
    plugins.MemPoolType = enum.IntEnum("MemPoolType", {"DISABLED": 0, "SYNC_WRITE": 1, "ASYNC_WRITE": 2})
    sys.modules.update(
        {
            "torch_npu": torch_npu,
            "torch_npu.npu": npu,
            "torch_npu._C": core,
            "torch_npu.profiler": profiler,
            "acl": _Anything("acl"),
            "_libatb_torch": _Anything("_libatb_torch"),
            plugins.__name__: plugins,
        }
    )
    for cls in (torch.Tensor, torch.nn.Module):
        cls.npu = lambda self, *args, **kwargs: self
    torch.classes.load_library = lambda path: None
    _surroundings(home)


def _surroundings(home: Path) -> None:
    """What atb_llm asks the operating system: two tools, and folders it is told by the environment."""
    tools = home / "bin"
    tools.mkdir(parents=True)
    for name, answer in (("npu-smi", "NPU0 HCCS\nLegend"), ("lspci", "00:00.0 accelerators")):
        (tools / name).write_text(f"#!/bin/sh\nprintf '%b' '{answer}'\n")
        (tools / name).chmod(0o750)
    os.environ.update(
        PATH=f"{tools}:{os.environ['PATH']}",
        HOME=str(home),
        ATB_SPEED_HOME_PATH=str(home),
        MINDIE_LLM_HOME_PATH=str(home),
        BIND_CPU="0",
        MINDIE_LOG_TO_STDOUT="0",
        MINDIE_LOG_TO_FILE="0",
        MINDIE_LOG_LEVEL="error",
    )
