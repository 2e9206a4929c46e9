"""The reference beside implementations by other hands: a torch model, the published code, llama.cpp."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lingctl.node.prove.architecture import shape_of
from lingctl.node.prove.arrays import NumpyArrays, TorchArrays
from lingctl.node.prove.reference import Sequenced, run_reference
from lingctl.node.prove.stored import StoredTensors
from lingctl.node.trouble import Trouble

torch = pytest.importorskip("torch")
from safetensors.torch import save_file  # noqa: E402  (only where torch is)

from tests.parity.checkpoints import CASES, case, make_tensors, write_checkpoint  # noqa: E402  (as above)
from tests.parity.reference import Reference  # noqa: E402  (as above)
from tests.published import published_model  # noqa: E402  (as above)

pytestmark = pytest.mark.torch

TOKENS = (5, 17, 900, 3, 44, 12, 7, 1000, 2, 8, 9, 10, 11, 500, 400, 300, 200, 1, 2, 3)
FUSED = "model.layers.0.attention.query_key_value.weight"
AGREES = 1e-5
CONTROLS = ("experts-exchanged", "heads-dealt-wrongly", "router-likelihoods", "head-normalisation")

_YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
# What the overlay has no graph for, and the published code has.
_MORE = {
    "yarn": {"norm_head": False, "rope_scaling": _YARN},
    "linear positions": {"norm_head": False, "rope_scaling": {"type": "linear", "factor": 2.0}},
    "biases": {"norm_head": False, "use_bias": True, "use_qkv_bias": True},
    "one key head": {"num_key_value_heads": 1},
}
PUBLISHED = {
    **{case.name: (case.config, case.served) for case in CASES},
    **{name: (dict(case("lite").config) | more,) * 2 for name, more in _MORE.items()},
}


def tensors_of(config):
    tensors = make_tensors(config)
    generator = torch.Generator().manual_seed(3)
    for layer in range(config["num_hidden_layers"]):
        for flag, name in (("use_bias", "dense"), ("use_qkv_bias", "query_key_value")):
            if config.get(flag):
                name = f"model.layers.{layer}.attention.{name}"
                rows = len(tensors[f"{name}.weight"])
                tensors[f"{name}.bias"] = torch.randn(rows, generator=generator).bfloat16()
    return tensors


def logits_of(folder, config, arrays, files=("model.safetensors",), wanted=range(0, 1024, 7)):
    """The reference's logits of some tokens at every place but the first, and its first choices."""
    stored = StoredTensors(str(folder), files)
    try:
        shape = shape_of(config, stored.places[FUSED].shape[0], "config.json")
        asked = tuple((token, *wanted) for token in TOKENS[1:])
        done = run_reference(arrays, shape, stored, [Sequenced(TOKENS, 1, asked)])
    finally:
        stored.close()
    told = [place.choices["exact"] for place in done.texts[0]]
    return torch.tensor([one.wanted[1:] for one in told]), [one.token for one in told], done


@pytest.fixture(params=[NumpyArrays, TorchArrays], ids=["numpy", "torch"])
def arrays(request):
    return request.param()


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_a_model_by_other_hands_agrees(tmp_path, name, arrays):
    tensors = make_tensors(case(name).config)
    folder = write_checkpoint(tmp_path / "model", case(name).served, tensors)
    mine, first, _ = logits_of(folder, case(name).served, arrays)
    theirs = Reference(case(name).config, tensors, stored=torch.float32).logits(TOKENS)[:-1]
    assert float((mine - theirs[:, range(0, 1024, 7)]).abs().max()) <= AGREES
    assert first == theirs.argmax(-1).tolist()


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The modelling file that Ling's makers publish."""
    yield from published_model(tmp_path_factory.mktemp("published"), "published_ling_of_prove")


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_code_agrees(published, tmp_path, name, arrays):
    config, served = PUBLISHED[name]
    tensors = tensors_of(config)
    settings = published.BailingMoeConfig(**{**config, "torch_dtype": "float32"})
    settings._attn_implementation = "eager"
    model = published.BailingMoeForCausalLM(settings).eval()
    assert not model.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=False)[1]
    with torch.no_grad():
        theirs = model(torch.tensor([TOKENS])).logits[0, :-1]
    folder = write_checkpoint(tmp_path / "model", served, tensors)
    mine, first, _ = logits_of(folder, served, arrays)
    assert float((mine - theirs[:, range(0, 1024, 7)]).abs().max()) <= AGREES
    assert first == theirs.argmax(-1).tolist()


def test_numpy_and_torch_agree_in_everything_that_they_tell(tmp_path):
    folder = write_checkpoint(tmp_path / "model", case("plus").served, make_tensors(case("plus").config))
    one, other = (logits_of(folder, case("plus").served, kind())[2] for kind in (NumpyArrays, TorchArrays))
    assert one.controls == other.controls == CONTROLS
    for mine, theirs in zip(one.texts[0], other.texts[0], strict=True):
        assert mine.candidates == theirs.candidates
        for name, choice in mine.choices.items():
            if name != "rounded":  # the last bit before a rounding decides a great deal behind it
                assert choice.token == theirs.choices[name].token
                assert choice.log_sum == pytest.approx(theirs.choices[name].log_sum, abs=AGREES)


