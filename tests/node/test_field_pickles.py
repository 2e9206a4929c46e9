"""Pickles as users' own tools write them: what is needed is taken, what is not is named, nothing is made."""

from __future__ import annotations

import argparse
import collections
import datetime
import decimal
import enum
import functools
import io
import os
import pathlib
import pickle
import random
import subprocess
import sys
import types
import typing
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy
import pytest
import torch
from safetensors.torch import load_file

from lingctl.node.trouble import Trouble
from tests.field import FIELD
from tests.field import cases as field_cases
from tests.node.checkpoints import assert_same, load, run, save

pytestmark = pytest.mark.torch


class Call:
    """Pickles as a call of ``function`` with ``arguments``, and then as what ``state`` says."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> object:
        return self.call


class Colour(enum.Enum):
    RED = "red"


class Settings:
    """As a configuration of transformers, peft or trl: an object with whatever in it."""

    def __init__(self) -> None:
        self.rate, self.colour, self.device = 1e-4, Colour.RED, torch.device("cpu")
        self.modules = {"q_proj", "v_proj"}


class Attributed(collections.OrderedDict):
    """A dict with attributes."""


def weight(seed: int = 3) -> torch.Tensor:
    return torch.randn(5, 7, generator=torch.Generator().manual_seed(seed)).to(torch.bfloat16)


def state() -> dict[str, torch.Tensor]:
    return {"w": weight(), "b": torch.arange(5.0)}


@pytest.fixture
def npu() -> Iterator[types.ModuleType]:
    """The names of torch_npu that its tensors are pickled with."""

    def _rebuild_npu_tensor() -> None: ...

    class Format(enum.IntEnum):
        ND = 2
        FRACTAL_NZ = 29

    before = dict(sys.modules)
    for name in ("torch_npu", "torch_npu.utils", "torch_npu.utils.storage", "torch_npu.npu._format"):
        sys.modules[name] = types.ModuleType(name)
    for module, value in (("utils.storage", _rebuild_npu_tensor), ("npu._format", Format)):
        value.__module__, value.__qualname__ = f"torch_npu.{module}", value.__name__
        setattr(sys.modules[f"torch_npu.{module}"], value.__name__, value)
    yield sys.modules["torch_npu.utils.storage"]
    for name in set(sys.modules) - set(before):
        del sys.modules[name]


def on_npu(module: types.ModuleType, tensor: torch.Tensor, *more: object) -> Call:
    storage = tensor._typed_storage()
    places = (storage, tensor.storage_offset(), tuple(tensor.size()), tensor.stride())
    return Call(module._rebuild_npu_tensor, *places, False, collections.OrderedDict(), *more)


@pytest.mark.parametrize("form", ["int", "bool", "enum", "none", "transposed", "parameter", "getattr"])
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
def test_tensors_saved_on_an_npu_are_taken(
    form: str, protocol: int, tmp_path: Path, npu: types.ModuleType
) -> None:
    kind = sys.modules["torch_npu.npu._format"].Format
    # Python 3.11.0 to 3.11.3 wrote members of enumerations so.
    formats = {"bool": True, "enum": kind.FRACTAL_NZ, "getattr": Call(getattr, kind, "ND")}
    tensor = weight().t() if form == "transposed" else weight()
    saved = on_npu(npu, tensor, *(() if form == "none" else (formats.get(form, 29),)))
    if form == "parameter":
        saved = Call(torch._utils._rebuild_parameter, saved, True, collections.OrderedDict())
    run(save(tmp_path / "in", {"w": saved}, pickle_protocol=protocol), tmp_path / "out")
    assert_same(load(tmp_path / "out"), {"w": tensor})


def with_attribute(tensor: torch.Tensor) -> torch.Tensor:
    tensor.partition_dim = 0
    tensor.beside = torch.ones(2)
    return tensor


TAKEN: dict[str, Callable[[], torch.Tensor]] = {
    "a tensor with attributes": lambda: with_attribute(weight()),
    "a Parameter": lambda: torch.nn.Parameter(weight()),
    "a Parameter with attributes": lambda: with_attribute(torch.nn.Parameter(weight())),
    "a Buffer": lambda: torch.nn.Buffer(weight()),
    "a view with attributes": lambda: with_attribute(weight().t()[2:5, ::2]),
    "a tensor of uint16 with attributes": lambda: with_attribute(torch.arange(9).to(torch.uint16)),
    "a tensor of float8": lambda: weight().to(torch.float8_e5m2),
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("case", TAKEN)
def test_tensors_with_something_around_them_are_taken(case: str, legacy: bool, tmp_path: Path) -> None:
    tensor = TAKEN[case]()
    content = {"w": tensor, "b": torch.ones(3)}
    run(save(tmp_path / "in", content, _use_new_zipfile_serialization=not legacy), tmp_path / "out")
    assert_same(load(tmp_path / "out"), {"w": tensor.detach(), "b": torch.ones(3)})


BESIDE: dict[str, Callable[[], object]] = {
    "a set": set,
    "a filled set": lambda: {1, "a", (2, 3)},
    "a frozenset": lambda: frozenset([1]),
    "a Namespace": lambda: argparse.Namespace(rate=0.1, inner=argparse.Namespace(a=[1])),
    "a SimpleNamespace": lambda: types.SimpleNamespace(a=1),
    "a dict with attributes": lambda: Attributed(a=1),
    "a numpy scalar": lambda: numpy.float32(0.1),
    "a numpy dtype": lambda: numpy.dtype("int16"),
    "a numpy array": lambda: numpy.arange(4000.0),
    "an array of objects": lambda: numpy.array([{}, None], dtype=object),
    "random states": lambda: [
        numpy.random.get_state(), random.getstate(), random.Random(1), numpy.random.default_rng(1),
    ],
    "a Size": lambda: [torch.Size([4, 6]), torch.Size([])],
    "a device": lambda: torch.device("cuda", 1),
    "element types": lambda: [torch.bfloat16, torch.float8_e4m3fn, torch.strided],
    "a version": lambda: torch.__version__,
    "a function": lambda: torch.nn.functional.gelu,
    "paths": lambda: [pathlib.Path("/a"), pathlib.PureWindowsPath("c:\\b")],
    "an enumeration": lambda: [Colour.RED, Call(getattr, Colour, "RED")],
    "times": lambda: [
        datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), datetime.date(2026, 1, 2), datetime.timedelta(3),
    ],
    "settings": Settings,
    "numbers": lambda: [decimal.Decimal("1.5"), 3j, 2**4000, -(2**70), float("nan"), uuid.UUID(int=5)],
    "bytes": lambda: [b"abc", bytearray(b"abc"), b"x" * 100_000],
    "a long text": lambda: "x" * 200_000,
    "odd keys": lambda: {float("nan"): 1, (1, 2): 2, 2**200: 3, None: 4, Colour.RED: 5, frozenset(): 6},
    "half a surrogate pair": lambda: "\ud800",
    "a default dict": lambda: collections.defaultdict(list, a=[1]),
    "a counter and a queue": lambda: [collections.Counter("aab"), collections.deque([1], 3)],
    "a class": lambda: [int, dict, Settings],
    "types": lambda: [typing.Any, typing.Optional[int], list[int], typing.Dict[str, int]],  # noqa: UP006, UP045
    "functions of torch": lambda: [torch.tanh, torch.relu, functools.partial(torch.optim.AdamW, lr=1.0)],
    "a stream": lambda: io.BytesIO(b"extra state"),
    "an error": lambda: ValueError("x"),
    "something that holds itself": lambda: (lambda value: value.append(value) or value)([]),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("case", BESIDE)
def test_what_stands_beside_the_tensors_is_left_out_by_name(case: str, protocol: int, tmp_path: Path) -> None:
    """In the state dict, and around it."""
    for number, content in enumerate(
        [{**state(), "extra": BESIDE[case]()}, {"model": state(), "extra": BESIDE[case](), "epoch": 1}]
    ):
        source = save(tmp_path / f"in{number}", content, pickle_protocol=protocol)
        summary = run(source, tmp_path / f"out{number}")
        assert_same(load(tmp_path / f"out{number}"), state())
        assert "pytorch_model.bin: extra" in summary["left_out"]
        assert any("extra" in note and "hold no tensors" in note for note in summary["notes"])


def test_tensors_beside_the_state_dict_are_not_called_no_weights(tmp_path: Path) -> None:
    trained = torch.nn.Linear(2, 2)
    optimiser = torch.optim.AdamW(trained.parameters())
    trained(torch.ones(2)).sum().backward()
    optimiser.step()
    content = {
        "state_dict": state(),
        "optimizer": optimiser.state_dict(),
        "args": Settings(),
        "whole": trained,
    }
    summary = run(save(tmp_path / "in", content), tmp_path / "out")
    assert_same(load(tmp_path / "out"), state())
    told = next(note for note in summary["notes"] if "with tensors" in note)
    assert "optimizer (6 tensors)" in told and "whole (2 tensors)" in told
    assert any("hold no tensors" in note and "args" in note for note in summary["notes"])


WRAPPED: dict[str, tuple[Callable[[], object], str]] = {
    "a dict under an unknown name": (lambda: {"net": state(), "epoch": 3}, "net"),
    "Megatron's": (
        lambda: {"model": {"language_model": state()}, "args": argparse.Namespace(), "iteration": 5},
        "model.language_model",
    ),
    "a default dict": (lambda: {"model": collections.defaultdict(dict, state())}, "model"),
    "a dict of pairs, as of Python 2": (
        lambda: {"model": Call(collections.OrderedDict, [list(pair) for pair in state().items()])}, "model",
    ),
    "settings named model beside it": (lambda: {"model": {"layers": 2}, "weights": state()}, "weights"),
    "settings named model in it": (lambda: {**state(), "model": {"layers": 2}}, ""),
    "a module's dict": (lambda: {"module": torch.nn.Linear(2, 2).state_dict()}, "module"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRAPPED)
def test_the_state_dict_is_found_by_a_rule_that_is_told(case: str, tmp_path: Path) -> None:
    make, entry = WRAPPED[case]
    content = make()
    wanted = content
    for name in entry.split(".") if entry else ():
        wanted = wanted[name]
    if isinstance(wanted, Call):
        wanted = state()
    summary = run(save(tmp_path / "in", content), tmp_path / "out")
    assert_same(
        load(tmp_path / "out"), {n: t.detach() for n, t in wanted.items() if isinstance(t, torch.Tensor)}
    )
    told = [note for note in summary["notes"] if note.startswith("the state dict was taken from")]
    assert [f"pytorch_model.bin: {entry}" in note for note in told] == [True] * bool(entry)


class Subclass(torch.Tensor):
    """As a library makes them whose tensors are more than their bytes."""


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "tensors in a dict beside others": (lambda: {**state(), "head": {"weight": weight()}}, "head.weight"),
    "two dicts of tensors": (lambda: {"a": state(), "b": {"c": state()}}, "a.w"),
    "a list of tensors": (lambda: {**state(), "experts": [weight(), weight()]}, "experts.0"),
    "tensors in an object": (lambda: {**state(), "x": argparse.Namespace(t=weight())}, "'x'"),
    "a shared dict of tensors": (lambda: (lambda d: {"a": d, "b": d})({"c": [weight()]}), "a.c.0"),
    "a sparse tensor": (lambda: {**state(), "thin": weight().to_sparse()}, "thin"),
    "a compressed tensor": (lambda: {**state(), "thin": torch.eye(3).to_sparse_csr()}, "thin"),
    "a quantised tensor": (
        lambda: {**state(), "q": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, "q",
    ),
    "a tensor without values": (lambda: {**state(), "ghost": torch.empty(3, device="meta")}, "ghost"),
    "a nested tensor": (lambda: {"n": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])}, "n"),
    "a subclass": (lambda: {**state(), "s": torch.ones(2).as_subclass(Subclass)}, "Subclass"),
    "a type of bits": (lambda: {"bits": torch.ones(2, dtype=torch.uint8).view(torch.bits8)}, "bits"),
    "a whole module": (lambda: {"model": torch.nn.Linear(2, 2), "epoch": 1}, "Linear"),
    "a name that is none": (lambda: {"\ud800": weight()}, "not valid Unicode"),
    "a name without end": (lambda: {"x" * 70_000: weight()}, "bytes"),
    "a storage": (lambda: weight().untyped_storage(), "Storage"),
    "arrays": (lambda: {"w": numpy.zeros((2, 2))}, "numpy"),
}  # fmt: skip


@pytest.mark.filterwarnings(
    "ignore:.*nested tensors.*:UserWarning", "ignore:torch.quantize_per_tensor:UserWarning"
)
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_needed_and_cannot_be_taken_is_refused_by_name(
    case: str, legacy: bool, tmp_path: Path
) -> None:
    make, name = REFUSED[case]
    source = save(tmp_path / "in", make(), _use_new_zipfile_serialization=not legacy)
    with pytest.raises(Trouble) as caught:
        run(source, tmp_path / "out")
    assert name in f"{caught.value} {caught.value.evidence}"
    assert caught.value.remedy
    assert not (tmp_path / "out").exists()


RUNS: dict[str, Callable[[Path], object]] = {
    "a command": lambda marker: Call(os.system, f"touch {marker}"),
    "a program": lambda marker: Call(subprocess.Popen, ["touch", str(marker)]),
    "code": lambda marker: Call(exec, f"open({str(marker)!r}, 'w')"),
    "an attribute that is called": lambda marker: Call(getattr, Path(marker), "touch"),
    "another load": lambda marker: Call(torch.load, str(marker)),
    "bytes of another file": lambda marker: Call(torch.storage._load_from_bytes, b""),
    "a method": lambda marker: Call(Path.touch, marker),
    "a test's runner": lambda marker: Call(numpy.testing._private.utils.runstring, "1", {}),
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("case", RUNS)
def test_a_file_that_would_run_something_is_refused_though_its_tensors_are_good(
    case: str, legacy: bool, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    content = {"model": state(), "beside": RUNS[case](marker)}
    source = save(tmp_path / "in", content, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(Trouble, match="refused, nothing of it was executed"):
        run(source, tmp_path / "out")
    assert not marker.exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_the_pickles_of_all_protocols_are_read(protocol: int, tmp_path: Path) -> None:
    """torch writes no tensors with protocol 0: what stands beside them is told apart all the same."""
    from lingctl.node.checkpoint.pickles.budget import Budget
    from lingctl.node.checkpoint.pickles.reader import read_pickle
    from lingctl.node.checkpoint.pickles.stand_ins import Mapping
    from lingctl.node.checkpoint.window import Window

    value = {
        "text": "häß\n\\'\"", "long": 10**20, "negative": -5, "real": 1.5, "none": None,
        "yes": [True, False], "nested": {"a": (1, 2, 3, 4), "empty": [(), [], {}]},
        "ordered": collections.OrderedDict(a=1, b=collections.OrderedDict()),
    }  # fmt: skip
    path = tmp_path / "pickle"
    for content in (value, {**value, "all": [make() for name, make in BESIDE.items() if name != "a stream"]}):
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        with path.open("rb") as file:
            window = Window(file.fileno(), 0, path.stat().st_size, "pickle")
            found = read_pickle(window, lambda identity: identity, Budget())
        assert window.left == 0

        def plain(one: object) -> object:
            if isinstance(one, Mapping):
                return {key: plain(inner) for key, inner in one.named.items()}
            return type(one)(map(plain, one)) if isinstance(one, (list, tuple)) else one

        assert isinstance(found, Mapping)
        assert {key: plain(inner) for key, inner in found.named.items() if key != "all"} == value


NAMES = (
    "pickle-",
    "view",
    "zip-",
    "legacy",
    "npu-",
    "attribute-",
    "buffer",
    "deepspeed",
    "lightning",
    "tied",
)
CASES = {
    name: case["convert"]
    for case in field_cases("weights")
    for name in case.get("names", [case.get("name")])
    if "convert" in case and name.startswith((*NAMES, "half-nested", "dtypes", "whole-module"))
}


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All cases, made in one process; what executes one leaves a file ``executed`` there."""
    folder = tmp_path_factory.mktemp("field")
    command = [sys.executable, FIELD / "weights" / "make_weights.py", folder, *CASES]
    environment = {**os.environ, "FIELD_CANARY": str(folder)}
    subprocess.run(command, check=True, capture_output=True, timeout=300, env=environment)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_checkpoints_of_the_field(name: str, field: Path, tmp_path: Path, pyz: Path) -> None:
    """Each as a node converts it, in a process of its own."""
    case, folder = CASES[name], field / name
    done = subprocess.run(
        [sys.executable, "-S", "-c", PEAK, pyz, "convert", folder, tmp_path / "out"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answer, _, last = done.stdout.rpartition("peak ")
    peak, status = map(int, last.split())
    assert status in case.get("rc", [0, 1, 2, 3]), answer
    assert peak < 64 and '"internal"' not in answer and len(answer) < 30_000
    assert not (field / "executed").exists()
    if case.get("tensors"):
        assert_same(load(tmp_path / "out"), load_file(f"{folder}.wanted.safetensors"))


# VmHWM and not ru_maxrss: the latter counts what the tests' own process had before it started this one.
PEAK = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    status = end.code
high = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print("peak", int(high.split()[1]) // 1024, status or 0)
"""
