"""A second engine behind the seam, shaped as vLLM is: a command line, no file, no rank table, no overlay, one
port, no word of success on a node that answers no HTTP, and weights read in either form."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from lingctl.engine.capacity import Capacity, Estimate, Load
from lingctl.engine.container import ContainerSpec, container_of
from lingctl.engine.files import NO_OVERLAY, Encryption, Joint, Overlay, Shown
from lingctl.engine.interface import About, Http
from lingctl.engine.logs import CodeMeaning, Console, Diagnosis, Explanation, LogReader
from lingctl.engine.scripts import Environment, Start
from lingctl.errors import ConfigurationError
from lingctl.findings import Finding, Verdict
from lingctl.inventory.cluster import Addresses, Cluster
from lingctl.inventory.models.catalogue import Shape
from lingctl.inventory.places import weights_in_container
from lingctl.inventory.sections import Node
from lingctl.remote.upload import WriteFile

LOADED = "Application startup complete."
FULL = "Free memory on device is less than desired"


class ToyLogs:
    console = Console(loaded=LOADED, loaded_elsewhere="", telling="ERROR", requests="HTTP 400")

    def explain(self, text: str, *, status: str | int | None = "") -> list[Explanation]:
        lines = [line for line in text.splitlines() if FULL in line]
        return [Explanation("T1", line, "the cards are in use", "npu-smi info") for line in lines[:1]]

    def explain_waiting(self, text: str) -> list[Explanation]:
        return []

    def first_errors(self, text: str, limit: int = 5) -> list[str]:
        return text.splitlines()[-limit:]

    def exit_meaning(self, status: str) -> str:
        return "an end that says nothing" if status == "0" else ""

    def look_up(self, word: str) -> CodeMeaning | None:
        return None

    def speaks(self, text: str) -> bool:
        return "toy" in text

    def diagnose(
        self,
        logs: Mapping[str, str],
        ended: Collection[str],
        *,
        statuses: Mapping[str, str] = MappingProxyType({}),
        clocks: Mapping[str, float] = MappingProxyType({}),
    ) -> Diagnosis | None:
        for node, text in logs.items():
            if found := self.explain(text):
                return Diagnosis(node, found[0], found[0].line)
        return next((Diagnosis(node, None, logs[node][-80:]) for node in ended), None)

    def missing_nodes(self, logs: Mapping[str, str]) -> tuple[str, ...]:
        return ()

    def waits_for_ever(self, logs: Mapping[str, str]) -> Diagnosis | None:
        return None

    def rank_of(self, line: str) -> int | None:
        found = re.search(r"rank (\d+)", line)
        return int(found[1]) if found else None


class ToyCapacity:
    """Takes 10 GiB of each card, whatever the model."""

    def load_of(self, cluster: Cluster) -> Load:
        return self.usual_load(cluster.world_size)

    def usual_load(self, ranks: int) -> Load:
        return Load(1024, 512, 512, 0.9)

    def estimate(
        self,
        shape: Shape,
        window: int,
        ranks: int,
        hbm_gib: float,
        load: Load,
    ) -> Estimate:
        usable = hbm_gib * load.fraction
        return Estimate(
            ranks,
            hbm_gib,
            usable,
            10,
            load.overhead_gib,
            1024,
            load.tokens,
            window,
            "",
        )

    def smallest_fit(self, shape: Shape, window: int, hbm_gib: float, load: Load) -> Estimate | None:
        found = self.estimate(shape, window, 1, hbm_gib, load)
        return found if found.fits else None

    def judge(self, shape: Shape, found: Estimate, load: Load) -> Finding:
        verdict = Verdict.PASS if found.fits else Verdict.FAILURE
        return Finding("capacity", verdict, f"a toy has {found.cache_gib:.1f} GiB left")


class Toy:
    """See ``lingctl.engine.interface.Engine``."""

    def __init__(self, directory: str = "/workspace", program: tuple[str, ...] = ("toy", "serve")) -> None:
        self._directory, self._program = directory, program

    about = About(
        name="toy",
        title="Toy",
        version="0.1",
        checked_against="nothing",
        image="registry.example/toy:0.1",
        driver="25.0",
        set_env=("/opt/toy/set_env.sh",),
        log_places=(),
        file_names=(),
        reads=frozenset({"safetensors", "bin"}),
        process_names=(),
        opens_all=False,
        strict_modes=False,
        joins_by_addresses=False,
    )
    overlay: Overlay = NO_OVERLAY
    http = Http(management=False, metrics=False, ready_path="/health")
    logs: LogReader = ToyLogs()
    capacity: Capacity = ToyCapacity()

    def need_defaults(self, generation_config: Mapping[str, Any]) -> None:
        pass

    def model_config(
        self, original: Mapping[str, Any], *, rows: int | None = None, columns: int | None = None
    ) -> tuple[dict[str, Any], list[str]]:
        if original.get("quantize"):
            raise ConfigurationError("a toy serves no quantised weights", code="toy-quantised")
        return dict(original), []

    def folds_head(self, model_config: Mapping[str, Any]) -> bool:
        return False

    def container(self, cluster: Cluster, node: Node) -> ContainerSpec:
        return container_of(cluster, node, image=self.about.image, shm_size="1g")

    def files(self, cluster: Cluster, node: Node, weights: str) -> tuple[WriteFile, ...]:
        return ()

    def environment(self, cluster: Cluster, node: Node) -> Environment:
        cards = ",".join(map(str, node.devices))
        return Environment((), {"ASCEND_RT_VISIBLE_DEVICES": cards, "HCCL_IF_IP": node.service_address})

    def told_otherwise(self, cluster: Cluster) -> Mapping[str, Any]:
        return {}

    def offline(
        self, cluster: Cluster, weights: str, model_config: Mapping[str, Any] | None
    ) -> tuple[str, ...]:
        return ("--model", weights_in_container(cluster, weights))

    def start(
        self, cluster: Cluster, node: Node, weights: str, model_config: Mapping[str, Any] | None
    ) -> Start:
        if cluster.serving.max_input_tokens is not None:
            raise ConfigurationError(
                "a toy has no limit of its own for inputs", where="serving.max_input_tokens"
            )
        rank = cluster.nodes.index(node)
        words = [*self._program, weights_in_container(cluster, weights), "--port", str(cluster.serving.port)]
        if cluster.multi_node:
            words += ["--node-rank", str(rank), "--master-addr", cluster.primary.service_address]
        return Start(self._directory, tuple([*words, "--headless"] if rank else words))

    def need_cards(self, generations: Mapping[str, str]) -> None:
        return None

    def joint(self, cluster: Cluster, addresses: Addresses) -> Joint:
        return Joint()

    def encryption(self, cluster: Cluster) -> Encryption:
        return Encryption((), (("HTTPS", "off"),))

    def remarks(self, cluster: Cluster) -> tuple[str, ...]:
        return ()

    def shown(self, cluster: Cluster, overrides: Mapping[str, str]) -> list[Shown]:
        return [Shown("", "model", cluster.model, "hosts.yaml")]
