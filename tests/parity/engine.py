"""Runs a served folder through an atb_llm tree on emulated ranks: prefill, then decode, with paged caches."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch
from torch import Tensor

from tests.parity.decoder_graph import DecoderGraph, World

CONTRACT = Path(__file__).parent / "contract"
OVERLAY = Path(__file__).parents[2] / "atb_patches" / "bailing_moe"
PROMPTS = ((5, 17, 900, 3, 44, 12, 7), (1000, 2), (8, 9, 10, 11))
CONTINUATIONS = ((1, 2, 3, 4), (50, 60, 70, 80), (500, 400, 300, 200))
BLOCK = 4
BLOCKS_PER_SEQUENCE = 4


@dataclass(frozen=True)
class Group:
    """A process group as stock code asks it."""

    own: int
    ranks: int

    def rank(self) -> int:
        return self.own

    def size(self) -> int:
        return self.ranks


def edited_overlay(target: Path, edits: Sequence[tuple[str, str, str]] = ()) -> Path:
    """A copy of the overlay with texts replaced: (file, old, new). Every old text must be there once."""
    shutil.copytree(OVERLAY, target, ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in edits:
        text = (target / name).read_text()
        assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times"
        (target / name).write_text(text.replace(old, new))
    return target


@contextmanager
def contract_tree(folder: Path) -> Iterator[ModuleType]:
    """The contract's atb_llm, importable while the block runs, copied to ``folder`` to add models to."""
    shutil.copytree(CONTRACT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    with _fresh_modules("atb_llm"), emulated_operations():
        sys.path.insert(0, str(folder))
        try:
            import atb_llm.models

            yield atb_llm.models
        finally:
            sys.path.remove(str(folder))


@contextmanager
def _fresh_modules(package: str) -> Iterator[None]:
    def own() -> list[str]:
        return [name for name in sys.modules if name == package or name.startswith(f"{package}.")]

    before = {name: sys.modules.pop(name) for name in own()}
    try:
        yield
    finally:
        for name in own():
            del sys.modules[name]
        sys.modules.update(before)


@contextmanager
def emulated_operations() -> Iterator[None]:
    """``torch.classes`` gives emulated graphs while the block runs."""
    nothing = SimpleNamespace(set_param=lambda text: None, execute=lambda inputs: inputs)
    names = {
        "ModelTorch": SimpleNamespace(ModelTorch=DecoderGraph),
        "OperationTorch": SimpleNamespace(OperationTorch=lambda name: nothing),
    }
    for name, value in names.items():
        setattr(torch.classes, name, value)
    try:
        yield
    finally:
        for name in names:
            delattr(torch.classes, name)


def mapping_of(**kinds: bool) -> SimpleNamespace:
    """A parallel mapping: pure tensor parallel but for the kinds named."""
    probes = ("has_dp", "has_moe_ep", "has_pp", "has_attn_cp", "has_attn_inner_sp", "has_attn_o_proj_tp")
    return SimpleNamespace(**{name: partial(kinds.get, name, False) for name in probes})


def load_rank(served: Path, rank: int, ranks: int, mapping: object = None, **kwargs: object) -> object:
    """One rank of the model in ``served``, through the contract's router and loader."""
    from atb_llm.models import get_model
    from atb_llm.utils.weights import Weights

    router = get_model(served)
    config = router.config
    weights = Weights(
        served,
        torch.device("cpu"),
        config.torch_dtype,
        process_group=Group(rank, ranks),
        mapping=mapping or mapping_of(),
    )
    return router.model_cls(config, weights, **kwargs)


def run_ranks(
    models: Sequence[object], prompts=PROMPTS, continuations=CONTINUATIONS, around=torch.no_grad
) -> list[Tensor]:
    """Prefill and decode on all ranks at once; for each sequence the logits after every fed token but
    the prompt's.

    Args:
        around: context that every rank's thread runs in.

    Returns:
        for each sequence [1 + continuation, vocabulary]; every rank returned the same.
    """
    world = World(len(models))
    for model in models:
        model.acl_encoder_operation.world = model.acl_decoder_operation.world = world
    works = [lambda m=model: _serve(m, prompts, continuations) for model in models]
    results = _in_threads(world, works, around)
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            assert torch.equal(mine, theirs), "ranks disagree"
    return results[0]


def _in_threads(
    world: World, works: Sequence[Callable[[], list[Tensor]]], around: Callable[[], AbstractContextManager]
) -> list[list[Tensor]]:
    results: list[list[Tensor]] = [[] for _ in works]
    errors: list[BaseException] = []

    def run(index: int) -> None:
        try:
            with torch.no_grad(), around():
                results[index] = works[index]()
        except threading.BrokenBarrierError:
            pass
        except BaseException as error:
            errors.append(error)
            world.abort()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def _serve(
    model: object, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]
) -> list[Tensor]:
    count = len(prompts)
    # Blocks of one sequence lie apart, so that a cache read in a row would be noticed.
    tables = torch.arange(count * BLOCKS_PER_SEQUENCE).view(BLOCKS_PER_SEQUENCE, count).t().contiguous()
    shape = (count * BLOCKS_PER_SEQUENCE, BLOCK, model.num_key_value_heads, model.head_size)
    caches = [(torch.zeros(shape), torch.zeros(shape)) for _ in range(model.num_layers)]
    lengths = [len(prompt) for prompt in prompts]

    def slot(sequence: int, position: int) -> int:
        return int(tables[sequence, position // BLOCK]) * BLOCK + position % BLOCK

    def step(tokens: list[int], places: list[tuple[int, int]], prefill: bool) -> Tensor:
        last = torch.tensor([sum(lengths[: i + 1]) - 1 for i in range(count)]) if prefill else None
        return model.forward(
            torch.tensor(tokens),
            torch.tensor([position for _, position in places]),
            prefill,
            caches,
            tables,
            torch.tensor([slot(*place) for place in places]),
            torch.tensor(lengths),
            max(lengths),
            last,
        )

    fed = [(i, p) for i, prompt in enumerate(prompts) for p in range(len(prompt))]
    steps = [step([token for prompt in prompts for token in prompt], fed, True)]
    for turn in range(len(continuations[0])):
        places = [(i, lengths[i]) for i in range(count)]
        lengths = [length + 1 for length in lengths]
        steps.append(step([tokens[turn] for tokens in continuations], places, False))
    return [torch.stack([logits[i] for logits in steps]) for i in range(count)]


def worst_difference(found: Sequence[Tensor], reference: Callable[[Sequence[int]], Tensor]) -> float:
    """Largest absolute difference of any logit to the reference's."""
    worst = 0.0
    for index, logits in enumerate(found):
        tokens = [*PROMPTS[index], *CONTINUATIONS[index]]
        wanted = reference(tokens)[len(PROMPTS[index]) - 1 :]
        worst = max(worst, float((logits - wanted).abs().max()))
    return worst


def read_config(served: Path) -> dict[str, object]:
    """config.json of a folder."""
    return json.loads((served / "config.json").read_text())
