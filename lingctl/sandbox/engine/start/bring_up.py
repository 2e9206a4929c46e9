"""From an accepted configuration to a loaded engine: memory, executors, registration, workers, model."""

from __future__ import annotations

import os
from pathlib import Path

from lingctl.sandbox.card_holders import hold
from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.machine.processes import WORKERS, start_worker
from lingctl.sandbox.engine.machine.shared_memory import NoRoom, SharedMemory
from lingctl.sandbox.engine.machine.site import Site, this_site
from lingctl.sandbox.engine.machine.surroundings import (
    VISIBLE,
    foreign_segments,
    own_cards,
    shared_memory_fault,
    visible_cards,
)
from lingctl.sandbox.engine.model.warm_up import BLOCKS
from lingctl.sandbox.engine.model.weights import LoadError
from lingctl.sandbox.engine.nodes import hccl, world
from lingctl.sandbox.engine.settings.environment_rules import environment_fault
from lingctl.sandbox.engine.settings.parallel import (
    Place,
    Plan,
    check_plan,
    mapping_fault,
    not_initialised,
    plan_executors,
    sizes_of,
)
from lingctl.sandbox.engine.settings.rank_table import stated_servers
from lingctl.sandbox.engine.start.loading import Loading
from lingctl.sandbox.engine.start.started import Started
from lingctl.sandbox.engine.words import python_failure, start_lines
from lingctl.sandbox.engine.words.legacy import parameter_line
from lingctl.sandbox.engine.words.start_lines import WorkerLines, WorkerOfCard


class EngineFailed(Exception):
    """The engine could not be brought up; the log says why."""


class PythonFailed(EngineFailed):
    """A worker's Python ended with an exception."""


