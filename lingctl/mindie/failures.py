"""What MindIE's last words mean: known signatures in its console and logs, each with cause and remedy.

Sources: MindIE-LLM v3.0.0 for the A rows, users' reports and vendor pages for the others. A signature is
matched as it stands; none of them was produced on hardware here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """A known failure.

    Attributes:
        id: stable name: A configuration, B files and model, C memory, D ports, E several nodes, F devices.
        signature: text that appears in a line; several alternatives are tried.
        cause: what is wrong.
        remedy: what to do.
        secondary: true where the line only reports what another one caused.
    """

    id: str
    signature: tuple[str, ...]
    cause: str
    remedy: str
    secondary: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """A failure that was recognised, with the line that shows it."""

    id: str
    line: str
    cause: str
    remedy: str


def _row(id_: str, signature: str, cause: str, remedy: str, *, secondary: bool = False) -> Failure:
    return Failure(id_, tuple(signature.split(" || ")), cause, remedy, secondary)


_DEPLOY = "run lingctl deploy: it writes the file as MindIE wants it"
_MEMORY = "lower max_seq_len, max_prefill_tokens or max_batch_size, or use more cards (lingctl capacity)"
_NETWORK = "lingctl check-network --mesh full finds the pair of cards that cannot talk"

FAILURES: tuple[Failure, ...] = (
    _row("A1", "group permission failed", "a file is open to more than its user and group may read", _DEPLOY),
    _row(
        "A2",
        "owner id diff: current process user id is",
        "a file belongs to another user than the daemon's",
        _DEPLOY,
    ),
    _row("A3", " is a link.", "a file that MindIE reads is a symbolic link", "put the real file there"),
    _row("A4", "is not a regular file or not exists", "a file is missing in the container", _DEPLOY),
    _row("A5", "it's not in baseDir directory", "config.json lies outside MindIE's folder", _DEPLOY),
    _row("A6", "Json file is invalid. Please check json format", "config.json is not JSON", _DEPLOY),
    _row(
        "A7",
        ": missing compulsory field",
        "config.json is of an older MindIE version",
        "set mindie in hosts.yaml to the image's version, then deploy",
    ),
    _row("A8", "The type of param", "a value in config.json has the wrong type", _DEPLOY),
    _row(
        "A10",
        "The size of npuDeviceIds (subset) does not equal to worldSize",
        "worldSize and the cards disagree",
        "set mindie in hosts.yaml to the image's version, then deploy",
    ),
    _row(
        "A11",
        "The size of npuDeviceIds does not equal to modelInstanceNumber",
        "the outer list of npuDeviceIds has the wrong length",
        _DEPLOY,
    ),
    _row(
        "A12",
        "npuDeviceID does not allow repetitive element",
        "no entry of the rank table has this node's address (or a card is named twice)",
        "make service_address in hosts.yaml the node's own IP, then deploy",
    ),
    _row(
        "A13",
        "There should be one modelParam for Standard templateType",
        "config.json lists two models",
        _DEPLOY,
    ),
    _row(
        "A14",
        "The value of maxPrefillTokens should not be less than maxInputTokenLen",
        "max_prefill_tokens is below max_input_tokens",
        "raise max_prefill_tokens in hosts.yaml",
    ),
    _row(
        "A15",
        "Endpoint port cannot be equal to multiNodesInferPort",
        "two ports are the same",
        "change serving.inter_node_port in hosts.yaml",
    ),
    _row(
        "A16",
        "Input ipAddress [0.0.0.0] is invalid",
        "it may not listen on all addresses",
        "give the node a service_address",
    ),
    _row(
        "A18", "tlsCaFile size must in", "HTTPS is on without certificates", "provide them, or switch it off"
    ),
    _row(
        "A19",
        "Ranktable file is not exist",
        "the rank table's path is not set under the name that this version reads",
        "set mindie in hosts.yaml to the image's version, then deploy",
    ),
    _row(
        "A20",
        "Parameter server_count must be in range",
        "the rank table has too few or too many nodes",
        _DEPLOY,
    ),
    _row(
        "A21",
        "which is not equal to server_list length in ranktable file",
        "the rank table lacks a node",
        _DEPLOY,
    ),
    _row(
        "A22",
        "The number of devices in every server node is",
        "nodes have different numbers of cards",
        "use the same number of devices on every node",
    ),
    _row(
        "A23",
        "The containerIp in the server node is empty in ranktable file",
        "the rank table lacks a container_ip",
        _DEPLOY,
    ),
    _row(
        "A24",
        "Parameter device_ip is invalid in ranktable file",
        "a card's address in the rank table is not one",
        _NETWORK,
    ),
    _row(
        "A25",
        "Ranktable file is invalid. Please check json format",
        "the rank table is not JSON, or has numbers where strings belong",
        _DEPLOY,
    ),
    _row(
        "A26",
        "rank_id should be a number less than world size || Rank id is not in the rankTableFile",
        "rank table and WORLD_SIZE disagree",
        _DEPLOY,
    ),
    _row(
        "A9",
        "is out of bound [ || is less than [ || should be in [1, 4194304]",
        "a value in config.json is out of range",
        "correct it under serving in hosts.yaml",
    ),
    _row("A27", "init rank table config error", "the rank table was refused", _DEPLOY, secondary=True),
    _row(
        "A29",
        "Failed check model config.json",
        "the model's config.json is missing, not JSON or too open",
        _DEPLOY,
    ),
    _row(
        "A28",
        "[ConfigManager] Checking Config Failed",
        "config.json was refused; without another line above, the model folder was",
        "lingctl deploy sets its modes; lingctl verify-weights tells what is missing",
        secondary=True,
    ),
    _row(
        "A30",
        "Unrecognized command-line argument",
        "the daemon was started with an argument it does not know",
        _DEPLOY,
    ),
    _row(
        "B1",
        "Path permission exceeds maximum allowed || path owner uid mismatch",
        "the model folder's mode or owner is refused",
        _DEPLOY,
    ),
    _row(
        "B2",
        "The file should not be writable by others",
        "a file of the model is writable by everybody",
        _DEPLOY,
    ),
    _row(
        "B3",
        "The current user does not have permission to access the path",
        "the model's files belong to somebody else",
        _DEPLOY,
    ),
    _row(
        "B4",
        "The path should not be a symbolic link file",
        "a file of the model is a symbolic link",
        "copy the real files there: cp -L",
    ),
    _row(
        "B7",
        "unsupported model type",
        "the bailing_moe overlay is not where MindIE looks",
        "lingctl patch status tells its state; lingctl deploy places it",
    ),
    _row(
        "B8",
        "No local weights found in",
        "there are no safetensors files",
        "lingctl convert makes them from .bin files",
    ),
    _row(
        "B9",
        "AssertionError: weight || weight model. || weight lm_head",
        "a tensor that the model needs is not in the weights",
        "lingctl verify-weights names what is missing; download again",
    ),
    _row(
        "B10",
        "was found in multiple files",
        "two sets of shards are mixed in one folder",
        "keep one set: lingctl verify-weights",
    ),
    _row(
        "B11",
        "SafetensorError || Error while deserializing header",
        "a safetensors file is damaged or cut short",
        "lingctl verify-weights names it; download it again",
    ),
    _row("B6", "No module named 'mindie_llm'", "the environment was not set up", _DEPLOY),
    _row(
        "B5",
        "safe_get_tokenizer_from_pretrained failed || Failed to get vocab size from tokenizer",
        "the tokenizer's files are missing or cannot be read",
        "lingctl verify-weights tells what is missing",
    ),
    _row("B18", "libboost_thread.so", "MindIE's set_env.sh was not sourced", _DEPLOY),
    _row("B23", "mindieservice_daemon not found at", "the image's MindIE is incomplete", "use another image"),
    _row("C1", "NPU out of memory. Tried to allocate", "a card's memory is full", _MEMORY),
    _row("C2", "Warmup failed", "too little memory is left for the KV cache of one longest request", _MEMORY),
    _row(
        "C4",
        "Trying to create tensor with negative dimension || MIE05E01000A",
        "no memory is left for the KV cache",
        _MEMORY,
    ),
    _row(
        "C9",
        "hared memory size is not enough || Shared memory available is not enough || MIE04E120407",
        "the container's shared memory is too small",
        "set container.shm_size to 1g or more",
    ),
    _row(
        "C10",
        "Out of memory: Killed process",
        "the host's memory ran out",
        "free memory, or load fewer models on this host",
    ),
    _row(
        "D1",
        "Socket bind failed || listen port is occupied || Address already in use",
        "a port is taken",
        "stop what listens there (ss -ltnp), or change the port in hosts.yaml",
    ),
    _row(
        "D2",
        "Failed to listen || Failed to start http wrapper",
        "it cannot listen on its address",
        "give the node the right service_address, and free the port",
    ),
    _row(
        "D3",
        "Failed to start gRPC server on port",
        "the port between nodes is taken, or the address is not this node's",
        "free serving.inter_node_port on the primary",
    ),
    _row("D4", "Failed to load TLS certificates", "inter-node TLS is on without certificates", _DEPLOY),
    _row(
        "E4",
        "EI0006 || wait socket establish timeout",
        "two cards did not reach each other in time",
        _NETWORK,
    ),
    _row(
        "E7",
        "EI0015 || topo exchange server get socket timeout",
        "a rank never arrived",
        "look at the node that is missing first: lingctl logs",
    ),
    _row("E16", "EI0016", "the TLS switches of the cards differ", "lingctl check-network --fix-tls"),
    _row("E8", "EI0001", "an HCCL variable has a value that is not allowed", _DEPLOY),
    _row("E9", "EI0004 || EI0014 || EI0017", "HCCL refuses the rank table", _DEPLOY),
    _row("E10", "EI0013", "packets between cards were lost for good", _NETWORK),
    _row(
        "E12", "EJ0001", "the cards are still busy with the last run", "wait ten seconds, then deploy again"
    ),
    _row(
        "E2",
        "Failed to establish connection to master after maximum retries",
        "the primary's daemon did not answer in time",
        "look at the primary first: lingctl logs",
    ),
    _row("E21", "MASTER_ADDR || MASTER_PORT", "the rendezvous address is not set", _DEPLOY),
    _row(
        "E19",
        "HCCL function error || HCCL execute error || ACL stream synchronize failed",
        "another rank died first",
        "look for the first error on every node: lingctl logs",
        secondary=True,
    ),
    _row("F2", "ret is -8020", "the cards belong to another container", "stop that container"),
    _row(
        "F1",
        "ret is -8005",
        "the driver is not visible in the container",
        "see that /usr/local/Ascend/driver is there on the host",
    ),
    _row(
        "F3",
        "error code is 107001 || Invalid device id",
        "a card is not visible to the daemon",
        "see which cards are there: npu-smi info; correct devices in hosts.yaml",
    ),
    _row("F7", "NPU is not available", "a card is busy or lost", "npu-smi info; lingctl check-network"),
    _row(
        "F10",
        "libascend_hal.so: cannot open shared object file",
        "the driver is not mounted",
        "see that /usr/local/Ascend/driver is there on the host",
    ),
    _row(
        "Z1",
        "Daemon wait pid with",
        "a worker process died",
        "look for the first error: lingctl logs",
        secondary=True,
    ),
    _row(
        "Z2",
        "Failed to init endpoint",
        "the start failed",
        "look for the first error: lingctl logs",
        secondary=True,
    ),
)


def explain(text: str) -> list[Explanation]:
    """What is recognised in a log: true causes in the order they appear, then what only follows from them."""
    causes: list[Explanation] = []
    consequences: list[Explanation] = []
    seen: set[str] = set()
    for line in text.splitlines():
        failure = _match(line)
        if failure is None or failure.id in seen:
            continue
        seen.add(failure.id)
        found = Explanation(failure.id, line.strip()[:500], failure.cause, failure.remedy)
        (consequences if failure.secondary else causes).append(found)
    return causes + consequences


def _match(line: str) -> Failure | None:
    for failure in FAILURES:
        if any(part in line for part in failure.signature):
            return failure
    return None
