"""Weight files: headers and whole folders, pickles in all formats, indexes and config.json."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Sequence
from pathlib import Path

from lingctl.node.checkpoint.index import INDEX, read_index
from lingctl.node.checkpoint.safetensors import read_header
from lingctl.node.weights.inspect import inspect
from lingctl.node.weights.verify import verify
from tests.fuzz.reader import Reader, Wrong
from tests.fuzz.readers import pickles
from tests.node.headers import made_files

_CONFIG = {
    "architectures": ["BailingMoeForCausalLM"],
    "model_type": "bailing_moe",
    "num_hidden_layers": 1,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 4,
    "vocab_size": 16,
    "num_experts": 2,
    "num_shared_experts": 1,
    "intermediate_size": 8,
    "moe_intermediate_size": 8,
    "torch_dtype": "bfloat16",
    "norm_head": True,
    "tie_word_embeddings": False,
}
_WORDS = (
    *(
        b'"dtype":"BF16"',
        b'"shape":[2,2]',
        b'"data_offsets":[0,8]',
        b'"__metadata__":{}',
        b"F8_E4M3",
        b"F4",
        b"U8",
    ),
    *(b'"weight_map":', b'"metadata":{"total_size":5}', b"model.layers.0.", b".weight", b"../", b"\x00" * 8),
)


def _header(data: bytes, folder: Path) -> object:
    """Taken where the library takes it, refused where it refuses it, but for what is stricter on purpose."""
    from tests.node.test_headers import STRICTER, ours, theirs

    path = folder / "model.safetensors"
    path.write_bytes(data)
    wanted = theirs(data)
    found, why = ours(path)
    if found != wanted and not (found is None and any(pattern.search(why) for pattern in STRICTER.values())):
        raise Wrong(f"the library says {str(wanted)[:200]}, we {str(found)[:200]} ({why})")
    entries, _ = read_header(str(path))
    return [entry.name for entry in entries]


def _header_changed(data: bytes, chance: random.Random) -> bytes:
    """Its text changed and its length set right, or left wrong now and then."""
    from tests.fuzz.mutate import changed

    text = changed(data[8:], chance, [data[8:]], _WORDS)
    return data[:8] + text if chance.random() < 0.1 else struct.pack("<Q", _end(text)) + text


def _end(text: bytes) -> int:
    at = text.rfind(b"}")
    return at + 1 if at >= 0 else len(text)


def _folder(data: bytes, folder: Path) -> object:
    """A folder of one or two files, an index and a config.json: looked at as deploy does, and verified."""
    config, index, *files = (*data.split(b"\n----\n"), b"")
    if index.strip():
        (folder / INDEX).write_bytes(index)
    (folder / "config.json").write_bytes(config)
    for number, content in enumerate(files[:3], 1):
        (folder / f"model-{number:05}-of-{len(files[:3]):05}.safetensors").write_bytes(content)
    seen = inspect(str(folder))
    told = verify(str(folder), len(data) % 2 == 0, lambda _event: None)
    problems = [[str(one), one.evidence, one.remedy] for one in (*told.problems, *told.unknown)]
    return [seen, told.contents.form, len(told.contents.tensors), problems, told.notes]


def _folder_seeds() -> list[bytes]:
    names = ["model.word_embeddings.weight", "model.layers.0.attention.dense.weight", "lm_head.weight"]
    header = json.dumps(
        {
            name: {"dtype": "BF16", "shape": [2, 2], "data_offsets": [8 * n, 8 * n + 8]}
            for n, name in enumerate(names)
        }
    ).encode()
    file = struct.pack("<Q", len(header)) + header + bytes(24)
    weight_map = dict.fromkeys(names, "model-00001-of-00001.safetensors")
    index = json.dumps({"metadata": {"total_size": 24}, "weight_map": weight_map}).encode()
    config = json.dumps(_CONFIG).encode()
    return [b"\n----\n".join((config, index, file)), b"\n----\n".join((config, b"", file))]


def _index(data: bytes, folder: Path) -> object:
    path = folder / INDEX
    path.write_bytes(data)
    found = read_index(str(path))
    if any("/" in name or name in ("", ".", "..") for name in found.weight_map.values()):
        raise Wrong("a file outside the folder")
    return found._asdict()


def _index_seeds() -> list[bytes]:
    return [part for part in (seed.split(b"\n----\n")[1] for seed in _folder_seeds()) if part]


def _headers() -> Sequence[bytes]:
    return made_files(18, 60)


READERS = (
    Reader(
        "header",
        _headers,
        _header,
        _WORDS,
        lambda chance: made_files(chance.randrange(10**9), 1)[0],
        _header_changed,
    ),
    Reader("folder", _folder_seeds, _folder, (*_WORDS, b"\n----\n", b'"num_hidden_layers":')),
    Reader("index", _index_seeds, _index, _WORDS),
    pickles.READER,
)
