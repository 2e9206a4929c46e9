"""The tensors of a folder as they stand on the disk: each read once, the next one while this one is used."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from lingctl.node.checkpoint.safetensors import read_header
from lingctl.node.files import open_regular, read_at
from lingctl.node.progress import Meter, Report
from lingctl.node.trouble import Trouble, shown, some

READ = ("BF16", "F16", "F32")
# Rotary frequencies that older writers saved: they are computed.
_BUFFER = "inv_freq"


class StoredPlace(NamedTuple):
    """Where a tensor is."""

    file: str
    dtype: str
    shape: Tuple[int, ...]
    start: int
    size: int  # bytes


class StoredTensors:
    """The tensors of some safetensors files.

    Attributes:
        places: by name.
        read_bytes: how many bytes were read so far.
    """

    def __init__(self, folder: str, files: Sequence[str]) -> None:
        """Read the headers.

        Raises:
            Trouble: a file is no safetensors file, or holds numbers that are not read here.
            OSError: it cannot be read.
        """
        self.places: Dict[str, StoredPlace] = {}
        self.read_bytes = 0
        self._folder = folder
        self._open: Dict[str, int] = {}
        self._reader = ThreadPoolExecutor(1)
        self._meter = Meter("reference", 0, lambda event: None)
        for file in files:
            entries, begin = read_header(os.path.join(folder, file))
            for entry in entries:
                size = entry.end - entry.start
                self.places[entry.name] = StoredPlace(
                    file, entry.dtype, entry.shape, begin + entry.start, size
                )

    def tell(self, report: Report) -> None:
        """Report from now on how much of all is read or not needed."""
        total = sum(place.size for place in self.places.values())
        self._meter = Meter("reference", total, report)

    def part(self, name: str) -> None:
        """Name the part of the model that is being read."""
        self._meter.part = name

    def skip(self, names: Sequence[str]) -> None:
        """These are not needed."""
        self._meter.add(sum(self.places[name].size for name in names))

    def check(self, wanted: Mapping[str, Tuple[int, ...]]) -> None:
        """See that the tensors are those of the model, all of them and no other.

        Raises:
            Trouble: they are not.
        """
        missing = [name for name in wanted if name not in self.places]
        others = [name for name in self.places if name not in wanted and not name.endswith(_BUFFER)]
        shaped = [
            f"{shown(name)} is {list(self.places[name].shape)}, not {list(shape)}"
            for name, shape in wanted.items()
            if name in self.places and self.places[name].shape != shape
        ]
        # Quantised weights have other tensors too: that is looked for before these are called wrong.
        typed = [
            f"{shown(name)} is {place.dtype}"
            for name, place in self.places.items()
            if place.dtype not in READ and not name.endswith(_BUFFER)
        ]
        if typed:
            raise Trouble(
                f"{len(typed)} tensors are of a kind that is not read: the weights are quantised",
                where=self._folder,
                evidence=some(typed),
                remedy="there is no reference for quantised weights; prove the service with those in bf16, "
                "fp16 or fp32 that these were made of",
                code="prove-quantised",
            )
        for what, names in (
            ("tensors are missing that config.json calls for", missing),
            ("tensors are there that config.json does not call for", others),
            ("tensors have another shape than config.json gives them", shaped),
        ):
            if names:
                raise Trouble(
                    f"{len(names)} {what}",
                    where=self._folder,
                    evidence=some(names),
                    remedy="config.json and weights are not of one model, or of none that is known here",
                    code="prove-weights",
                )

    def read(self, name: str) -> bytearray:
        """All bytes of a tensor. Raises OSError: it cannot be read; Trouble: the file became shorter."""
        place = self.places[name]
        data = bytearray(place.size)
        self._fill(place, memoryview(data), place.start)
        self._meter.add(place.size)
        return data

    def each(self, names: Sequence[str]) -> Iterator[Tuple[str, bytearray]]:
        """The tensors one after the other; while one is used, the next one is read."""
        coming = self._reader.submit(self.read, names[0]) if names else None
        for number, name in enumerate(names):
            assert coming is not None
            data = coming.result()
            coming = self._reader.submit(self.read, names[number + 1]) if number + 1 < len(names) else None
            yield name, data

    def rows(self, name: str, wanted: Sequence[int]) -> bytearray:
        """Some rows of a tensor; the others are not read."""
        place = self.places[name]
        width = place.size // place.shape[0]
        data = bytearray(width * len(wanted))
        for number, row in enumerate(wanted):
            view = memoryview(data)[number * width : (number + 1) * width]
            self._fill(place, view, place.start + row * width)
        self._meter.add(place.size)
        return data

    def close(self) -> None:
        """Close the files."""
        self._reader.shutdown()
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _fill(self, place: StoredPlace, data: memoryview, start: int) -> None:
        if place.file not in self._open:
            self._open[place.file] = open_regular(os.path.join(self._folder, place.file))
        if read_at(self._open[place.file], data, start) < len(data):
            raise Trouble("the file ends too early", where=place.file, code="prove-weights")
        self.read_bytes += len(data)


def names_of(prefix: str, *parts: str) -> List[str]:
    """Names of weights below a prefix."""
    return [f"{prefix}{part}.weight" for part in parts]
