"""Convert a checkpoint, or fold its head, on this machine, with the programs that a deploy runs on nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lingctl.events import Listener
from lingctl.node.convert.engine import convert, default_target
from lingctl.node.convert.program import make_options
from lingctl.node.fold.folder import default_folded, fold
from lingctl.program.translate import telling, troubles_as_errors


def convert_weights(
    source: Path,
    target: Path | None,
    listener: Listener,
    *,
    max_shard_size: str = "5GB",
    layers_per_shard: int | None = None,
    verify: bool = True,
    force: bool = False,
) -> dict[str, Any]:
    """Convert ``source`` and give the summary: ``state`` (converted, unchanged, not-needed), ``folder``,
    ``shards``, ``tensors``, ``bytes``, ``seconds``, ``notes`` and more.

    Args:
        source: folder of the checkpoint, or its file.
        target: folder of the output; the source's name with ``_safetensor`` if not given.
        max_shard_size: most bytes of a file of the output, as typed.
        layers_per_shard: cut by layers instead of by size.
        verify: read the output back and compare it with the source.
        force: overwrite another output.

    Raises:
        UsageError: there is nothing to convert, or the options make no sense.
        LockedError: another conversion is writing there.
        WeightsError: the source is damaged, the disk full, or another output in the way.
    """
    with troubles_as_errors():
        options = make_options(max_shard_size, layers_per_shard, verify=verify, force=force)
        folder = str(target) if target else default_target(str(source))
        return convert(str(source), folder, options, telling(listener))


def fold_weights(source: Path, target: Path | None, *, force: bool, listener: Listener) -> dict[str, Any]:
    """Fold the normalisation of the head (norm_head) into lm_head, and give the summary: ``state`` (folded,
    unchanged, not-needed), ``folder``, ``file``, ``rows``, ``columns``, ``dtype``, the lengths of the
    ``shortest`` and ``longest`` column before, ``seconds``, ``notes`` and more.

    Args:
        source: folder of the weights, in safetensors.
        target: folder of the output; the source's name with ``_folded`` if not given.
        force: overwrite another output.

    Raises:
        UsageError: the weights are a PyTorch checkpoint.
        LockedError: another one is writing there.
        WeightsError: the weights are damaged or have no such head, the disk is full, or another output is in
            the way.
    """
    with troubles_as_errors():
        folder = str(target) if target else default_folded(str(source))
        return fold(str(source), folder, telling(listener), force=force)
