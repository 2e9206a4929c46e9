"""What is generated from the code is as the code says now."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from lingctl.mindie.logs.log_reader import MINDIE_LOGS
from lingctl.vllm.logs.log_reader import VLLM_LOGS

DOCS = Path(__file__).resolve().parents[2] / "docs"
DOCUMENTS = runpy.run_path(str(DOCS / "generate.py"))["documents"]()


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_the_reference_is_up_to_date(name):
    path = DOCS / "reference" / name
    assert path.read_text(encoding="utf-8") == DOCUMENTS[name], "run: make reference"


def test_a_pattern_that_holds_a_backtick_is_shown_as_one_piece_of_code():
    patterns = [
        failure.pattern
        for logs in (MINDIE_LOGS, VLLM_LOGS)
        for failure in logs.catalogue.rows
        if failure.pattern and "`" in failure.pattern
    ]
    page = DOCUMENTS["failures.md"].replace("\\|", "|")
    assert patterns
    assert [one for one in patterns if f"`` {one} ``" not in page] == []
