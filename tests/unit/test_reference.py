"""What is generated from the code is as the code says now."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
DOCUMENTS = runpy.run_path(str(DOCS / "generate.py"))["documents"]()


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_the_reference_is_up_to_date(name):
    path = DOCS / "reference" / name
    assert path.read_text(encoding="utf-8") == DOCUMENTS[name], "run: make reference"
