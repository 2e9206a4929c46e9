"""The reference against implementations by other hands."""

from types import SimpleNamespace

import pytest
import torch

from tests.parity.checkpoints import CASES, TOLERANCE, case, make_tensors
from tests.parity.engine import PROMPTS
from tests.parity.reference import Reference
from tests.published import published_model

pytestmark = pytest.mark.torch


def test_the_sandbox_model_agrees(checkpoints):
    """The sandbox's numpy model was written by other hands from the same description."""
    pytest.importorskip("numpy")
    from lingctl.sandbox.engine.model.architecture import architecture_of
    from lingctl.sandbox.engine.model.model import Cache, Model
    from lingctl.sandbox.engine.model.placement import share_of, stock_heads

    wanted = case("lite-1.5").config
    tensors = make_tensors(wanted)

    class Tensors:
        def tensor(self, name, shape=None):
            return tensors[name].float().numpy()

    shape = architecture_of(SimpleNamespace(**wanted))
    model = Model(Tensors(), shape, share_of(1, [0], stock_heads(16, 4, 1)), lambda part: part)
    tokens = list(PROMPTS[0])
    theirs = model.forward([(tokens, Cache())])[0]
    ours = checkpoints("lite-1.5")[1].logits(tokens)[-1]
    # The second opinion keeps its rope tables in float32, ours are rounded to bf16.
    assert float((ours - torch.from_numpy(theirs)).abs().max()) < 2e-2
    unrounded = Reference(wanted, tensors, stored=torch.float32).logits(tokens)[-1]
    assert float((unrounded - torch.from_numpy(theirs)).abs().max()) <= 5e-6


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The modelling file that Ling's makers publish."""
    yield from published_model(tmp_path_factory.mktemp("published"), "published_ling")


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_the_published_model_agrees(published, name):
    wanted = case(name).config
    tensors = make_tensors(wanted)
    config = published.BailingMoeConfig(**{**wanted, "torch_dtype": "float32"})
    config._attn_implementation = "eager"
    model = published.BailingMoeForCausalLM(config).eval()
    missing, unexpected = model.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=False)
    assert not unexpected
    assert not [key for key in missing if "inv_freq" not in key]
    reference = Reference(wanted, tensors, stored=torch.float32)
    for prompt in PROMPTS:
        with torch.no_grad():
            theirs = model(torch.tensor([prompt])).logits[0]
        assert float((theirs - reference.logits(prompt)).abs().max()) <= TOLERANCE
