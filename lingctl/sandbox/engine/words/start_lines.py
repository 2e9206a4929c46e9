"""The lines of a start of 3.0.0, in the order of the real console (seen on a CPU); a subset of them.

Left out: the model's whole configuration in three places, the module tree below its first line, and memory
figures of a card. With several cards, which nobody has seen, the lines of a worker come once, for the node's
first rank, but for those that name the rank.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.settings.parallel import Plan
from lingctl.sandbox.engine.settings.server_config import RawConfig

_MANAGER = "llm_manager_impl.cpp"


def configuration_lines(raw: RawConfig, vocabulary: int, top_k: int, console: Console) -> None:
    """What is said while ModelDeployConfig is read."""
    source = "model_deploy_config.cpp"
    for name, line in (("maxLoras", 396), ("maxLoraRank", 404)):
        if name not in raw.deploy:
            text = f"{name} not found or invalid in ModelDeployConfig, using default 0"
            console.model("WARN", text, f"{source}:{line}")
    if "speculationGamma" not in raw.deploy:
        console.out("The configName speculationGamma is not found, use default value.")
    console.model("INFO", f"ModelDeployConfig::vocabSize={vocabulary}", f"{source}:238")
    console.model("INFO", f"ModelDeployConfig::maxTopK={top_k}", f"{source}:239")


def engine_lines(raw: RawConfig, console: Console) -> None:
    """From the accepted configuration to the executors."""
    deploy = raw.deploy
    console.model("INFO", "LLMRuntime init success!", f"{_MANAGER}:266")
    lengths = f"maxSeqLen={deploy['maxSeqLen']}, maxInputTokenLen={deploy['maxInputTokenLen']}"
    text = f"InitModelConfig: {lengths}, g_truncation=0, g_truncLen=1"
    console.model("INFO", text, f"{_MANAGER}:418")
    if not str(raw.model.get("plugin_params", "")).strip():
        for _ in range(2):
            text = "Input plugin_params is empty or only contains whitespace."
            console.model("INFO", text, f"{_MANAGER}:480")
    longest = min(deploy["maxSeqLen"], deploy["maxInputTokenLen"] + raw.schedule["maxIterTimes"])
    if raw.schedule["maxPrefillTokens"] < longest:
        rule = "maxLen = min(maxSeqLen, maxInputTokenLen + maxIterTimes)"
        text = f"maxPrefillTokens is smaller than maxLen. It will be replaced by maxLen. {rule}"
        console.model("INFO", text, f"{_MANAGER}:583")
    console.model("INFO", "The rankIdList is In InitEngineConfig paras", f"{_MANAGER}:783")


def executor_line(plan: Plan, console: Console, *, several: bool) -> None:
    """What the executor says of its place among the nodes."""
    place = f"rankIdx 0, remoteDPRankIdx {plan.remote}, isMultiNodesInfer {int(several)}"
    console.model("INFO", f"Executor instance init with {place}", "executor.cpp:145")


@dataclass(frozen=True, slots=True)
class WorkerOfCard:
    """One worker as its command line tells it."""

    rank: int
    local_rank: int
    local_cards: int
    group: int
    group_cards: int
    device: int
    world: int
    several: bool

    @property
    def command(self) -> str:
        """The command line."""
        parent = os.getpid()
        text = (
            f"mindie_llm_backend --local_rank {self.local_rank} --local_world_size {self.local_cards}"
            f" --npu_num_per_dp {self.group_cards} --npu_device_id {self.device} --parent_pid {parent}"
            f" --shm_name_prefix /{parent}_{self.group}"
        )
        tail = f" --global_rank {self.rank} --global_world_size {self.world}" if self.several else ""
        return text + tail


class WorkerLines:
    """The lines of a node's first worker while it loads.

    Args:
        process: its pid.
        worker: what it was started as.
    """

    def __init__(self, raw: RawConfig, process: int, worker: WorkerOfCard, console: Console) -> None:
        self._raw, self._process, self._worker, self._console = raw, process, worker, console

    def say(self, text: str, place: str, module: str = "llm", level: str = "INFO") -> None:
        """One line of it."""
        self._console.python(level, text, place, self._process, module)

    def begin(self) -> None:
        """Imports, and the configuration item by item."""
        arguments = "Adaptive GC initialized. Instance arguments: {}"
        self.say(arguments, "adaptive_garbage_collector.py-41")
        self.say("Adaptive GC started", "adaptive_garbage_collector.py-56")
        self.say("profiling is disenabled.", "metrics.py-64")
        given = self._raw.model
        for name in ("tp", "pp", "ep", "dp", "es", "sp", "cp"):
            if name not in given:
                text = f"There is no item named {name}, use default value 1."
                self.say(text, "config.py-126")
            self.say(f"The item {name} value is {given.get(name, 1)}.", "config.py-135")
        for name, value in self._items().items():
            self.say(f"The item {name} value is {value}.", "config.py-135")
        self.say("init base config", "request_router.py-84")
        self.say("profiling is disenabled.", "metrics.py-64")

    def _items(self) -> dict[str, object]:
        raw, worker = self._raw, self._worker
        return {
            "model_id": raw.model["modelWeightPath"],
            "trust_remote_code": int(bool(raw.model.get("trustRemoteCode", False))),
            "local_rank": worker.local_rank,
            "rank": worker.rank,
            "world_size": worker.local_cards,
            "npu_device_id": worker.device,
            "cpu_mem": raw.model["cpuMemSize"],
            "npu_mem": raw.model["npuMemSize"],
            "max_seq_len": raw.deploy["maxSeqLen"],
            "max_iter_times": raw.schedule["maxIterTimes"],
            "max_prefill_tokens": raw.schedule["maxPrefillTokens"],
            "block_size": raw.schedule["cacheBlockSize"],
        }

    def device(self) -> None:
        """The card."""
        rank = self._worker.rank
        if self._worker.several:
            self.say(f"Selecting device from rank table for rank {rank}.", "dist.py-56", "llmmodels")
        device = f"setting device npu:{self._worker.device} for rank {rank}."
        self.say(f"Current process is {device}", "dist.py-85", "llmmodels")
        self.say(f"Current process finished {device}", "dist.py-105", "llmmodels")

    def tokenizer(self) -> None:
        """The model's class is found, its tokenizer read."""
        self.say("init tokenizer done", "model_runner.py-366", "llmmodels")

    def weights(self, model_type: str) -> None:
        """The weights are on the card."""
        name = f"Flash{model_type.capitalize()}ForCausalLM"
        self.say(f"Initialized model: {name}", "model_runner.py-476", "llmmodels")
        device = f"npu:{self._worker.device}"
        self.say(f"Start transferring model to device {device}", "model_runner.py-521", "llmmodels")
        self.say(f"Model successfully transferred to device {device}", "model_runner.py-523", "llmmodels")
        self.say(f"Successfully loaded model: {name}", "model_runner.py-576", "llmmodels")
        self._console.out(f"{name}(")
        self._console.out(")")

    def warm_up(self) -> None:
        """Prefill requests of the longest kind, and the cache. Only rank 0 counts them."""
        self.say("Allocating npu_cache, acl format is ND", "kvcache_pool.py-324")
        if self._worker.rank:
            return
        deploy, schedule = self._raw.deploy, self._raw.schedule
        tokens = schedule["maxPrefillTokens"]
        self.say(
            f"warmup params: max_prefill_tokens={tokens}, max_seq_len={deploy['maxSeqLen']},"
            f" max_input_len={deploy['maxInputTokenLen']}, max_iter_times={schedule['maxIterTimes']}",
            "generator.py-1058",
        )
        count = min(tokens, schedule["maxPrefillBatchSize"] or schedule["maxBatchSize"])
        self.say(
            f"Number of prefill requests (all dp groups): {count}."
            f" First request length: {-(-tokens // count)}."
            f" Last request length: {tokens // count}. Total request length (all dp groups): {tokens}. ",
            "generator.py-1307",
        )