def test_each_control_is_another_model(tmp_path, arrays):
    folder = write_checkpoint(tmp_path / "model", case("plus").served, make_tensors(case("plus").config))
    done = logits_of(folder, case("plus").served, arrays)[2]
    noise = max(
        abs(r - e) for place in done.texts[0] for r, e in zip(place.rounded, place.exact, strict=True)
    )
    for name in done.controls:
        off = [
            abs(a - b)
            for place in done.texts[0]
            for a, b in zip(place.choices[name].wanted, place.choices["exact"].wanted, strict=True)
        ]
        assert max(off) > 2 * noise, name


def test_a_head_that_is_normalised_already_is_no_control(tmp_path, arrays):
    tensors = make_tensors(case("lite").config)
    head = tensors["lm_head.weight"].float()
    tensors["lm_head.weight"] = (head / head.norm(dim=0)).bfloat16()
    folder = write_checkpoint(tmp_path / "model", case("lite").served, tensors)
    done = logits_of(folder, case("lite").served, arrays)[2]
    assert "head-normalisation" not in done.controls
    assert "length 1 already" in done.not_made["head-normalisation"]


def test_shards_and_other_floats_are_read_too(tmp_path, arrays):
    config, tensors = case("lite-1.5").config, make_tensors(case("lite-1.5").config)
    folder = write_checkpoint(tmp_path / "one", config, tensors)
    whole = logits_of(folder, config, arrays)[0]
    names = sorted(tensors)
    for kind in (torch.bfloat16, torch.float32):
        for number, part in enumerate((names[::2], names[1::2])):
            save_file({name: tensors[name].to(kind).contiguous() for name in part}, tmp_path / f"{number}.st")
        assert torch.equal(logits_of(tmp_path, config, arrays, ["0.st", "1.st"])[0], whole)


def test_experts_that_no_token_takes_are_not_read(tmp_path, arrays):
    config = {**case("lite-1.5").config, "num_experts": 64, "num_experts_per_tok": 1, "norm_topk_prob": False}
    tensors = make_tensors(config)
    folder = write_checkpoint(tmp_path / "model", config, tensors)
    size = (folder / "model.safetensors").stat().st_size
    done = logits_of(folder, config, arrays)[2]
    assert 0 < done.read_bytes < 0.8 * size


WRONG = {
    "another family": ({"architectures": ["BailingMoeV2ForCausalLM"]}, "BailingMoeV2"),
    "heads that do not divide": ({"num_key_value_heads": 3}, "do not divide"),
    "another width of heads": ({"head_dim": 32}, "head_dim is 32"),
    "grouped experts": ({"n_group": 8}, "n_group"),
    "a sigmoid router": ({"score_function": "sigmoid"}, "score_function"),
    "another activation": ({"hidden_act": "gelu"}, "hidden_act"),
    "quantised": ({"quantize": "w8a8"}, "quantize"),
    "unknown positions": ({"rope_scaling": {"type": "longrope", "factor": 2}}, "longrope"),
    "no number": ({"num_hidden_layers": "2"}, "num_hidden_layers"),
    "tied and normalised": ({"tie_word_embeddings": True}, "norm_head"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_what_is_not_computed_is_refused(mistake):
    changes, word = WRONG[mistake]
    config = {**case("lite").config, **changes}
    with pytest.raises(Trouble) as caught:
        shape_of(config, 24 * 16, "config.json")
    assert word in caught.value.what


UNFIT = {
    "a layer more": ({"num_hidden_layers": 3}, "missing"),
    "a layer less": ({"num_hidden_layers": 1}, "does not call for"),
    "another vocabulary": ({"vocab_size": 1000}, "another shape"),
    "biases that are not there": ({"use_bias": True}, "missing"),
}


@pytest.mark.parametrize("mistake", UNFIT)
def test_weights_of_another_model_are_refused(tmp_path, mistake):
    changes, word = UNFIT[mistake]
    folder = write_checkpoint(tmp_path / "model", case("lite").config, make_tensors(case("lite").config))
    with pytest.raises(Trouble) as caught:
        logits_of(folder, {**case("lite").config, **changes}, NumpyArrays())
    assert word in caught.value.what


def test_weights_that_are_no_numbers_are_told(tmp_path, arrays):
    tensors = make_tensors(case("lite").config)
    tensors["model.norm.weight"][3] = float("nan")
    folder = write_checkpoint(tmp_path / "model", case("lite").config, tensors)
    with pytest.raises(Trouble) as caught:
        logits_of(folder, case("lite").config, arrays)
    assert "no numbers" in caught.value.what


def test_head_dim_is_that_of_the_weights():
    config = {key: value for key, value in case("plus").config.items() if key != "head_dim"}
    for unstated in ({}, {"head_dim": 0}, {"head_dim": None}):
        assert shape_of({**config, **unstated}, (56 + 16) * 16, "").head_dim == 16


def test_yarn_turns_as_published():
    """Frequencies that the published code makes of Ling-lite-1.5's numbers and factor 4."""
    from lingctl.node.prove.architecture import Rope
    from lingctl.node.prove.rotary import frequencies

    rope = Rope(600000.0, 32768, "yarn", 4.0, 32768)
    turns, scale = frequencies(rope, 128)
    assert scale == pytest.approx(1.1386294361119891)
    wanted = json.loads((Path(__file__).parent / "yarn.json").read_text())
    assert turns == pytest.approx(wanted, rel=1e-5)
