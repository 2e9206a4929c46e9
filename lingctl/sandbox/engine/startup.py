"""From configuration to a loaded engine: the stages of a start, each with its documented refusals."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lingctl.sandbox.engine import hccl, world
from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.environment_rules import environment_fault
from lingctl.sandbox.engine.legacy import parameter_line
from lingctl.sandbox.engine.loader import Routed, load_model, route
from lingctl.sandbox.engine.model import Model
from lingctl.sandbox.engine.processes import start_worker
from lingctl.sandbox.engine.rank_table import VARIABLE, RankTable, check_values, read_rank_table
from lingctl.sandbox.engine.server_config import RawConfig, Refused, read_config
from lingctl.sandbox.engine.site import Site, this_site
from lingctl.sandbox.engine.surroundings import foreign_segments, shared_memory_fault, visible_cards
from lingctl.sandbox.engine.text import Text
from lingctl.sandbox.engine.value_rules import ValueRules
from lingctl.sandbox.engine.warm_up import BLOCKS, warm_up_fault
from lingctl.sandbox.engine.weights import LoadError

_LOAD_SECONDS = 30.0
_WARM_UP_SECONDS = 10.0
# Loading with OMP_NUM_THREADS unset: three hours instead of ten minutes (vendor's FAQ).
_WITHOUT_OMP = 18.0


class EngineFailed(Exception):
    """The engine could not be brought up; the model side's log says why."""


@dataclass
class Started:
    """A node's engine after loading.

    Attributes:
        workers: pids of the card processes.
        ranks: global ranks on this node.
    """

    raw: RawConfig
    table: RankTable | None
    ranks: tuple[int, ...]
    world_size: int
    workers: list[int] = field(default_factory=list)
    registration: world.Registration | None = None
    group: world.Group = field(default_factory=lambda: world.Group([], is_master=True))
    model: Model | None = None
    text: Text | None = None