def worker_ready(worker: WorkerOfCard, process: int, blocks: int, positions: int, console: Console) -> None:
    """The end of one worker's loading."""
    rank = worker.rank
    parent = f"parent pid={os.getpid()}, pid={process}, device_id={worker.device}"
    result = (
        f"{{'status': 'ok', 'cpuBlockNum': '0', 'maxPositionEmbeddings': '{positions}',"
        f" 'kvCacheDescs': [{{'npuBlockNum': {blocks}, 'blockSize': 128, 'compressionRatio': 1,"
        " 'cacheType': 0}]}"
    )
    for place, text in (
        ("router_impl.py-228", f">>>global rank:{rank} done ibis manager to device"),
        (
            "router_impl.py-284",
            f"model init success, {parent}, global_rank_id={rank}, local_rank_id={worker.local_rank}",
        ),
        ("router_impl.py-292", f">>>global rank:{rank}: return initialize success result: {result}"),
        ("request_router.py-123", "[python thread: infer] model initialized."),
    ):
        console.python("INFO", text, place, process)


def executor_ready(overview: str, console: Console) -> None:
    """The executor has its workers' results."""
    text = f"[Executor::HandleInitResult]: Initialized KV cache overview: {overview}"
    console.model("INFO", text, "executor.cpp:611")


