"""Whether the cards of this node compute and talk: a bf16 product on each, an all-reduce over all.

Run by the container's Python, which has torch and torch_npu. One worker process a card, as the engine has it.
``--device cpu`` goes the same way with torch's own gloo, to prove the way where there is no card.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.metadata
import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from datetime import timedelta
from typing import IO, Any, Dict, List, Optional, Tuple

from lingctl.node.daemons import running_daemons
from lingctl.node.foreign_json import foreign_json
from lingctl.node.progress import Report
from lingctl.node.trouble import Trouble

_SIZE = 512
# bf16 keeps 8 bits: each entry of a product of 512 terms is off by some 2^-8 of the largest at most.
_TOLERANCE = 1e-2
# What a worker may take beyond the time limit of its all-reduce: importing torch_npu takes half a minute.
_SLACK = 120
_PORTS = ("HCCL_HOST_SOCKET_PORT_RANGE", "HCCL_NPU_SOCKET_PORT_RANGE")
# Of what a worker says, the answer is the last line; CANN may log a great deal before it.
_LAST_WORDS = 65536


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the program."""
    parser.add_argument("--device", choices=("npu", "cpu"), default="npu")
    parser.add_argument("--cards", type=int, help="how many are expected; cpu: how many workers to start")
    parser.add_argument("--world", type=int, help="ranks of all nodes; those of this node if not given")
    parser.add_argument("--first-rank", type=int, default=0, help="rank of this node's first card")
    parser.add_argument("--master", default="127.0.0.1", help="address of the node with rank 0")
    parser.add_argument("--port", type=int, help="free port there; needed with several nodes")
    parser.add_argument("--find-port", action="store_true", help="only find a free port on this node")
    parser.add_argument("--address", help="this node's address between nodes")
    parser.add_argument("--visible", help="physical ids of the cards to use, where more are seen")
    parser.add_argument("--timeout", type=int, default=180, help="seconds for the all-reduce")
    parser.add_argument("--allow-running", action="store_true", help="although an engine uses the cards")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace, report: Report) -> Dict[str, object]:
    """Check this node's cards; the result has one entry a card.

    Raises:
        Trouble: there is no torch, no card, or MindIE runs.
    """
    if arguments.worker is not None:
        return _work(arguments)
    if arguments.find_port:
        return {"port": _free_port(arguments.master)}
    if arguments.visible:
        # Before torch_npu is loaded, which reads it once; the workers inherit it.
        os.environ["ASCEND_RT_VISIBLE_DEVICES"] = arguments.visible
    _need(arguments.device)
    found = _count(arguments)
    busy = [] if arguments.device == "cpu" else running_daemons()
    if busy and arguments.allow_running:
        # HCCL has one port for the host and one for each card, which the engine holds (EJ0003). By these the
        # system gives out others. Source: CANN 8.1, HCCL guide, several processes on one NPU; not tried.
        os.environ.update(dict.fromkeys(_PORTS, "auto"))
    elif busy:
        raise Trouble(
            f"{busy[0].engine} runs here and uses the cards and HCCL's ports",
            evidence="\n".join(map(str, busy[:4])),
            remedy="stop it first (lingctl stop), or --allow-running",
            code="npu-busy",
        )
    wanted = arguments.cards or found
    cards = _answers(arguments, min(found, wanted), report)
    return {
        "device": arguments.device,
        "versions": _versions(arguments.device),
        "found": found,
        "expected": wanted,
        "cards": cards,
    }


def _free_port(address: str) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        return int(listener.getsockname()[1])


def _modules(device: str) -> Tuple[str, ...]:
    return ("torch", "torch_npu") if device == "npu" else ("torch",)


def _need(device: str) -> None:
    """Look that the modules are there, which takes no time; to import them takes seconds."""
    for name in _modules(device):
        if importlib.util.find_spec(name) is None:
            raise _no_torch(name, f"No module named {name!r}")


def _torch(device: str) -> Any:  # noqa: ANN401  (torch is not installed where types are checked for a node)
    for name in _modules(device):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise _no_torch(name, str(error)) from error
    return importlib.import_module("torch")


def _no_torch(name: str, why: str) -> Trouble:
    return Trouble(
        f"{name} cannot be imported: {why}",
        where=sys.executable,
        remedy="run it in the MindIE container, with CANN's set_env.sh sourced",
        code="no-torch",
    )


def _count(arguments: argparse.Namespace) -> int:
    if arguments.device == "cpu":
        return int(arguments.cards or 1)
    torch = _torch(arguments.device)
    count = int(torch.npu.device_count()) if torch.npu.is_available() else 0
    if not count:
        raise Trouble("torch_npu sees no card", code="no-npu")
    return count


def _versions(device: str) -> Dict[str, str]:
    if device == "cpu":
        # Only the workers of this device need torch itself.
        return {"torch": importlib.metadata.version("torch")}
    return {name: str(importlib.import_module(name).__version__) for name in _modules(device)}


