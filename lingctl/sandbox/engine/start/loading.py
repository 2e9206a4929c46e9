"""What a worker does with the model: ranks, router, communication, weights, warm-up."""

from __future__ import annotations

import ipaddress
import json
import os
import time
from pathlib import Path

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.machine.site import Site, this_site
from lingctl.sandbox.engine.model.loader import Routed, load_model, route
from lingctl.sandbox.engine.model.text import Text
from lingctl.sandbox.engine.model.warm_up import warm_up_fault
from lingctl.sandbox.engine.model.weights import LoadError
from lingctl.sandbox.engine.nodes import hccl, world
from lingctl.sandbox.engine.settings.rank_table import VARIABLE
from lingctl.sandbox.engine.start.started import Started
from lingctl.sandbox.engine.words import failures
from lingctl.sandbox.engine.words.start_lines import WorkerLines

_LOAD_SECONDS = 30.0
_WARM_UP_SECONDS = 10.0
# Loading with OMP_NUM_THREADS unset: three hours instead of ten minutes (vendor's FAQ).
_WITHOUT_OMP = 18.0


class Loading:
    """One node's loading.

    Attributes:
        stage: ``model``, ``weights`` or ``warm-up``: what it is at.
    """

    def __init__(self, version: str, started: Started, console: Console) -> None:
        self._version, self._started, self._console = version, started, console
        self.stage = "model"

    def run(self, site: Site, lines: WorkerLines | None) -> None:
        """Load.

        Args:
            lines: what 3.0.0 says meanwhile; None for 1.0.0.

        Raises:
            LoadError: the worker's exception.
            HcclError: the cards do not meet.
            SizesDiffer: the nodes' warm-ups do not fit each other.
        """
        started = self._started
        if started.table is None:
            for variable in VARIABLE.values():
                _refuse_stray_table(os.environ.get(variable, ""))
        else:
            self._check_backend()
            self._check_ranks(site)
        folder = Path(started.raw.model["modelWeightPath"])
        routed = route(folder, self._version)
        if lines:
            lines.tokenizer()
        if started.table is not None:
            fabric = hccl.join(started.table, site, self._console)
            started.group = world.group_of(started.table, fabric)
        text = Text(folder, routed.template)
        self.stage = "weights"
        self._read_weights(folder, routed, site)
        if lines:
            lines.weights("bailing_moe")
            lines.warm_up()
        self.stage = "warm-up"
        self._warm_up(site)
        started.text = text

    def _check_backend(self) -> None:
        wants_hccl = os.environ.get("ATB_LLM_HCCL_ENABLE") == "1"
        by_old_name = self._version == "1.0.0" and os.environ.get("ATB_LLM_COMM_BACKEND") == "hccl"
        if not (wants_hccl or by_old_name):
            # Without it both take LCCL (3.0.0: atb_llm/utils/initial.py), which works inside one server only;
            # how that ends is not documented.
            raise LoadError("RuntimeError: lccl cannot connect cards of several servers")

    def _check_ranks(self, site: Site) -> None:
        """What atb_llm's dist.py and HCCL make of the ranks and of WORLD_SIZE."""
        started = self._started
        assert started.table is not None
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

    def _read_weights(self, folder: Path, routed: Routed, site: Site) -> None:
        started = self._started
        slowly = 1.0 if os.environ.get("OMP_NUM_THREADS") else _WITHOUT_OMP
        seconds = _LOAD_SECONDS / 2 * slowly * site.time_scale
        time.sleep(seconds)
        failures.print_and_die()
        if "daemon-dies-loading" in this_site().faults:
            memory = "NPU out of memory. Tried to allocate 2.00 GiB (NPU 0; 60.97 GiB total capacity)"
            raise LoadError(f"RuntimeError: {memory}")
        group = started.group
        started.model = load_model(
            folder, routed, started.world_size, started.ranks, group.reduce, self._version
        )
        time.sleep(seconds)

    def _warm_up(self, site: Site) -> None:
        started = self._started
        deploy, schedule = started.raw.deploy, started.raw.schedule
        sizes = [
            deploy["maxSeqLen"],
            deploy["maxInputTokenLen"],
            schedule["maxPrefillTokens"],
            schedule["maxIterTimes"],
        ]
        if started.registration is not None:
            world.agree_on_warm_up(started.registration, is_master=started.is_master, sizes=sizes)
        time.sleep(_WARM_UP_SECONDS * site.time_scale)
        too_long = warm_up_fault(started.raw)
        if too_long:
            raise LoadError(too_long)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


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
