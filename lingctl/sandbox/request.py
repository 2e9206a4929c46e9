"""What a sandbox is asked to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lingctl.errors import UsageError
from lingctl.sandbox.layout import MAX_NODES
from lingctl.sandbox.vllm import installation

Engine = Literal["mindie", "vllm"]
Model = Literal["lite", "plus"]
# Folder and catalogue name of the emulated models.
MODELS: dict[str, tuple[str, str]] = {
    "lite": ("Ling_lite", "Ling-lite"),
    "plus": ("Ling_plus", "Ling-plus"),
}


@dataclass(frozen=True)
class Request:
    """What a sandbox is to be."""

    engine: Engine = "mindie"  # emulated, or the real vLLM
    version: str = "1.0.0"  # of the engine
    nodes: int = 2  # number of nodes
    devices: int = 8  # cards on each
    model: Model = "plus"  # which tiny checkpoint lies on the nodes
    time_scale: float = 0.02  # factor on every documented delay

    @property
    def title(self) -> str:
        """The engine with its version, for people."""
        return f"{'MindIE' if self.engine == 'mindie' else 'vLLM'} {self.version}"


def request_for(
    engine: Engine,
    nodes: int | None = None,
    devices: int | None = None,
    model: Model | None = None,
    mindie: str | None = None,
    time_scale: float = Request.time_scale,
) -> Request:
    """A request with what is usual for the engine where nothing is said.

    A real engine starts a process with a gigabyte for each card: one node with one card is usual.

    Raises:
        UsageError: a version of MindIE is named for another engine.
    """
    if engine == "mindie":
        return Request(engine, mindie or "1.0.0", nodes or 2, devices or 8, model or "plus", time_scale)
    if mindie is not None:
        raise UsageError("--mindie goes with --engine mindie", remedy=f"vLLM is {installation.VERSION} here")
    return Request(engine, installation.VERSION, nodes or 1, devices or 1, model or "lite", time_scale)


def check(request: Request) -> None:
    """Refuse what cannot be.

    Raises:
        UsageError: names the value.
    """
    if not 1 <= request.nodes <= MAX_NODES:
        raise UsageError(f"{request.nodes} nodes cannot be", remedy=f"--nodes 1 to {MAX_NODES}")
    if not 1 <= request.devices <= 16:
        raise UsageError(f"{request.devices} cards a node cannot be", remedy="--devices 1 to 16")
    if request.model not in MODELS:
        raise UsageError(f"there is no tiny {request.model!r}", remedy="--model lite or --model plus")
    if not 0 < request.time_scale <= 1:
        raise UsageError(
            f"time scale {request.time_scale:g} cannot be", remedy="--time-scale above 0 and at most 1"
        )
