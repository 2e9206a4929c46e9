"""Runs cases through the real atb_llm of a MindIE-LLM checkout: ``python -m tests.parity.real_tree``.

Goes the engine's way, through ``ModelRunner``; the C++ graph and the device alone are stood in for. One case
a line on standard output, as JSON: name, ranks and the largest difference of a logit to the reference.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import torch

from tests.parity import device_stand_in
from tests.parity.checkpoints import CASES, TENSOR_PARALLEL, case, make_tensors, write_checkpoint
from tests.parity.engine import OVERLAY, emulated_operations, run_ranks, worst_difference
from tests.parity.reference import Reference

CHECKOUT_VARIABLE = "LINGCTL_MINDIE_LLM"


def prepare(checkout: Path, target: Path, overlay: Path = OVERLAY) -> Path:
    """A copy of the checkout's Python packages with the overlay added; returns the folder to import from."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(checkout / "examples" / "atb_models" / "atb_llm", target / "atb_llm", ignore=ignore)
    shutil.copytree(checkout / "mindie_llm", target / "mindie_llm", ignore=ignore)
    shutil.copytree(overlay, target / "atb_llm" / "models" / "bailing_moe", ignore=ignore)
    return target


def start(site: Path, home: Path) -> None:
    """Make the prepared tree importable in this process."""
    sys.dont_write_bytecode = True
    device_stand_in.install(home)
    sys.path.insert(0, str(site))
    torch.set_num_threads(1)


def load_rank(served: Path, rank: int, ranks: int) -> object:
    """One rank of the model, as a worker process of the engine loads it."""
    from atb_llm.runner.model_runner import ModelRunner

    runner = ModelRunner(str(served), rank=rank, world_size=ranks)
    runner.load_weights()
    return runner.model


def add_tokenizer(served: Path, size: int) -> None:
    """A tokenizer of one token a word: the engine loads none without."""
    from tokenizers import Tokenizer, models

    words = Tokenizer(models.WordLevel({f"t{index}": index for index in range(size)}, unk_token="t0"))
    words.save(str(served / "tokenizer.json"))
    said = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": f"t{size - 1}"}
    (served / "tokenizer_config.json").write_text(json.dumps(said))
    for path in served.glob("tokenizer*"):
        path.chmod(0o640)


def difference(served: Path, reference: Reference, ranks: int) -> float:
    """Largest difference of a logit to the reference, over prefill and decode steps."""
    with device_stand_in.OnProcessor(), emulated_operations():
        models = [load_rank(served, rank, ranks) for rank in range(ranks)]
        found = run_ranks(models, around=device_stand_in.OnProcessor)
    return worst_difference(found, reference.logits)


def stock_deepseek(here: Path, between: Path) -> float:
    """Largest change of stock DeepSeek's logits by loading a Ling model in the same process."""
    from tests.parity.stock_deepseek import in_bfloat16, write_deepseek

    served, _ = write_deepseek(here)
    add_tokenizer(served, 1024)

    def run(folder: Path) -> list[torch.Tensor]:
        with device_stand_in.OnProcessor(), emulated_operations():
            models = [load_rank(folder, rank, 2) for rank in range(2)]
            return run_ranks(models, around=device_stand_in.OnProcessor)

    with in_bfloat16():
        before = run(served)
    run(between)
    with in_bfloat16():
        after = run(served)
    return max(float((old - new).abs().max()) for old, new in zip(before, after, strict=True))


def main() -> None:
    """Run the cases named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES])
    parser.add_argument("--ranks", type=int, action="append")
    parser.add_argument("--overlay", type=Path, default=OVERLAY)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        here.chmod(0o750)
        start(prepare(wanted.checkout.absolute(), here / "site", wanted.overlay), here / "home")
        for name in wanted.case or [case.name for case in CASES]:
            config = case(name).config
            tensors = make_tensors(config)
            served = write_checkpoint(here / name, case(name).served, tensors)
            add_tokenizer(served, config["vocab_size"])
            reference = Reference(config, tensors)
            for ranks in wanted.ranks or TENSOR_PARALLEL:
                _tell(name, ranks, difference(served, reference, ranks))
        if not wanted.case:
            _tell("stock deepseek", 2, stock_deepseek(here, served))


def _tell(name: str, ranks: int, worst: float) -> None:
    print(json.dumps({"case": name, "ranks": ranks, "difference": worst}), flush=True)


if __name__ == "__main__":
    main()
