"""Which tensor goes into which shard, and what each shard's header and the index say. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from lingctl.node.checkpoint.folder import Checkpoint
from lingctl.node.checkpoint.pickles.stand_ins import Tensor
from lingctl.node.checkpoint.record import Record
from lingctl.node.checkpoint.safetensors import Entry, encode_header
from lingctl.node.checkpoint.torch_file import TorchFile

# Below this a second thread gains less than a second file costs.
_WORTH_TWO = 256_000_000

_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.")


class Item(NamedTuple):
    """One tensor on its way: where it comes from and where it goes."""

    entry: Entry  # its place in the shard
    tensor: Tensor  # its view of the storage
    record: Record  # where the storage is
    swapped: bool  # whether its bytes are big-endian
    covers: bool  # whether it is all of its record, so that copying it gives the record's CRC


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


_Named = Tuple[str, Tensor, TorchFile]


def plan_shards(source: Checkpoint, largest: int, layers_per_shard: Optional[int]) -> ConversionPlan:
    """Divide the tensors of ``source``.

    Args:
        largest: most bytes of tensors in one shard; a larger tensor gets a shard of its own.
        layers_per_shard: layers 0 to N-1 in the first shard and so on, all that belongs to no layer in the
            last one. Overrides ``largest``.
    """
    named = [(name, tensor, file) for file in source.files for name, tensor in file.tensors.items()]
    groups = by_layers(named, layers_per_shard) if layers_per_shard else by_size(named, largest)
    seen: Dict[Tuple[str, str], None] = {}
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


def _shard(name: str, group: Sequence[_Named], seen: Dict[Tuple[str, str], None]) -> Shard:
    # Wide elements first keeps every tensor aligned; then in the order of the source, to read forwards.
    ordered = sorted(group, key=lambda item: (-item[1].dtype.size, item[2].path, _begin(item)))
    items: List[Item] = []
    end = 0
    for tensor_name, tensor, file in ordered:
        record = file.records[tensor.storage.key]
        entry = Entry(tensor_name, str(tensor.dtype.safetensors), tensor.header_shape, end, end + tensor.size)
        covers = tensor.contiguous and tensor.begin == 0 and tensor.size == record.size
        items.append(Item(entry, tensor, record, file.swapped, covers))
        end = entry.end
    header = encode_header([item.entry for item in items])
    return Shard(name, header, tuple(items), _loose(items, seen), len(header) + end)


def _begin(item: _Named) -> int:
    _, tensor, file = item
    return file.records[tensor.storage.key].offset + tensor.begin


def _loose(items: Sequence[Item], seen: Dict[Tuple[str, str], None]) -> Tuple[Record, ...]:
    """Records first met in this shard that none of its tensors covers."""
    covered = {(item.record.path, item.record.member) for item in items if item.covers}
    found: List[Record] = []
    for item in items:
        key = (item.record.path, item.record.member)
        if key not in covered and key not in seen:
            found.append(item.record)
        seen[key] = None
    return tuple(found)


def _index(shards: Sequence[Shard]) -> Tuple[bytes, int]:
    weight_map = {item.entry.name: shard.name for shard in shards for item in shard.items}
    total = sum(item.entry.end - item.entry.start for shard in shards for item in shard.items)
    content = {"metadata": {"total_size": total}, "weight_map": weight_map}
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode(), total