class Startup:
    """Brings one node up.

    Args:
        version: 1.0.0 or 3.0.0.
        config: path of config.json.
        home: folder that TLS paths start from.
    """

    def __init__(self, version: str, config: Path, home: Path, console: Console) -> None:
        self._version, self._config, self._home, self._console = version, config, home, console
        self._new = version != "1.0.0"
        self.workers: list[int] = []

    def configure(self) -> Started:
        """Read and check the configuration and, for several nodes, the rank table.

        Raises:
            Refused: what was to be said has been said.
        """
        console = self._console
        if self._new:
            console.out("LogLevelDynamicHandler start")
            console.out(f"ConfigManager: Load Config from {self._config}.")
        raw = read_config(self._config, self._version, console)
        if self._new and "speculationGamma" not in raw.deploy:
            console.out("The configName speculationGamma is not found, use default value.")
        table = read_rank_table(self._version, console) if raw.multi_node else None
        if self._new:
            done = "Configuration interactions completed successfully"
            console.out(f"[ConfigManager::ExecuteConfigInteractions] {done}")
            console.out("[ConfigManager::InitConfigManager] Successfully init config manager")
        self._check_values(raw, table)
        if table is None:
            ids = raw.backend["npuDeviceIds"][0]
            return Started(raw, None, tuple(range(len(ids))), len(ids))
        assert table.local is not None
        return Started(raw, table, tuple(sorted(d.rank for d in table.local.devices)), len(table.ranks))

    def _check_values(self, raw: RawConfig, table: RankTable | None) -> None:
        rules = ValueRules(raw, self._version, self._console, self._home)
        refused = False
        if table is None:
            devices, count = raw.backend["npuDeviceIds"][0], raw.model["worldSize"]
        else:
            devices = [d.device_id for d in table.local.devices] if table.local else []
            count = len(table.local.devices) if table.local else len(table.servers[0].devices or "?")
        try:
            rules.check(devices, count)
        except Refused:
            refused = True
        if table is not None:
            refused |= not check_values(table, self._console)
        if refused:
            if self._new:
                self._console.out("ConfigManager init exception: [ConfigManager] Checking Config Failed")
            raise Refused("values")

    def bring_up(self, started: Started) -> None:
        """Workers, communication, weights, warm-up.

        Raises:
            EngineFailed: the log says why.
        """
        site = this_site()
        self._check_surroundings(started)
        self._start_workers(started)
        try:
            self._load(started, site)
        except (LoadError, world.WorldError, hccl.HcclError) as error:
            for rank in started.ranks:
                self._console.model("ERROR", f"rank {rank}: {error}")
            raise EngineFailed(str(error)) from error

    def _check_surroundings(self, started: Started) -> None:
        lines = [*shared_memory_fault(self._version), *foreign_segments()]
        for line in lines:
            self._console.server("ERROR", line)
            self._console.model("ERROR", line)
        if lines:
            raise EngineFailed(lines[0])

    def _start_workers(self, started: Started) -> None:
        raw = started.raw
        devices = _devices(started)
        fault = environment_fault()
        if fault:
            self._console.model("ERROR", fault)
            raise EngineFailed(fault)
        visible = visible_cards()
        for place, (rank, device) in enumerate(zip(started.ranks, devices, strict=True)):
            if not self._new:
                self._console.out(parameter_line(raw, started.table, rank, place, device, self._home))
            self.workers.append(start_worker(rank, device))
            self._console.model("INFO", f"global rank id {rank} get model config")
        started.workers = self.workers
        beyond = [device for device in devices if device >= len(visible)]
        if beyond:
            text = (
                f"c10_npu::SetDevice(device_id) failed, error code is 107001. Invalid device id {beyond[0]}"
            )
            hint = f"visible devices: {len(visible)}"
            self._console.model("ERROR", f"RuntimeError: {text}, {hint}")
            raise EngineFailed(text)

    def _load(self, started: Started, site: Site) -> None:
        console, raw = self._console, started.raw
        table = started.table
        if table is not None:
            self._register(started, table, site)
        else:
            for variable in VARIABLE.values():
                _refuse_stray_table(os.environ.get(variable, ""))
        for rank in started.ranks:
            console.model("INFO", f">>>global rank:{rank} done ibis manager to device")
        self._check_ranks(started, site)
        folder = Path(raw.model["modelWeightPath"])
        routed = route(folder, self._version)
        if table is not None:
            fabric = hccl.join(table, site, console)
            started.group = world.group_of(table, fabric)
        self._read_weights(started, folder, routed, site)
        started.text = Text(folder, routed.template)
        time.sleep(_WARM_UP_SECONDS * site.time_scale)
        too_long = warm_up_fault(raw)
        if too_long:
            raise LoadError(too_long)
        console.model("INFO", f"model init success, parent pid={os.getpid()}")
        for rank in started.ranks:
            result = f"return initialize success result: {{'status': 'ok', 'npuBlockNum': '{BLOCKS}'}}"
            console.model("INFO", f">>>global rank:{rank}: {result}")
        console.model("INFO", f"CpuBlockNum:1; NpuBlockNum: {BLOCKS}")

    def _register(self, started: Started, table: RankTable, site: Site) -> None:
        port = int(started.raw.backend.get("multiNodesInferPort", 1120))
        assert table.local is not None
        wants_hccl = os.environ.get("ATB_LLM_HCCL_ENABLE") == "1"
        by_old_name = not self._new and os.environ.get("ATB_LLM_COMM_BACKEND") == "hccl"
        if not (wants_hccl or by_old_name):
            # Without it both take LCCL (3.0.0: atb_llm/utils/initial.py), which works inside one server only;
            # how that ends is not documented.
            raise LoadError("RuntimeError: lccl cannot connect cards of several servers")
        if table.local is table.master:
            listener = world.open_master(table.local, port, self._console)
            started.registration = world.accept_slaves(listener, table, self._console)
        elif table.master is None:
            raise LoadError("ERROR: Rank id is not in the rankTableFile, the input rank is 0")
        else:
            started.registration = world.register_slave(table, port, site, self._console)

    def _check_ranks(self, started: Started, site: Site) -> None:
        """What atb_llm's dist.py and HCCL make of the ranks and of WORLD_SIZE."""
        if started.table is None:
            return
        ranks = sorted(started.table.ranks)
        text = os.environ.get("WORLD_SIZE", str(started.world_size))
        stated = int(text) if text.isdecimal() else 0
        if any(rank >= min(stated, len(ranks)) for rank in ranks):
            raise LoadError("ValueError: rank_id should be a number less than world size.")
        for server in started.table.servers:
            if not _is_address(server.server_id):
                raise LoadError("ValueError: server_id is invalid.")
        if ranks != list(range(len(ranks))):
            missing = next(rank for rank in range(stated) if rank not in ranks)
            raise LoadError(f"ERROR: Rank id is not in the rankTableFile, the input rank is {missing}")
        if stated > len(ranks):
            seconds = hccl.connect_timeout()
            time.sleep((seconds + 20) * site.time_scale)
            wait = f"topo exchange server get socket timeout! timeout[{seconds} s]"
            self._console.plog(
                "topoinfo_exchange_server.cc:201", f"[InitGroupStage][RanktableDetect]EI0015: {wait}"
            )
            raise LoadError(f"RuntimeError: HcclCommInitRootInfo failed, EI0015 {wait}")

    def _read_weights(self, started: Started, folder: Path, routed: Routed, site: Site) -> None:
        slowly = 1.0 if os.environ.get("OMP_NUM_THREADS") else _WITHOUT_OMP
        seconds = _LOAD_SECONDS / 2 * slowly * site.time_scale
        time.sleep(seconds)
        if "daemon-dies-loading" in this_site().faults:
            os.kill(self.workers[0], 9)
            memory = "NPU out of memory. Tried to allocate 2.00 GiB (NPU 0; 60.97 GiB total capacity)"
            raise LoadError(f"RuntimeError: {memory}")
        group = started.group
        started.model = load_model(
            folder, routed, started.world_size, started.ranks, group.reduce, self._version
        )
        time.sleep(seconds)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def vocabulary_columns(started: Started, vocabulary: int) -> list[list[int]]:
    """The vocabulary columns of every node, the master's first."""
    part = vocabulary // started.world_size

    def of(ranks: Sequence[int]) -> list[int]:
        return [row for rank in sorted(ranks) for row in range(rank * part, (rank + 1) * part)]

    if started.table is None:
        return [of(started.ranks)]
    others = [server for server in started.table.servers if server is not started.table.local]
    return [of(started.ranks), *(of([d.rank for d in server.devices]) for server in others)]


