"""The ``vllm`` of the emulated vllm-ascend image: vLLM itself, on this machine's processor.

The image holds a copy of this file as /usr/local/bin/vllm; standard library only, and it runs with the
packages of the real vLLM. What the command line and the environment say reaches vLLM as it was given. Before
that this does what only vllm-ascend would: it looks for the driver and the cards, which a processor's build
does not. Beside it stands what the tiny model needs to fit into a small machine, where nothing else is said.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

_CARDS = "ASCEND_RT_VISIBLE_DEVICES"
_DRIVER = "libascend_hal.so"
_ATB = "libatb.so"
# Of the tiny models at most 4.3 KB a token: enough for one request as long as the window, and some more.
_CACHE_BYTES, _CACHE_BYTES_A_TOKEN = 64 << 20, 5 << 10
_WINDOW = 16384


def refusal(arguments: Sequence[str], environment: dict[str, str], dev: Path = Path("/dev")) -> str:
    """What vllm-ascend says, and ends at, where the container does not give it what it needs; else empty.

    Words: its documentation's list of known errors, and torch_npu's of a card that is not there. Not tried on
    a card.
    """
    libraries = [Path(place) for place in environment.get("LD_LIBRARY_PATH", "").split(":") if place]
    if not _found(_ATB, libraries):
        return f"ImportError: {_ATB}: cannot open shared object file: No such file or directory"
    there = {path.name.removeprefix("davinci") for path in dev.glob("davinci[0-9]*")}
    managers = all((dev / name).exists() for name in ("davinci_manager", "devmm_svm", "hisi_hdc"))
    if not (there and managers and _found(_DRIVER, libraries)):
        return "RuntimeError: Failed to infer device type"
    # A container's cards are counted from 0, whatever they are called: a user's report of physical ids.
    # What follows a number that is none does not count, and nothing does where they do not ascend.
    numbers = [str(number) for number in range(len(there))]
    visible = environment.get(_CARDS, ",".join(numbers)).replace(" ", "").split(",")
    here = [int(card) for card in takewhile(numbers.__contains__, visible)]
    here, needed = here if here == sorted(set(here)) else [], cards_needed(arguments)
    if needed > len(here):
        return (
            "RuntimeError: SetDevice:build/CMakeFiles/torch_npu/NPUFunctions.cpp:NPU function error: "
            f"aclrtSetDevice, error code is 107001\n[Error]: Invalid device ID.\n        Check whether the "
            f"device ID is valid: {needed} are wanted, {len(here)} are there"
        )
    return ""


def cards_needed(arguments: Sequence[str]) -> int:
    """How many cards of this node a command line takes."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for names in (("--tensor-parallel-size", "-tp"), ("--pipeline-parallel-size", "-pp")):
        parser.add_argument(*names, type=int, default=1)
    for name in ("--nnodes", "--data-parallel-size-local"):
        parser.add_argument(name, type=int, default=1)
    known, _ = parser.parse_known_args(list(arguments))
    ranks: int = known.tensor_parallel_size * known.pipeline_parallel_size // max(1, known.nnodes)
    copies: int = known.data_parallel_size_local
    return max(1, ranks) * max(1, copies)


def extras(arguments: Sequence[str]) -> list[str]:
    """What a small machine needs and a server with cards does not, where the command line does not say it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--max-model-len", default=str(_WINDOW))
    window = parser.parse_known_args(list(arguments))[0].max_model_len
    tokens = int(window) if window.isdecimal() else _WINDOW
    wanted = {
        "--kv-cache-memory-bytes": [str(_CACHE_BYTES + _CACHE_BYTES_A_TOKEN * tokens)],
        # Compiling takes most of a minute at the first start.
        "--enforce-eager": [],
    }
    given = {word.partition("=")[0] for word in arguments}
    return [part for name, value in wanted.items() if name not in given for part in (name, *value)]


def _found(library: str, places: Sequence[Path]) -> bool:
    return any((place / library).exists() for place in places)


def main() -> int:
    """Become vLLM; returns where it is refused, or ends."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"]:
        problem = refusal(arguments, dict(os.environ))
        if problem:
            print(problem, file=sys.stderr)
            return 1
        os.environ.pop(_CARDS, None)
        # It counts in whole GiB, and would win.
        os.environ.pop("VLLM_CPU_KVCACHE_SPACE", None)
        sys.argv += extras(arguments)
    # Found in the image alone, where the packages of the real vLLM are.
    from importlib import import_module

    status = import_module("vllm.entrypoints.cli.main").main()
    return int(status or 0)


if __name__ == "__main__":
    sys.exit(main())
