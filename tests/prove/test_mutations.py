"""Every mistake of the overlay that its own tests know is caught by the proof, by HTTP answers alone.

The overlay serves on sixteen emulated ranks, with the mistake in it, behind a service that tells all it can.
"""

from __future__ import annotations

import pytest

from lingctl.findings import Verdict

torch = pytest.importorskip("torch")

from tests.parity.checkpoints import case, make_tensors, write_checkpoint  # noqa: E402  (only where torch is)
from tests.parity.engine import contract_tree, edited_overlay, load_rank, run_ranks  # noqa: E402  (as above)
from tests.parity.test_mutations import _RANKS, _REFUSED, MUTATIONS  # noqa: E402  (as above)
from tests.prove.proving import proved  # noqa: E402  (as above)
from tests.prove.service import Said, Telling  # noqa: E402  (as above)

pytestmark = pytest.mark.torch

PROMPTS = tuple((5 + 3 * number, 17 + 101 * number, 900 - 7 * number) for number in range(9))
LENGTH = 8
OVERLAY = ("atb_llm", "models", "bailing_moe")


def answers_of(models) -> dict[str, Said]:
    """Greedy answers of the ranks, with the logits before each token."""
    texts, logits = [list(prompt) for prompt in PROMPTS], [[] for _ in PROMPTS]
    for _ in range(LENGTH):
        found = run_ranks(models, texts, [()] * len(texts))
        for text, told, rows in zip(texts, logits, found, strict=True):
            told.append(rows[0].tolist())
            text.append(int(rows[0].argmax()))
    return {
        " ".join(map(str, prompt)): Said(prompt, tuple(text[len(prompt) :]), told)
        for prompt, text, told in zip(PROMPTS, texts, logits, strict=True)
    }


def served(folder, checkpoint, edits, ranks):
    """What the overlay answers, with these edits."""
    with contract_tree(folder / "site"):
        edited_overlay((folder / "site").joinpath(*OVERLAY), edits)
        return answers_of([load_rank(checkpoint, rank, ranks) for rank in range(ranks)])


@pytest.fixture
def checkpoint(tmp_path):
    def make(name):
        config = case(name).config
        # The proof takes what was published: the overlay alone has to do without what is not stated.
        return write_checkpoint(tmp_path / name, case(name).served, make_tensors(config))

    return make


@pytest.mark.parametrize("name", ["lite", "plus-head-dim-unstated"])
def test_the_overlay_is_proved(tmp_path, checkpoint, name):
    folder = checkpoint(name)
    report = proved(tmp_path, folder, Telling(served(tmp_path, folder, (), 16)), LENGTH)
    assert report.exit_status == 0, report.findings
    assert {finding.verdict for finding in report.findings} == {Verdict.PASS}


@pytest.mark.parametrize("name", [name for name in MUTATIONS if name not in _REFUSED])
def test_a_mutation_is_caught_through_http(tmp_path, checkpoint, name):
    model, edit = MUTATIONS[name]
    folder = checkpoint(model)
    telling = Telling(served(tmp_path, folder, [edit], _RANKS.get(name, 16)))
    report = proved(tmp_path, folder, telling, LENGTH)
    assert report.exit_status == 1, report.findings
    assert any(finding.verdict is Verdict.FAILURE for finding in report.findings)
