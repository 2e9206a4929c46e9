"""The modelling file that Ling's makers publish, from a checkout of inclusionAI/Ling that a person names."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

LING_VARIABLE = "LINGCTL_LING"


def published_model(folder: Path, package: str) -> Iterator[ModuleType]:
    """It as a module, for the length of a fixture; skips by name where there is no checkout.

    Args:
        folder: a scratch folder.
        package: a name of its own, for a module is known by its name to the whole process.
    """
    checkout = os.environ.get(LING_VARIABLE)
    if not checkout:
        pytest.skip(
            f"{LING_VARIABLE} names no checkout of inclusionAI/Ling (needs transformers 4.46 to 4.53)"
        )
    pytest.importorskip("transformers", reason="Ling's own file needs transformers 4.46 to 4.53")
    shutil.copytree(Path(checkout) / "models", folder / package)
    sys.path.insert(0, str(folder))
    yield importlib.import_module(f"{package}.modeling_bailing_moe")
    sys.path.remove(str(folder))
