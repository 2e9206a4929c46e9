"""Tiny checkpoints that were made before: one costs two seconds of a processor, a copy a hundredth of one.

Kept in the user's cache, by what they are made of: the code that makes them, numpy, and their numbers. What
nobody asked for in a month is taken away.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path

from lingctl.sandbox.engine import model as model_package
from lingctl.sandbox.engine import tiny_models
from lingctl.sandbox.engine.tiny_models.checkpoint import TinyForm, TinyModel, make_checkpoint, size_for

_FOLDER = "tiny-models"
_KEPT_SECONDS = 30 * 86_400


def kept_checkpoint(
    directory: Path,
    model: TinyModel,
    form: TinyForm,
    *,
    ranks: int = 1,
) -> None:
    """Fill a folder as ``make_checkpoint`` does, seed 0; from the user's cache where that can be.

    Args:
        directory: folder to fill; made if missing.
        model: which architecture.
        form: one ``pytorch_model.bin`` or sharded safetensors.
        ranks: how many the model is to be cut into.
    """
    width = size_for(model, ranks).expert_width
    try:
        kept = _cache() / f"{model}-{form}-{width}-{_made_of()}"
        if not kept.exists():
            _keep(kept, model, form, ranks)
        shutil.copytree(kept, directory, copy_function=shutil.copyfile, dirs_exist_ok=True)
        os.utime(kept)
    except (
        OSError,
        RuntimeError,
    ):  # no room, no home, taken away meanwhile: none of it keeps a checkpoint from being made
        make_checkpoint(directory, model, form, ranks=ranks)


def _keep(kept: Path, model: TinyModel, form: TinyForm, ranks: int) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    for old in kept.parent.iterdir():
        if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    part = Path(tempfile.mkdtemp(dir=kept.parent, prefix=".part-"))
    try:
        # A folder of its own, with the modes that a folder has.
        make_checkpoint(part / "made", model, form, ranks=ranks)
        if not kept.exists():
            (part / "made").rename(kept)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _cache() -> Path:
    named = os.environ.get("XDG_CACHE_HOME")
    return (Path(named) if named else Path.home() / ".cache") / "lingctl" / _FOLDER


@cache
def _made_of() -> str:
    """A digest of all that a checkpoint is made of, but for its numbers."""
    digest = hashlib.sha256()
    for package in (tiny_models, model_package):
        for source in sorted(Path(package.__path__[0]).glob("*.py")):
            digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    for library in ("numpy", "tokenizers"):
        digest.update(version(library).encode() + b"\0")
    return digest.hexdigest()[:16]