class BringUp:
    """Brings one node's engine up.

    Args:
        version: 1.0.0 or 3.0.0.
        home: mindie-service of 1.0.0.
        memory: where 3.0.0's segments go.

    Attributes:
        workers: pids of the card processes.
    """

    def __init__(self, version: str, home: Path, console: Console, memory: SharedMemory) -> None:
        self._version, self._home, self._console, self._memory = version, home, console, memory
        self._new = version != "1.0.0"
        self.workers: list[int] = []

    def run(self, started: Started) -> None:
        """All of it.

        Raises:
            EngineFailed: refused, or a worker's Python failed.
            Aborted: 3.0.0's executor ends the daemon.
        """
        site = this_site()
        loading = Loading(self._version, started, self._console)
        if not self._new:
            self._old(started, site, loading)
            return
        plan = self._executors(started, site)
        workers = self._workers(started, plan)
        lines = WorkerLines(started.raw, self.workers[0], workers[0], self._console)
        try:
            self._look_around(started, workers, lines)
            loading.run(site, lines)
        except (LoadError, hccl.HcclError, world.SizesDiffer) as error:
            text = str(error) or "RuntimeError: the warm-up's collective has another size on another rank"
            python_failure.report(text, loading.stage, self.workers[0], self._console)
            raise PythonFailed(text) from error
        self._results(started, workers)

    # ---- 3.0.0

    def _executors(self, started: Started, site: Site) -> Plan:
        """Room in memory, the executor's plan, and the nodes' registration: before any worker."""
        console, table = self._console, started.table
        start_lines.engine_lines(started.raw, console)
        sizes = sizes_of(started.raw.model)
        nodes = len(table.servers) if table else 1
        dp = sizes.get("dp", 1)
        groups = dp // nodes if table and dp > 1 else dp
        try:
            self._memory.check(groups)
        except NoRoom as error:
            for where, text in error.lines:
                console.model("ERROR", text, where)
            raise EngineFailed("memory") from error
        place = Place(len(started.ranks), nodes, started.number)
        plan = plan_executors(sizes, place)
        if plan.error:
            console.model("ERROR", plan.error, "executor.cpp:984")
        check_plan(plan, sizes, place)
        start_lines.executor_line(plan, console, several=table is not None)
        if plan.registers:
            self._register(started, site)
        for group in range(min(plan.groups, groups)):
            self._create_segments(group, min(plan.group_cards, place.cards))
        return plan

    def _create_segments(self, group: int, cards: int) -> None:
        try:
            self._memory.create(group, cards)
        except NoRoom as error:
            for place, text in error.lines:
                self._console.model("ERROR", text, place)
            raise not_initialised(group) from error

    def _register(self, started: Started, site: Site) -> None:
        try:
            self._meet(started, site)
        except world.WorldError:
            if started.is_master:
                # Its thread has ended, and nobody tells the one that waits (seen).
                world.wait_for_ever()
            text = "Failed to initialize GRPC communicator for multi-nodes inference."
            self._console.model("ERROR", text, "executor.cpp:159")
            self._console.model("ERROR", "Failed to initialize Executor with GRPC.", "executor.cpp:114")
            raise not_initialised() from None

    def _meet(self, started: Started, site: Site) -> None:
        """The master and its slaves, of either version."""
        table, backend, console = started.table, started.raw.backend, self._console
        assert table is not None and table.local is not None
        port = int(backend.get("multiNodesInferPort", 1120))
        if started.is_master:
            tls = bool(backend.get("interNodeTLSEnabled", False))
            listener = world.open_master(table.local, port, console, tls=tls)
            started.registration = world.accept_slaves(listener, table, console)
        elif table.master is not None:
            started.registration = world.register_slave(table, port, site, console)

    def _workers(self, started: Started, plan: Plan) -> list[WorkerOfCard]:
        several, cards = started.table is not None, len(started.ranks)
        per_group = min(plan.group_cards, cards)
        found = []
        for place, (rank, device) in enumerate(zip(started.ranks, started.devices, strict=True)):
            group = place // per_group
            worker = WorkerOfCard(
                rank, place, cards, group, plan.group_cards, device, started.world_size, several
            )
            self._console.model("INFO", f"Execute command: {worker.command}", "executor.cpp:952")
            self.workers.append(start_worker(worker.command, self._memory.remove))
            found.append(worker)
        return found

    def _look_around(self, started: Started, workers: list[WorkerOfCard], lines: WorkerLines) -> None:
        """What a worker finds before it looks at the model."""
        lines.begin()
        for worker, process in zip(workers, self.workers, strict=True):
            text = f"global rank id {worker.rank} get model config: {{'model_id': "
            text += f"'{started.raw.model['modelWeightPath']}'}}"
            self._console.python("INFO", text, "router_impl.py-219", process)
        fault = environment_fault()
        if fault:
            raise LoadError(fault)
        _check_cards(started.devices)
        lines.device()
        nodes = stated_servers(os.environ.get("RANK_TABLE_FILE", ""))
        fault = mapping_fault(sizes_of(started.raw.model), started.world_size, nodes)
        if fault:
            raise LoadError(fault)

    def _results(self, started: Started, workers: list[WorkerOfCard]) -> None:
        console = self._console
        assert started.model is not None
        positions = started.model.shape.positions
        for worker, process in zip(workers, self.workers, strict=True):
            start_lines.worker_ready(worker, process, BLOCKS, positions, console)
        overview = f"CPU blocks = 0, NPU blocks = {BLOCKS}, MaxPosEmb = {positions}"
        start_lines.executor_ready(overview, console)
        if started.registration is not None:
            world.exchange_init_results(
                started.registration, is_master=started.is_master, overview=overview, console=console
            )
        start_lines.engine_started(started.raw, BLOCKS, is_master=started.is_master, console=console)

    # ---- 1.0.0: order and words as documents and transcripts have them

    def _old(self, started: Started, site: Site, loading: Loading) -> None:
        lines = [*shared_memory_fault(), *foreign_segments()]
        for line in lines:
            self._console.server("ERROR", line)
            self._console.model("ERROR", line)
        fault = environment_fault()
        if fault and not lines:
            self._console.model("ERROR", fault)
        if lines or fault:
            raise EngineFailed
        for place, (rank, device) in enumerate(zip(started.ranks, started.devices, strict=True)):
            self._console.out(parameter_line(started.raw, started.table, rank, place, device, self._home))
            self.workers.append(start_worker(f"{WORKERS['1.0.0']} --rank {rank} --npu {device}"))
            self._console.model("INFO", f"global rank id {rank} get model config")
        try:
            _check_cards(started.devices)
            if started.table is not None:
                if started.table.master is None:
                    raise LoadError("ERROR: Rank id is not in the rankTableFile, the input rank is 0")
                self._meet(started, site)
            for rank in started.ranks:
                self._console.model("INFO", f">>>global rank:{rank} done ibis manager to device")
            loading.run(site, None)
        except (LoadError, world.WorldError, hccl.HcclError, world.SizesDiffer) as error:
            for rank in started.ranks:
                self._console.model("ERROR", f"rank {rank}: {error}")
            raise EngineFailed(str(error)) from error
        self._console.model("INFO", f"model init success, parent pid={os.getpid()}")
        for rank in started.ranks:
            result = f"return initialize success result: {{'status': 'ok', 'npuBlockNum': '{BLOCKS}'}}"
            self._console.model("INFO", f">>>global rank:{rank}: {result}")
        self._console.model("INFO", f"CpuBlockNum:1; NpuBlockNum: {BLOCKS}")


# Of a card that another container has: two users' logs of CANN (vllm-ascend 248 is one), in the form of
# gpustack 3352, which is of another cause. What MindIE itself says is not known.
_HELD = (
    "RuntimeError: init:build/CMakeFiles/torch_npu.dir/compiler_depend.ts:292 NPU function error: "
    "aclrtGetDeviceCount(&device_count), error code is 507899\n"
    "GetDeviceCount:Call drvGetDevNum, drvRetCode=87."
)


def _check_cards(devices: list[int]) -> None:
    if not hold(own_cards()):
        raise LoadError(_HELD)
    visible = visible_cards()
    beyond = [device for device in devices if device >= len(visible)]
    if beyond:
        text = f"c10_npu::SetDevice(device_id) failed, error code is 107001. Invalid device id {beyond[0]}"
        text += f", visible devices: {len(visible)}"
        if VISIBLE in os.environ:
            reason = f"invalid device={beyond[0]}, input visible devices:{os.environ[VISIBLE]}"
            text += f"\nEE1001: The argument is invalid.Reason: Set visible device failed, {reason}"
        raise LoadError(f"RuntimeError: {text}")
