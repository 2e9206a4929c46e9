"""One emulated MindIE node on this machine without namespaces: an image tree, an environment, a process."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from functools import cache
from pathlib import Path

from lingctl.sandbox.engine.image import populate_image
from lingctl.sandbox.engine.stock_config import stock_config
from lingctl.sandbox.engine.tiny_models.checkpoint import TinyForm, TinyModel
from lingctl.sandbox.engine.tiny_models.kept import kept_checkpoint
from tests.forked import Forked

OVERLAY = Path(__file__).resolve().parents[1] / "atb_patches" / "bailing_moe"
CHECKOUT = Path(__file__).resolve().parents[1]
SUCCESS = "Daemon start success!"
# Keys of ModelConfig that the stock file does not have.
PARALLEL = ("tp", "dp", "cp", "sp", "pp", "moe_tp", "moe_ep")
# Runs side by side do not meet: cards listen on one fixed port.
_NETWORK = 64 + os.getpid() % 128


def address(node: int = 1) -> str:
    """A loopback address of this test run's own."""
    return f"127.{_NETWORK}.{node}.2"


@cache
def tiny(model: TinyModel, form: TinyForm = "safetensors") -> Path:
    """A tiny checkpoint with the modes that MindIE asks for; made once, not to be changed."""
    folder = Path(tempfile.mkdtemp(prefix="lingctl-tiny-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    kept_checkpoint(folder, model, form)
    folder.chmod(0o750)
    for file in folder.iterdir():
        file.chmod(0o640)
    return folder


def copied(model: str, folder: Path) -> Path:
    """A copy of a tiny checkpoint, to be spoilt."""
    shutil.copytree(tiny(model), folder)
    return folder


def edit_json(path: Path, *removed: str, **changes: object) -> None:
    """Set and remove keys of a JSON object."""
    document = {key: value for key, value in json.loads(path.read_text()).items() if key not in removed}
    path.write_text(json.dumps({**document, **changes}))


def rename_tensors(folder: Path, rename: Callable[[str], str]) -> None:
    """Rename tensors inside every shard, and in the index."""
    for file in folder.glob("*.safetensors"):
        data = file.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        text = json.dumps({rename(name): value for name, value in header.items()}).encode()
        file.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    index = folder / "model.safetensors.index.json"
    document = json.loads(index.read_text())
    document["weight_map"] = {rename(name): file for name, file in document["weight_map"].items()}
    index.write_text(json.dumps(document))


def wait_until(state: Callable[[], bool], seconds: float = 30, told: Callable[[], str] = lambda: "") -> None:
    """Wait for a state."""
    deadline = time.monotonic() + seconds
    while not state():
        assert time.monotonic() < deadline, told()
        time.sleep(0.02)


class EngineNode:
    """A node whose daemon runs as a child of the test.

    Args:
        folder: scratch folder.
        version: 1.0.0 or 3.0.0.
        weights: checkpoint folder.
        address: loopback address for everything.
        cards: number of cards.
    """

    def __init__(self, folder: Path, version: str, weights: Path, address: str, cards: int = 8) -> None:
        self.version, self.weights, self.address, self.cards = version, weights, address, cards
        self.root, self.dev, self.home = folder / "root", folder / "dev", folder / "home"
        for path in (self.root, self.dev, self.home):
            path.mkdir(parents=True, exist_ok=True)
        populate_image(self.root, version)
        for card in range(cards):
            (self.dev / f"davinci{card}").touch()
        (self.dev / "shm").mkdir(exist_ok=True)
        self.ascend = self.root / "usr/local/Ascend"
        (self.ascend / "driver").mkdir()
        site = self.root / "usr/local/lib/python3.11/site-packages"
        self.service = (
            self.ascend / "mindie/latest/mindie-service" if version == "1.0.0" else site / "mindie_llm"
        )
        self.atb = self.ascend / "atb-models/atb_llm" if version == "1.0.0" else site / "atb_llm"
        self.config_path = self.service / "conf/config.json"
        self.console = folder / "console.log"
        self.site_path = folder / "site.json"
        self.env: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.write_site()
        self.configure()

    def write_site(self, **changes: object) -> None:
        cards = {str(i): {"address": self.card_address(i)} for i in range(self.cards)}
        self.site_path.write_text(json.dumps({"time_scale": 0.005, "cards": cards, **changes}))

    def card_address(self, card: int) -> str:
        return self.address.rsplit(".", 1)[0] + f".{100 + card}"

    def add_overlay(self) -> None:
        shutil.copytree(
            OVERLAY, self.atb / "models/bailing_moe", ignore=shutil.ignore_patterns("__pycache__")
        )

    def configure(self, **changes: object) -> dict:
        """Write config.json: the stock file, made fit for this node, with keys replaced wherever they are."""
        config = json.loads(stock_config(self.version))
        # Below those that the system gives to clients, whose connections would be in the way of a start.
        port = 20000 + (os.getpid() * 7 + len(str(self.root)) * 131) % 12000
        values = {
            "ipAddress": self.address,
            "managementIpAddress": self.address,
            "port": port,
            "managementPort": port + 1,
            "metricsPort": port + 2,
            "multiNodesInferPort": port + 3,
            "httpsEnabled": False,
            "interNodeTLSEnabled": False,
            "npuDeviceIds": [list(range(self.cards))],
            "worldSize": self.cards,
            "modelName": "bailing_moe",
            "modelWeightPath": str(self.weights),
            **changes,
        }
        model = config["BackendConfig"]["ModelDeployConfig"]["ModelConfig"][0]
        model.update({name: changes[name] for name in PARALLEL if changes.get(name) is not None})
        for key, value in values.items():
            _replace(config, key, value)
        self.write_config(json.dumps(config))
        self.port = values["port"]
        return config

    def write_config(self, text: str) -> None:
        self.config_path.write_text(text)
        self.config_path.chmod(0o640)

    def environment(self) -> dict[str, str]:
        libraries = [
            self.service / "lib",
            self.ascend / "ascend-toolkit/latest/lib64",
            self.ascend / "nnal/atb/latest/atb/cxx_abi_0/lib",
            self.ascend / "driver/lib64",
        ]
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
            "ATB_SPEED_HOME_PATH": str(self.atb.parent if self.version == "1.0.0" else self.atb),
            "MIES_INSTALL_PATH": str(self.service),
            "LINGCTL_ENGINE_SITE": str(self.site_path),
            "LINGCTL_ENGINE_DEV": str(self.dev),
            "PYTHONPATH": str(CHECKOUT),
            "OMP_NUM_THREADS": "1",
            "MINDIE_LLM_PYTHON_LOG_TO_STDOUT": "1",
            "MINDIE_LLM_PYTHON_LOG_TO_FILE": "1",
            "MINDIE_LOG_TO_STDOUT": "1",
            **self.env,
        }

    def start(self, *arguments: str, session: bool = False) -> None:
        """Start the daemon, as the leader of a session if told."""
        program = self.service / "bin/mindieservice_daemon"
        with self.console.open("wb") as console:
            self.process = Forked(
                [sys.executable, str(program), *arguments],
                engine=True,
                stdout=console,
                stderr=subprocess.STDOUT,
                env=self.environment(),
                cwd=self.service,
                # A background job under ``set -m``: the leader of a group, not of a session.
                process_group=None if session else 0,
                start_new_session=session,
            )

    @property
    def text(self) -> str:
        return self.console.read_text()

    def wait_success(self, seconds: float = 30) -> None:
        assert self.process is not None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if SUCCESS in self.text:
                return
            assert self.process.poll() is None, self.text
            time.sleep(0.05)
        raise AssertionError(self.text)

    def wait_healthy(self, seconds: float = 30) -> None:
        """Wait until the health checker's first interval is over as well."""
        self.wait_success(seconds)
        wait_until(lambda: self.call("/v2/health/ready", port=self.port + 1)[0] == 200, seconds)

    def wait_end(self, seconds: float = 30) -> int:
        """Exit status as a shell gives it."""
        assert self.process is not None
        status = self.process.wait(seconds)
        return 128 - status if status < 0 else status

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.wait_end()

    def refused(self, seconds: float = 30, status: int = 137) -> str:
        """Start, and see it end without a word of success: 137 if it is refused, 134 if a load fails."""
        self.start()
        assert self.wait_end(seconds) == status, self.text
        assert SUCCESS not in self.text
        return self.text

    @property
    def workers(self) -> list[int]:
        """Card processes of this daemon's group, also of one that has ended."""
        return [pid for pid, text in self._group() if text.startswith("mindie_llm_backend")]

    @property
    def tokenizers(self) -> list[int]:
        """Tokenizer processes of 3.0.0."""
        assert self.process is not None
        others = (self.process.pid, *self.workers)
        return [pid for pid, _ in self._group() if pid not in others]

    def _group(self) -> list[tuple[int, str]]:
        assert self.process is not None
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                fields = (path / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == self.process.pid and fields[0] != "Z":
                    text = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found.append((int(path.name), text))
        return found

    def wait_text(self, text: str, seconds: float = 30) -> None:
        """Wait for words in the console, whether or not the daemon lives."""
        wait_until(lambda: text in self.text, seconds, lambda: self.text)

    def close(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def call(self, path: str, body: object = None, *, port: int = 0, raw: bytes | None = None):
        """Status, headers and text of an HTTP call.

        Args:
            path: of the URL.
            body: posted as JSON; None for a GET.
            port: another than the business listener's.
            raw: posted as it is.
        """
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        url = f"http://{self.address}:{port or self.port}{path}"
        # What urllib would call the body, a form, may have 8192 bytes.
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def chat(self, text: str, **more: object):
        body = {"model": "bailing_moe", "messages": [{"role": "user", "content": text}], "temperature": 0}
        status, _, answer = self.call("/v1/chat/completions", {**body, **more})
        return status, json.loads(answer)


def _replace(value: object, key: str, new: object) -> None:
    if isinstance(value, dict):
        for name in value:
            if name == key:
                value[name] = new
            else:
                _replace(value[name], key, new)
    elif isinstance(value, list):
        for item in value:
            _replace(item, key, new)


def rank_table(nodes: list[EngineNode]) -> dict:
    """The table of the nodes in order, the first being the master."""
    servers, rank = [], 0
    for node in nodes:
        devices = []
        for card in range(node.cards):
            ids = {"device_id": str(card), "device_ip": node.card_address(card), "rank_id": str(rank)}
            devices.append(ids)
            rank += 1
        servers.append({"server_id": node.address, "container_ip": node.address, "device": devices})
    return {"version": "1.0", "server_count": str(len(nodes)), "server_list": servers, "status": "completed"}


def join_world(nodes: list[EngineNode], table: dict | None = None, **config: object) -> None:
    """Give every node the table, its environment and a configuration for several nodes.

    What 3.0.0 needs and 1.0.0 does not know: ``tp`` of all cards; None leaves it out.
    """
    table = table or rank_table(nodes)
    if nodes[0].version != "1.0.0":
        config.setdefault("tp", sum(node.cards for node in nodes))
    for node in nodes:
        path = node.home / "rank_table.json"
        path.write_text(json.dumps(table))
        path.chmod(0o640)
        node.configure(
            multiNodesInferEnabled=True, port=nodes[0].port, multiNodesInferPort=nodes[0].port + 3, **config
        )
        node.env = {
            "RANKTABLEFILE": str(path),
            "RANK_TABLE_FILE": str(path),
            "MIES_CONTAINER_IP": node.address,
            "WORLD_SIZE": str(sum(n.cards for n in nodes)),
            "ATB_LLM_HCCL_ENABLE": "1",
            "HCCL_CONNECT_TIMEOUT": "120",
        }
