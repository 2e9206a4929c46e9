"""The same cases on the real atb_llm. Opt-in: ``LINGCTL_MINDIE_LLM`` names a checkout of Ascend/MindIE-LLM.

Needs transformers below 5 beside torch; takes about a minute. Results by version are in docs/overlay.md.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parity.checkpoints import CASES, TENSOR_PARALLEL, case
from tests.parity.real_tree import CHECKOUT_VARIABLE

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def differences():
    """Largest difference by case and number of ranks; made in a process of its own, for what it imports."""
    checkout = os.environ.get(CHECKOUT_VARIABLE)
    if not checkout:
        pytest.skip(f"{CHECKOUT_VARIABLE} names no checkout of Ascend/MindIE-LLM")
    pytest.importorskip("transformers", reason="atb_llm needs transformers below 5")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.parity.real_tree", checkout],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert ran.returncode == 0, ran.stderr
    lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    return {(line["case"], line["ranks"]): line["difference"] for line in lines}


@pytest.mark.parametrize("ranks", TENSOR_PARALLEL)
@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_logits_match_the_reference(differences, name, ranks):
    assert differences[name, ranks] <= case(name).tolerance


def test_stock_deepseek_is_untouched(differences):
    """Its logits before and after a Ling model was loaded in the same process are the same to the bit."""
    assert differences["stock deepseek", 2] == 0.0