def engine_started(raw: RawConfig, blocks: int, *, is_master: bool, console: Console) -> None:
    """From the executors to the endpoint."""
    text = "Successfully initialize Executor with IPC and lanuch model!"
    console.model("INFO", text, "executor.cpp:239")
    if is_master:
        console.model("INFO", f"CpuBlockNum:0; NpuBlockNum: {blocks}", f"{_MANAGER}:1205")
        for text, place in (
            ("SelfAttnBlockManager init success!", "self_attn_block_manager.cpp:68"),
            ("Policy create success!", "scheduler.cpp:152"),
            ("Scheduler init success!", "scheduler.cpp:134"),
            (
                "LlmEngine init succeeds! 1 enginePerDPs are created."
                " Need to call StartEngineThread to start Engine thread(s).",
                "llm_engine.cpp:98",
            ),
            ("[LlmEngine]Start thread(0) successfully.", "llm_engine.cpp:257"),
            ("[LlmEngine]Engine thread(s) start successfully.", "llm_engine.cpp:259"),
            ("[LaunchLlmEngine] Engine started and ready to accept requests.", f"{_MANAGER}:1255"),
        ):
            console.model("INFO", text, place)
    else:
        text = (
            "In centralized inter-node PD co-locating, the slave node does not hold its own LlmEngine,"
            " it shares the same LlmEngine with the master node."
        )
        console.model("INFO", text, f"{_MANAGER}:1226")
    console.model("INFO", "LLMRuntime thread start success!", f"{_MANAGER}:285")
    console.audit("system", f"Start InferInstance({raw.backend['backendName']})", "success")
    console.audit("system", f"Load model{raw.model['modelName']}", "success")
    console.audit("system", "Start InferInstance", "success")
    text = "[endpoint] Start dynamic config handler success."
    console.server("INFO", text, "endpoint.cpp:52")


def tokenizer_begins(process: int, console: Console) -> None:
    """A tokenizer process's first line: all there is of one that cannot start."""
    console.python("INFO", f"tokenizer-{process} start.", "tokenizer_log.py-25", process)


def tokenizer_ready(process: int, console: Console) -> None:
    """The rest of a tokenizer's start."""
    for step in ("import ok.", "init start.", "init atb", "init atb ok", "init ok."):
        console.python("INFO", f"tokenizer-{process} {step}", "tokenizer_log.py-25", process)


def health_checker_begins(console: Console) -> None:
    """The health checker asks npu-smi, whose end is told as the end of any child."""
    console.server("INFO", "[endpoint] healthchecker init and start", "endpoint.cpp:136")
    console.server("WARN", exit_signal(17), "llm_daemon.cpp:214")
    text = "[health_checker] HealthChecker: Detected Chip Count: 1"
    console.server("INFO", text, "health_checker.cpp:68")
    text = "[health_checker] HealthChecker: Healthchecker instance created."
    console.server("INFO", text, "health_checker.cpp:54")


def exit_signal(number: int) -> str:
    """How the handler of SIGCHLD names what it got."""
    where = f"Process {os.getpid()}, Thread {threading.get_ident()}"
    return f"[MIE04W01011A] [daemon] Received exit signal[{number}], {where}"


def daemon_started(*, is_master: bool, console: Console) -> None:
    """The last lines of a good start."""
    if is_master:
        console.audit("system", "Start mindie server", "success")
    else:
        slave = "Multi Nodes infer slave instance need not init TokenizerProcessPool and HttpWrapper"
        console.out(slave)
        console.server("INFO", f"[endpoint] {slave}.", "endpoint.cpp:128")
    console.server("INFO", "[endpoint] Start endpoint success", "endpoint.cpp:131")
    console.audit("system", "start endpoint", "success")
    console.out("Daemon start success!")
    console.server("INFO", "[daemon] Daemon start success!", "llm_daemon.cpp:324")
