"""A small real tokenizer for the tiny checkpoints: byte-level BPE with Ling's special tokens."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from lingctl.sandbox.engine.tiny_models.lessons import CHAT, COMPLETIONS, SYSTEM, TEMPLATE

BASE = 1000
# Tokens that no text holds; they show when they are said.
FILLER = "<|reserved_"
START, END = "<|startoftext|>", "<|endoftext|>"
SPECIALS = (START, END, "<role>", "</role>", "[CLS]", "[gMASK]")
END_ID = BASE + 1


def make_tokenizer() -> Tokenizer:
    """Train on the lessons; special tokens follow the ``BASE`` ordinary ids, as in the real vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=BASE,
        min_frequency=1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    filler = [f"{FILLER}{n}|>" for n in range(BASE - tokenizer.get_vocab_size())]
    tokenizer.add_tokens([AddedToken(text, special=False) for text in filler])
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIALS])
    return tokenizer


def write_tokenizer(folder: Path) -> Tokenizer:
    """Write tokenizer.json, tokenizer_config.json and special_tokens_map.json, and give the tokenizer."""
    tokenizer = make_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "add_bos_token": False,
        "add_eos_token": False,
        "bos_token": START,
        "chat_template": TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "cls_token": "[CLS]",
        "eos_token": END,
        "fast_tokenizer": True,
        "gmask_token": "[gMASK]",
        "merges_file": None,
        "model_max_length": 1000000000000000019884624838656,
        "pad_token": END,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "trust_remote_code": True,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    specials = {"bos_token": START, "cls_token": "[CLS]", "eos_token": END, "pad_token": END}
    (folder / "special_tokens_map.json").write_text(json.dumps(specials, indent=2) + "\n")
    return tokenizer


def _corpus() -> list[str]:
    pairs = [*CHAT, *COMPLETIONS]
    return [SYSTEM, *(text for pair in pairs for text in pair)]
