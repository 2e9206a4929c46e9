"""Which tensor goes into which shard, and what each shard's header and the index say. Pure."""

from __future__ import annotations

import hashlib
import io
import json
import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from lingctl.node.checkpoint.folder import Checkpoint
from lingctl.node.checkpoint.record import Record
from lingctl.node.checkpoint.safetensors import Entry, encode_header
from lingctl.node.checkpoint.torch_file import TorchFile
from lingctl.node.checkpoint.views import View

# Below this a second thread gains less than a second file costs.
_WORTH_TWO = 256_000_000

_LAYER = re.compile(r"(?:^|\.)layers\.(\d{1,6})\.")


class Item(NamedTuple):
    """One tensor on its way: where it comes from and where it goes."""

    entry: Entry  # its place in the shard
    view: View  # where its bytes are
    swapped: bool  # whether they are big-endian
    covers: bool  # whether it is its record, byte for byte, so that copying it gives the record's CRC

    @property
    def record(self) -> Record:
        """The storage that it is in."""
        return self.view.record


class Shard(NamedTuple):
    """One file of the output."""

    name: str  # of the file
    header: bytes  # its first bytes
    items: Tuple[Item, ...]  # tensors in the order of their bytes
    # records that no tensor covers whole, whose CRC is checked on its own, each in one shard
    loose: Tuple[Record, ...]
    size: int  # bytes of the file


class ConversionPlan(NamedTuple):
    """The whole output; ``digest`` changes with the source and with the layout."""

    shards: Tuple[Shard, ...]
    index_text: bytes
    total: int
    tensors: int
    digest: str


_Named = Tuple[str, View, TorchFile]


def plan_shards(source: Checkpoint, largest: int, layers_per_shard: Optional[int]) -> ConversionPlan:
    """Divide the tensors of ``source``.

    Args:
        largest: most bytes of tensors in one shard; a larger tensor gets a shard of its own.
        layers_per_shard: layers 0 to N-1 in the first shard and so on, all that belongs to no layer in the
            last one. Overrides ``largest``.
    """
    named = [(name, tensor, file) for file in source.files for name, tensor in file.tensors.items()]
    groups = by_layers(named, layers_per_shard) if layers_per_shard else by_size(named, largest)
    seen: Set[int] = set()
    shards = tuple(
        _shard(f"model-{number:05d}-of-{len(groups):05d}.safetensors", group, seen)
        for number, group in enumerate(groups, 1)
    )
    index, total = _index(shards)
    digest = hashlib.sha256(source.fingerprint.encode() + index)
    for shard in shards:
        digest.update(shard.header)
    return ConversionPlan(shards, index, total, len(named), digest.hexdigest())


def by_size(named: Sequence[_Named], largest: int) -> List[List[_Named]]:
    """As few shards as ``largest`` allows, about equally large and an even number, so that two threads end
    together. Never by the machine's own cores: every node must cut the same."""
    total = sum(tensor.size for _, tensor, _ in named)
    count = max(1, -(-total // largest))
    if total >= _WORTH_TWO:
        count += count % 2
    wanted = -(-total // count)
    groups: List[List[_Named]] = [[]]
    filled = 0
    for item in named:
        size = item[1].size
        if groups[-1] and ((filled >= wanted and len(groups) < count) or filled + size > largest):
            groups.append([])
            filled = 0
        groups[-1].append(item)
        filled += size
    return groups


def by_layers(named: Sequence[_Named], count: int) -> List[List[_Named]]:
    """``count`` layers in each shard; what belongs to no layer goes into the last."""
    layers = [_layer(name) for name, _, _ in named]
    last = max((layer for layer in layers if layer is not None), default=0) // count
    places = [last if layer is None else layer // count for layer in layers]
    groups: Dict[int, List[_Named]] = {}
    for place, item in sorted(zip(places, named), key=lambda pair: pair[0]):
        groups.setdefault(place, []).append(item)
    return list(groups.values())


def _layer(name: str) -> Optional[int]:
    found = _LAYER.search(name)
    return int(found.group(1)) if found else None


def _shard(name: str, group: Sequence[_Named], seen: Set[int]) -> Shard:
    # Wide elements first keeps every tensor aligned; then in the order of the source, to read forwards.
    ordered = sorted(group, key=lambda it: (-it[1].dtype.size, it[2].path, it[1].record.offset + it[1].begin))
    items: List[Item] = []
    end = 0
    for tensor_name, view, file in ordered:
        entry = Entry(tensor_name, str(view.dtype.safetensors), view.header_shape, end, end + view.size)
        whole = view.contiguous and view.begin == 0 and view.size == view.record.size
        items.append(Item(entry, view, file.swapped, whole and not file.swapped))
        end = entry.end
    header = encode_header([item.entry for item in items])
    return Shard(name, header, tuple(items), _loose(items, seen), len(header) + end)


def _loose(items: Sequence[Item], seen: Set[int]) -> Tuple[Record, ...]:
    """Records first met in this shard that none of its tensors covers."""
    covered = {id(item.record) for item in items if item.covers}
    found: List[Record] = []
    for item in items:
        # Each is one object, however many tensors lie in it.
        if id(item.record) not in covered and id(item.record) not in seen:
            found.append(item.record)
        seen.add(id(item.record))
    return tuple(found)


def _index(shards: Sequence[Shard]) -> Tuple[bytes, int]:
    total = sum(item.entry.end - item.entry.start for shard in shards for item in shard.items)
    # Line by line: json's own indenting makes a list of a hundred thousand pieces first.
    text = io.BytesIO()
    text.write(f'{{\n  "metadata": {{\n    "total_size": {total}\n  }},\n  "weight_map": {{'.encode())
    mark = ""
    for shard in shards:
        for item in shard.items:
            name = json.dumps(item.entry.name, ensure_ascii=False)
            text.write(f'{mark}\n    {name}: "{shard.name}"'.encode())
            mark = ","
    text.write(b"\n  }\n}\n")
    return text.getvalue(), total