def watch_slaves(started: Started, on_lost: object) -> None:
    """Call ``on_lost(address)`` when a slave's control connection ends."""
    assert callable(on_lost)

    def watch(address: str, link: socket.socket) -> None:
        with contextlib.suppress(OSError):
            link.recv(1, socket.MSG_PEEK)
        on_lost(address)

    links = started.registration.links if started.registration else {}
    for address, link in links.items():
        threading.Thread(target=watch, args=(address, link), daemon=True).start()


def _devices(started: Started) -> list[int]:
    if started.table is None:
        return list(started.raw.backend["npuDeviceIds"][0])
    assert started.table.local is not None
    by_rank = {device.rank: device.device_id for device in started.table.local.devices}
    return [by_rank[rank] for rank in started.ranks]


def _refuse_stray_table(named: str) -> None:
    """A single-node start with a rank table in the environment: HCCL reads it and wants one server."""
    if not named:
        return
    path = Path(named)
    try:
        table = json.loads(path.read_text())
        fits = table.get("server_count") == "1" and len(table["server_list"]) == 1
    except (OSError, ValueError, KeyError, AttributeError):
        fits = False
    if not fits:
        raise LoadError(f"RuntimeError: HCCL init failed, EI0004 The ranktable is invalid. Path: {path}")
