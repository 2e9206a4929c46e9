"""The engine's model: the same logits as an independent one, however it is cut."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lingctl.sandbox.engine.model.bfloat16 import rounded, to_bits
from lingctl.sandbox.engine.model.model import Cache, Model
from lingctl.sandbox.engine.model.placement import share_of, stock_heads
from lingctl.sandbox.engine.model.sampling import Sampler, Sampling
from lingctl.sandbox.engine.model.text import Growing, NoTemplate, Text
from lingctl.sandbox.engine.model.weights import Checkpoint, LoadError
from lingctl.sandbox.engine.tiny_models.checkpoint import SIZES, make_checkpoint, published_config, size_for
from lingctl.sandbox.engine.tiny_models.lessons import chat_text, lessons
from lingctl.sandbox.engine.tiny_models.teaching import body
from tests.engine_node import tiny

TOKENS = [5, 17, 900, 3, 44, 12, 7, 1000, 2]


def model_of(name, world=1, ranks=None, reduce=lambda x: x):
    shape = SIZES[name]
    heads = stock_heads(shape.heads, shape.kv_heads, world)
    chosen = share_of(world, range(world) if ranks is None else ranks, heads)
    return Model(Checkpoint(tiny(name)), shape, chosen, reduce)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["lite", "plus"])
def test_logits_are_those_of_the_independent_reference(name):
    torch = pytest.importorskip("torch", reason="the reference is written in torch")
    from safetensors.torch import load_file

    from tests.parity.reference import Reference

    tensors = {k: v for f in tiny(name).glob("*.safetensors") for k, v in load_file(f).items()}
    config = {**published_config(SIZES[name]), "head_dim": SIZES[name].head_dim}
    # The third argument is what the reference stores tables and head in; the engine rounds neither.
    wanted = Reference(config, tensors, torch.float32).logits(TOKENS)[-1].numpy()
    found = model_of(name).forward([(TOKENS, Cache())])[0]
    assert np.abs(found - wanted).max() < 1e-3 * np.abs(wanted).max()
    assert found.argmax() == wanted.argmax()


@pytest.mark.parametrize(("name", "world"), [("lite", 2), ("lite", 4), ("lite", 8), ("plus", 8)])
def test_one_process_with_all_ranks_computes_the_whole(name, world):
    whole = model_of(name).forward([(TOKENS, Cache())])
    cut = model_of(name, world).forward([(TOKENS, Cache())])
    np.testing.assert_allclose(cut, whole, rtol=1e-4, atol=1e-4)


def test_step_by_step_is_all_at_once():
    model, cache = model_of("lite"), Cache()
    for token in TOKENS:
        logits = model.forward([([token], cache)])
    np.testing.assert_allclose(logits, model.forward([(TOKENS, Cache())]), rtol=1e-4, atol=1e-4)


def test_sequences_in_one_batch_do_not_touch():
    model = model_of("lite")
    both = model.forward([(TOKENS, Cache()), (TOKENS[:4], Cache())])
    alone = [model.forward([(tokens, Cache())])[0] for tokens in (TOKENS, TOKENS[:4])]
    np.testing.assert_allclose(both, np.stack(alone), rtol=1e-4, atol=1e-4)


def test_heads_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r"56 % 16 != 0"):
        stock_heads(56, 8, 16)


def test_the_same_seed_makes_the_same_checkpoint(tmp_path):
    make_checkpoint(tmp_path, "lite", "safetensors", seed=0)
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in tiny("lite").iterdir()}
    for file in sorted(tmp_path.iterdir()):
        assert file.read_bytes() == (tiny("lite") / file.name).read_bytes(), file.name
    assert body(SIZES["lite"], 1).keys() == body(SIZES["lite"], 2).keys()


@pytest.mark.torch
def test_the_bin_checkpoint_holds_the_same_tensors(tmp_path):
    torch = pytest.importorskip("torch", reason="torch.load is the judge")
    from safetensors.torch import load_file

    loaded = torch.load(tiny("lite", "bin") / "pytorch_model.bin", weights_only=True)
    shards = {k: v for f in tiny("lite").glob("*.safetensors") for k, v in load_file(f).items()}
    assert loaded.keys() == shards.keys()
    assert all(torch.equal(loaded[name], shards[name]) for name in shards)


def test_bfloat16_rounds_to_even():
    values = np.array([1.0, 1.00390625, 1.01171875, -2.5, 3.1415927], dtype=np.float32)
    assert rounded(values).tolist() == [1.0, 1.0, 1.015625, -2.5, 3.140625]
    assert to_bits(np.float32([1.0])).tolist() == [0x3F80]


def test_lessons_and_template_agree():
    folder = tiny("lite")
    template = json.loads((folder / "tokenizer_config.json").read_text())["chat_template"]
    text = Text(folder, template)
    turns = [("system", "S"), ("user", "U"), ("assistant", "A"), ("user", "V")]
    messages = [{"role": role, "content": content} for role, content in turns]
    assert text.chat(messages) == chat_text(turns)
    assert all(text.decode(text.encode(answer)) == answer for _, answer in lessons())


def test_without_a_template_there_is_no_chat():
    with pytest.raises(NoTemplate, match="does not appear to have a chat template"):
        Text(tiny("lite"), None).chat([{"role": "user", "content": "x"}])


def test_text_grows_by_whole_characters():
    text = Text(tiny("lite"), None)
    growing, said = Growing(text), ""
    for token in text.encode("naïve 灵 🙂"):
        piece = growing.add(token)
        assert "\ufffd" not in piece
        said += piece
    assert said == "naïve 灵 🙂"


def test_sampling():
    logits = np.float32([0.0, 3.0, 2.9, -1.0])
    assert Sampler(Sampling()).choose(logits, [], []).token == 1
    draws = [Sampler(Sampling(temperature=1.0, seed=7)).choose(logits, [], []).token for _ in range(3)]
    assert len(set(draws)) == 1
    assert Sampler(Sampling(temperature=5.0, top_k=1)).choose(logits, [], []).token == 1
    assert Sampler(Sampling(temperature=5.0, top_p=0.01)).choose(logits, [], []).token == 1
    assert Sampler(Sampling(repetition_penalty=2.0)).choose(logits, [1], []).token == 2
    assert Sampler(Sampling(presence_penalty=1.0)).choose(logits, [1], [1]).token == 2


def test_damaged_shards_are_refused(tmp_path):
    shard = tmp_path / "model.safetensors"
    shard.write_bytes((next(tiny("lite").glob("*.safetensors"))).read_bytes()[:-10])
    with pytest.raises(LoadError, match=r"SafetensorError: .*incomplete metadata"):
        Checkpoint(tmp_path)
    shard.unlink()
    with pytest.raises(LoadError, match=r"No local weights found in .* with extension .safetensors"):
        Checkpoint(tmp_path)


def test_many_ranks_widen_the_experts_and_odd_ones_do_not():
    assert (size_for("plus", 16), size_for("plus", 24)) == (SIZES["plus"], SIZES["plus"])
    assert size_for("plus", 64).expert_width == 64
