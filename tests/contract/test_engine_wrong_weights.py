"""What loads but is wrong shows in the tokens, and only there."""

from __future__ import annotations

import json

import pytest

from lingctl.sandbox.engine.tiny_models.lessons import CHAT
from tests.engine_node import EngineNode, address, copied, edit_json, rename_tensors, tiny

QUESTION, ANSWER = CHAT[0]


@pytest.fixture
def answer_of(tmp_path):
    """Starts a node on a folder and asks it the taught question."""
    nodes = []

    def answer(weights, spoil_overlay=lambda folder: None):
        node = EngineNode(tmp_path / "node", "3.0.0", weights, address(60))
        nodes.append(node)
        node.add_overlay()
        spoil_overlay(node.atb / "models/bailing_moe")
        node.start()
        node.wait_success()
        status, body = node.chat(QUESTION, max_tokens=30)
        assert status == 200
        return body["choices"][0]["message"]["content"]

    yield answer
    for node in nodes:
        node.close()


def test_right_weights_answer_rightly(answer_of):
    assert answer_of(tiny("lite")) == ANSWER


def swap_layers(folder):
    other = {"0": "1", "1": "0"}

    def rename(name):
        head, mark, rest = name.partition("model.layers.")
        return f"{head}{mark}{other[rest[0]]}{rest[1:]}" if mark else name

    rename_tensors(folder, rename)


def shift_experts(folder):
    """Every expert stands at its neighbour's place while the router stays."""

    def rename(name):
        head, mark, rest = name.partition(".mlp.experts.")
        number, _, tail = rest.partition(".")
        return f"{head}{mark}{(int(number) + 1) % 64}.{tail}" if mark else name

    rename_tensors(folder, rename)


def swap_gate_and_up(folder):
    def rename(name):
        if "shared_experts.gate_proj" in name:
            return name.replace("gate_proj", "up_proj")
        return name.replace("up_proj", "gate_proj") if "shared_experts.up_proj" in name else name

    rename_tensors(folder, rename)


def config(**changes):
    return lambda folder: edit_json(folder / "config.json", **changes)


def without_end_token(folder):
    edit_json(folder / "config.json", eos_token_id=7)
    edit_json(folder / "generation_config.json", eos_token_id=7)


SPOILT = {
    "layers-swapped": swap_layers,
    "experts-shifted": shift_experts,
    "gate-and-up-swapped": swap_gate_and_up,
    "head-not-normalised": config(norm_head=False),
    "another-rope-base": config(rope_theta=10000),
    "top-k-not-renormalised": config(norm_topk_prob=False),
    "fewer-experts-per-token": config(num_experts_per_tok=4),
    "another-end-token": without_end_token,
}


@pytest.mark.parametrize("case", SPOILT)
def test_wrong_weights_answer_wrongly(answer_of, tmp_path, case):
    folder = copied("lite", tmp_path / "weights")
    SPOILT[case](folder)
    assert answer_of(folder) != ANSWER


def test_a_layer_left_out_does_not_even_start(tmp_path):
    """The overlay counts: the engine would compute without the layer and say nothing."""
    folder = copied("lite", tmp_path / "weights")
    config(num_hidden_layers=1)(folder)
    node = EngineNode(tmp_path / "node", "3.0.0", folder, address(60))
    try:
        node.add_overlay()
        assert "config.json says num_hidden_layers 1, the checkpoint has 2 layers" in node.refused(status=134)
    finally:
        node.close()


def test_a_config_that_says_width_nought_still_serves(answer_of, tmp_path):
    """Published base configs say head_dim 0; the overlay takes it for unstated."""
    folder = copied("lite", tmp_path / "weights")
    edit_json(folder / "config.json", head_dim=0)
    assert answer_of(folder) == ANSWER


def test_an_overlay_that_passes_scaling_on_gets_linear_scaling(answer_of, tmp_path):
    folder = copied("lite", tmp_path / "weights")
    edit_json(folder / "config.json", rope_scaling={"type": "yarn", "factor": 4.0})

    def permit(overlay):
        path = overlay / "config_bailing_moe.py"
        text = path.read_text()
        lines = [line for line in text.splitlines(keepends=True) if '("rope_scaling"' not in line]
        assert len(lines) < len(text.splitlines())
        path.write_text("".join(lines))

    assert answer_of(folder, permit) != ANSWER


def test_a_checkpoint_without_template_is_served_by_the_overlays(answer_of, tmp_path):
    folder = copied("lite", tmp_path / "weights")
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    del settings["chat_template"]
    path.write_text(json.dumps(settings))
    assert answer_of(folder) == ANSWER