def _answers(arguments: argparse.Namespace, count: int, report: Report) -> List[Dict[str, object]]:
    """Start the workers side by side, and gather what each says."""
    options: Dict[str, object] = {
        "--device": arguments.device,
        "--world": arguments.world or count,
        "--first-rank": arguments.first_rank,
        # An IPv6 address stands in brackets in a URL.
        "--master": f"[{arguments.master}]" if ":" in arguments.master else arguments.master,
        "--port": arguments.port or _free_port(arguments.master),
        "--timeout": arguments.timeout,
    }
    words = _program() + [str(word) for pair in options.items() for word in pair]
    environment = {**os.environ, **_environment(arguments)}
    deadline = time.monotonic() + arguments.timeout + _SLACK
    answers = []
    with contextlib.ExitStack() as stack:
        workers = []
        for card in range(count):
            # What it says goes into a file: one that fills a pipe would stop, and with it all others, which
            # wait for its part of the sum.
            file = stack.enter_context(tempfile.TemporaryFile())
            process = subprocess.Popen(
                [*words, "--worker", str(card)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            workers.append((process, file))
        for card, (process, file) in enumerate(workers):
            answers.append(_answer(card, process, file, deadline))
            report({"event": "progress", "task": "cards", "done": card + 1, "total": count})
    return answers


def _answer(
    card: int, process: "subprocess.Popen[bytes]", file: IO[bytes], deadline: float
) -> Dict[str, object]:
    try:
        process.wait(max(1.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return {"card": card, "error": "no end within the time limit"}
    file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_WORDS))
    said = file.read().decode("utf-8", "replace")
    for line in reversed(said.splitlines()):
        try:
            event = foreign_json(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("event") == "result":
            return {key: value for key, value in event.items() if key != "event"}
        if isinstance(event, dict) and event.get("event") == "error":
            return {"card": card, "error": str(event["what"])}
    return {"card": card, "error": "\n".join(said.strip().splitlines()[-12:])}


def _program() -> List[str]:
    """How this program is started again: as the zipapp that runs, or from the package."""
    if sys.argv and os.path.isfile(sys.argv[0]) and zipfile.is_zipfile(sys.argv[0]):
        return [sys.executable, sys.argv[0], "npu-check"]
    return [sys.executable, "-m", "lingctl.node", "npu-check"]


def _environment(arguments: argparse.Namespace) -> Dict[str, str]:
    if not arguments.address:
        return {}
    # HCCL and gloo otherwise take the first interface, which may be docker's.
    return {"HCCL_IF_IP": arguments.address, "HCCL_WHITELIST_DISABLE": "1"}


def _work(arguments: argparse.Namespace) -> Dict[str, object]:
    """One card: the product first, so that one that cannot compute is told from one that cannot talk."""
    torch = _torch(arguments.device)
    card = int(arguments.worker)
    answer: Dict[str, object] = {"card": card, "rank": arguments.first_rank + card}
    place = f"npu:{card}" if arguments.device == "npu" else "cpu"
    try:
        if arguments.device == "npu":
            torch.npu.set_device(card)
    except RuntimeError as error:
        # It can take no part in the sum either; the others say that one is missing.
        return {**answer, "product": "failed", "error": str(error)}
    try:
        answer["product_error"] = product_error(torch, place)
        answer["product"] = "good" if float(str(answer["product_error"])) <= _TOLERANCE else "wrong"
    except RuntimeError as error:
        answer["product"], answer["error"] = "failed", str(error)
    if arguments.world > 1:
        answer.update(_reduce(torch, arguments, place))
    return answer


def product_error(torch: Any, place: str) -> float:  # noqa: ANN401  (as above)
    """Largest error of a bf16 product on ``place`` against float32 on the processor, by the largest entry."""
    generator = torch.Generator().manual_seed(1)
    left, right = (torch.randn(_SIZE, _SIZE, generator=generator).bfloat16() for _ in range(2))
    wanted = left.float() @ right.float()
    got = (left.to(place) @ right.to(place)).cpu().float()
    if not bool(torch.isfinite(got).all()):
        return float("inf")
    return float((got - wanted).abs().max() / wanted.abs().max())


def _reduce(torch: Any, arguments: argparse.Namespace, place: str) -> Dict[str, object]:  # noqa: ANN401  (as above)
    """Add up rank + 1 over all ranks: every one must get the same exact sum."""
    distributed = importlib.import_module("torch.distributed")
    rank, world = arguments.first_rank + arguments.worker, arguments.world
    started = time.monotonic()
    answer: Dict[str, object] = {"reduced": "failed"}
    error: Optional[Exception] = None
    try:
        distributed.init_process_group(
            backend="hccl" if arguments.device == "npu" else "gloo",
            init_method=f"tcp://{arguments.master}:{arguments.port}",
            rank=rank,
            world_size=world,
            timeout=timedelta(seconds=arguments.timeout),
        )
        numbers = torch.full((1024,), float(rank + 1), device=place)
        distributed.all_reduce(numbers)
        total = world * (world + 1) / 2
        answer["reduced"] = "good" if bool((numbers.cpu() == total).all()) else "wrong"
        distributed.destroy_process_group()
    except (RuntimeError, ValueError, OSError) as failed:
        error = failed
    if error is not None:
        answer["error"] = str(error)
    return {**answer, "seconds": round(time.monotonic() - started, 2)}
